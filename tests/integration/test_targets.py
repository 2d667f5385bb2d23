"""One suite for every switch target, driven by finsy: pytest tests/integration/test_targets.py"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import finsy as fy
import pytest
from pyroute2 import IPRoute

from bmv2 import simple_switch, targets
from bmv2.target import SwitchOptions, Target, TargetError
from controlplane import p4_constants as p4
from testbed.capture import Capture
from testbed.link import LinkEnd, bring_up_loopback, connect
from testbed.namespace import NetworkNamespace

BUILD = Path(__file__).parents[2] / "p4src" / "build"
_WAIT_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def options(tmp_path: Path, **more: Any) -> SwitchOptions:
    given: dict[str, Any] = {
        "program": BUILD / "uhaul.json",
        "p4info": BUILD / "uhaul.p4info.txtpb",
        "ports": {},
        "cpu_port": p4.CPU_PORT,
        "grpc_address": f"unix:{tmp_path}/p4rt.sock",
        "log_file": tmp_path / "switch.log",
        "thrift_port": free_port(),
        **more,
    }
    return SwitchOptions(**given)


@pytest.fixture(params=["embedded", "simple_switch"])
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    if chosen == "simple_switch" and not simple_switch.is_installed():
        pytest.skip("simple_switch_grpc is not on PATH")
    return chosen


@pytest.fixture
def target(name: str, tmp_path: Path) -> Iterator[Target]:
    made = targets.create(name, options(tmp_path))
    made.start()
    yield made
    made.stop()


def client(tmp_path: Path, election_id: int = 10, **more: Any) -> fy.Switch:
    return fy.Switch(
        "s1",
        f"unix:{tmp_path}/p4rt.sock",
        fy.SwitchOptions(
            p4info=BUILD / "uhaul.p4info.txtpb",
            p4blob=BUILD / "uhaul.json",
            device_id=1,
            initial_election_id=election_id,
            **more,
        ),
    )


async def read(switch: fy.Switch, query: Any) -> list[Any]:
    found: Any = switch.read(query)
    return [each async for each in found]


def rule(number: int, **more: Any) -> fy.P4TableEntry:
    match = fy.P4TableMatch(low_address=number, high_address=9, low_port=1, high_port=2, protocol=6)
    action = fy.P4TableAction("to_instance", instance=number % 2 + 1)
    return fy.P4TableEntry("flow_rules", match=match, action=action, **more)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- start and stop --------------------------------------------------------------


def test_stop_leaves_nothing_and_a_second_start_works(target: Target, tmp_path: Path) -> None:
    for _ in range(2):
        pid = target.pid
        target.stop()
        target.stop()
        assert not is_alive(pid)
        assert not (tmp_path / "p4rt.sock").exists()
        with pytest.raises(TargetError):
            _ = target.pid
        target.start()


def test_a_program_is_set_though_an_interface_has_gone(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        ends = NetworkNamespace("switch"), NetworkNamespace("hosts")
        for namespace in ends:
            stack.callback(namespace.close)
        for name in ("a", "b"):
            connect(*(LinkEnd(namespace=each, interface=name) for each in ends))
        with ends[0].entered():
            target = targets.create("embedded", options(tmp_path, ports={1: "a", 2: "b"}))
            stack.callback(target.stop)
            target.start()
            with IPRoute() as netlink:
                netlink.link("del", index=next(iter(netlink.link_lookup(ifname="a"))))

        async def set_program() -> None:
            async with client(tmp_path, p4force=True) as switch:
                await switch.insert([rule(1)])
                assert len(await read(switch, fy.P4TableEntry("flow_rules"))) == 1

        asyncio.run(set_program())
    assert (
        "port 1: there is no network interface a any more" in (tmp_path / "switch.log").read_text()
    )


def test_an_end_by_itself_is_no_trouble_for_stop(target: Target) -> None:
    os.kill(target.pid, signal.SIGKILL)
    target.stop()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ports": {1: "no-such-port"}}, "no-such-port"),
        ({"program": Path("/no/such.json")}, "/no/such.json: No such file"),
        ({"p4info": Path("/no/such.txtpb")}, "/no/such.txtpb: No such file"),
        ({"program": BUILD / "uhaul.p4info.txtpb"}, "uhaul.p4info.txtpb: "),
    ],
)
def test_what_cannot_start_says_so_in_one_line(
    name: str, tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    started = targets.create(name, options(tmp_path, **more))
    with pytest.raises(TargetError) as caught:
        started.start()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


# --- P4Runtime -------------------------------------------------------------------


async def test_entries(target: Target, tmp_path: Path) -> None:
    async with client(tmp_path) as switch:
        await switch.write([+rule(number) for number in range(1, 200)])
        await switch.write([-rule(1), ~rule(2)], strict=True)
        found = await read(switch, fy.P4TableEntry("flow_rules"))
        assert sorted(each.match["low_address"] for each in found) == list(range(2, 200))
        (one,) = await read(switch, rule(7))
        assert one.action == fy.P4TableAction("to_instance", instance=2)


async def test_every_kind_of_match(target: Target, tmp_path: Path) -> None:
    route = fy.P4TableEntry(
        "routes",
        match=fy.P4TableMatch(destination="10.0.1.0/24"),
        action=fy.P4TableAction("to_host", port=1, source=2, destination=3),
    )
    steer = fy.P4TableEntry(
        "steer",
        match=fy.P4TableMatch(source="10.0.0.0/255.255.0.0", protocol=6),
        action=fy.P4TableAction("to_group", group=1),
        priority=10,
    )
    timers = fy.P4TableEntry(
        "timers",
        action=fy.P4TableAction("set_timers", activity_window=1, affinity_timeout=2),
        is_default_action=True,
    )
    async with client(tmp_path) as switch:
        await switch.write([+route, +steer, ~timers])
        (found,) = await read(switch, fy.P4TableEntry("routes"))
        assert found.action == route.action
        (found,) = await read(switch, fy.P4TableEntry("steer"))
        assert (found.action, found.priority) == (steer.action, 10)
        (found,) = await read(switch, fy.P4TableEntry("timers", is_default_action=True))
        assert found.action == timers.action


async def test_a_failed_batch_names_its_updates(target: Target, tmp_path: Path) -> None:
    async with client(tmp_path) as switch:
        await switch.write([+rule(2)])
        with pytest.raises(fy.P4ClientError) as caught:
            await switch.write([+rule(1), +rule(2), +rule(3)])
        assert list(caught.value.details) == [1]
        assert caught.value.details[1].canonical_code == fy.GRPCStatusCode.ALREADY_EXISTS
        assert len(await read(switch, fy.P4TableEntry("flow_rules"))) == 3


async def test_the_default_action_of_a_const_table_stays(target: Target, tmp_path: Path) -> None:
    entry = fy.P4TableEntry("routes", action=fy.P4TableAction("unknown"), is_default_action=True)
    async with client(tmp_path) as switch:
        with pytest.raises(fy.P4ClientError) as caught:
            await switch.write([~entry])
        assert caught.value.details[0].canonical_code == fy.GRPCStatusCode.PERMISSION_DENIED


async def test_a_backup_cannot_write_and_takes_over(target: Target, tmp_path: Path) -> None:
    async with client(tmp_path, 20) as first:
        async with client(tmp_path, 10) as second:
            assert (first.is_primary, second.is_primary) == (True, False)
            with pytest.raises(fy.P4ClientError) as caught:
                await second.write([+rule(1)])
            assert caught.value.code == fy.GRPCStatusCode.PERMISSION_DENIED
            await first.write([+rule(1)])
        await first.write([+rule(2)])
    async with client(tmp_path, 20) as again:
        assert len(await read(again, fy.P4TableEntry("flow_rules"))) == 2


async def test_a_barrier_comes_back(target: Target, tmp_path: Path) -> None:
    """Packets from the controller and to it keep their order."""
    count = 500
    async with client(tmp_path) as switch, asyncio.timeout(_WAIT_S):
        packets = switch.read_packets(queue_size=2 * count)
        arrival = asyncio.ensure_future(anext(packets))
        await asyncio.sleep(0)  # the client listens from its first step on
        fields = {"kind": p4.PACKET_OUT_BARRIER, "instance": 0, "egress_port": 0, "pad": 0}
        for number in range(count):
            await switch.write([fy.P4PacketOut(bytes(60), **fields, migration=number)])
        found = [await arrival] + [await anext(packets) for _ in range(count - 1)]
    assert [each["migration"] for each in found] == list(range(count))
    assert {each["reason"] for each in found} == {p4.PACKET_IN_BARRIER}
    assert {each["ingress_port"] for each in found} == {p4.CPU_PORT}
    assert {each.payload for each in found} == {bytes(60)}


async def test_an_idle_entry_is_reported(target: Target, tmp_path: Path) -> None:
    async with client(tmp_path) as switch, asyncio.timeout(_WAIT_S):
        listening: Any = switch.read_idle_timeouts()
        arrival = asyncio.ensure_future(anext(listening))
        await asyncio.sleep(0)  # the client listens from its first step on
        began = time.monotonic()
        await switch.write([+rule(1, idle_timeout_ns=300_000_000), +rule(2)])
        notification = await arrival
        assert time.monotonic() - began >= 0.3
        assert [each.match["low_address"] for each in notification.table_entry] == [1]


async def test_counters(target: Target, tmp_path: Path) -> None:
    async with client(tmp_path) as switch:
        three = fy.P4CounterData(packet_count=3)
        await switch.write([fy.P4CounterEntry("drops", index=2, data=three)])
        found = await read(switch, fy.P4CounterEntry("drops"))
        assert [each.packet_count for each in found] == [0, 0, 3, 0, 0, 0, 0]
        await switch.write([+rule(1)])
        (found,) = await read(
            switch, fy.P4TableEntry("flow_rules", counter_data=fy.P4CounterData())
        )
        assert found.counter_data == fy.P4CounterData()


async def test_registers(target: Target, tmp_path: Path) -> None:
    if target.name == "simple_switch":
        pytest.skip("simple_switch_grpc answers UNIMPLEMENTED to register entries")
    async with client(tmp_path) as switch:
        largest = (1 << 56) - 1
        await switch.write([
            fy.P4RegisterEntry("way_0.fit_low", index=0, data=1),
            fy.P4RegisterEntry("way_0.fit_low", index=8191, data=largest),
        ])  # fmt: skip
        (one,) = await read(switch, fy.P4RegisterEntry("way_0.fit_low", index=8191))
        assert one.data == largest
        cells = await read(switch, fy.P4RegisterEntry("way_0.fit_low"))
        assert [each.index for each in cells] == list(range(8192))
        assert [each.data for each in cells] == [1] + [0] * 8190 + [largest]
        assert len(await read(switch, fy.P4RegisterEntry("affinity_0"))) == 65536


# --- ports -----------------------------------------------------------------------


@pytest.fixture
def wire() -> Iterator[tuple[NetworkNamespace, NetworkNamespace]]:
    """A namespace for a switch with interface `port1`, one for a host with `eth0`."""
    try:
        ends = NetworkNamespace("switch"), NetworkNamespace("host")
    except PermissionError:
        pytest.skip("needs a sandbox: python -m testbed.sandbox pytest …")
    for end in ends:
        bring_up_loopback(end)
    connect(
        LinkEnd(namespace=ends[0], interface="port1"), LinkEnd(namespace=ends[1], interface="eth0")
    )
    yield ends
    for end in ends:
        end.close()


async def test_a_packet_out_leaves_by_its_port_in_bursts(
    name: str, tmp_path: Path, wire: tuple[NetworkNamespace, NetworkNamespace]
) -> None:
    """Many more than an egress queue holds by default: none is lost, none overtakes."""
    count = 3000
    switch_side, host_side = wire
    target = targets.create(name, options(tmp_path, ports={1: "port1"}))
    with switch_side.entered():
        target.start()
    try:
        capture = Capture(host_side, "eth0")
        async with client(tmp_path) as switch:
            fields = {"kind": p4.PACKET_OUT_PORT, "instance": 0, "egress_port": 1}
            for number in range(count):
                frame = bytes(12) + b"\x88\xb5" + number.to_bytes(4, "big") + bytes(42)
                await switch.write([fy.P4PacketOut(frame, **fields, pad=0, migration=0)])
            async with asyncio.timeout(_WAIT_S):
                while capture.count < count:
                    await asyncio.sleep(0.01)
                    capture.drain()
        heads = capture.close().head
        arrived = [bytes(head[14:18]) for head in heads if bytes(head[12:14]) == b"\x88\xb5"]
        assert arrived == [number.to_bytes(4, "big") for number in range(count)]
    finally:
        target.stop()
