"""An instance as a process, on a live link.

Run inside a sandbox: python -m testbed.sandbox pytest tests/integration/test_nf_port.py
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from pyroute2 import IPRoute
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from nf.southbound import southbound_pb2 as pb
from nf.southbound.client import InstanceClient
from nf.southbound.flow import ALL_BUCKETS, FiveTuple
from nf.southbound.inband import BOUNCE_MAC, build_marker
from testbed.child import Child
from testbed.link import LinkEnd, connect, silence
from testbed.namespace import NetworkNamespace

DOCS = Path(__file__).parents[2] / "docs" / "network-functions.md"
LOW, HIGH = "10.0.1.10", "10.0.2.10"
ETHER = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")
_ETH_P_ALL = 0x0003
_SOL_PACKET, _PACKET_AUXDATA, _PACKET_IGNORE_OUTGOING = 263, 8, 23
_STATUS_VLAN_VALID = 0x10


def segment(port: int, flags: str = "A", payload: bytes = b"") -> bytes:
    layers = IP(src=LOW, dst=HIGH) / TCP(sport=port, dport=80, flags=flags)
    return bytes(ETHER / layers / Raw(payload))


def flow(port: int) -> FiveTuple:
    return FiveTuple.of(int(IPv4Address(LOW)), int(IPv4Address(HIGH)), port, 80, 6)


@dataclass
class Bed:
    """A link: the test at one end, an instance, when it is started, at the other."""

    near: NetworkNamespace
    far: NetworkNamespace
    wire: socket.socket
    directory: Path

    @property
    def address(self) -> str:
        return f"unix:{self.directory}/nf1"

    def start(self, *options: str, function: str = "asset-monitor") -> Child:
        command = [sys.executable, "-m", "nf", "run", function, "--name", "nf1"]
        where = ["--interface", "eth0", "--listen", self.address]
        return Child(
            "nf1", [*command, *where, *options], namespace=self.far, log_file=self.directory / "log"
        )

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.wire.send(frame)

    def receive(self, count: int) -> list[bytes]:
        """The next frames that come back. Raises TimeoutError."""
        return [self._receive() for _ in range(count)]

    def _receive(self) -> bytes:
        frame, ancillary, _, _ = self.wire.recvmsg(1 << 16, 64)
        for _, kind, data in ancillary:
            # A VLAN tag comes beside the frame (struct tpacket_auxdata).
            status, tag, tag_type = struct.unpack("I12xHH", data)
            if kind == _PACKET_AUXDATA and status & _STATUS_VLAN_VALID:
                return frame[:12] + struct.pack("!HH", tag_type, tag) + frame[12:]
        return frame

    def set_link(self, state: str) -> None:
        """Takes the instance's end of the link `up` or `down`."""
        with self.far.entered(), IPRoute() as netlink:
            index = next(iter(netlink.link_lookup(ifname="eth0")))
            netlink.link("set", index=index, state=state)


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    try:
        near, far = NetworkNamespace("near"), NetworkNamespace("far")
    except PermissionError:
        pytest.skip("needs a sandbox: python -m testbed.sandbox pytest …")
    for namespace in (near, far):
        silence(namespace)
    connect(LinkEnd(namespace=near, interface="eth0"), LinkEnd(namespace=far, interface="eth0"))
    with near.entered():
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    with wire:
        wire.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        wire.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        wire.bind(("eth0", _ETH_P_ALL))
        wire.settimeout(5)
        yield Bed(near, far, wire, tmp_path)
    near.close()
    far.close()


@contextlib.asynccontextmanager
async def running(bed: Bed, *options: str) -> AsyncGenerator[InstanceClient]:
    child = bed.start(*options)
    try:
        async with InstanceClient("nf1", bed.address) as client:
            await client.wait_until_ready(20)
            yield client
    finally:
        child.stop()


@pytest.fixture
async def nf1(bed: Bed) -> AsyncIterator[InstanceClient]:
    async with running(bed) as client:
        yield client


async def load_when(client: InstanceClient, is_true: Callable[[pb.Load], bool]) -> pb.Load:
    """The load, when it is as expected."""
    deadline_s = time.monotonic() + 10
    while True:
        load = await client.get_load()
        if is_true(load):
            return load
        assert time.monotonic() < deadline_s, load
        await asyncio.sleep(0.005)


FRAMES = {
    "tcp": segment(1, "S"),
    "as long as the link allows": segment(1, payload=bytes(1460)),
    "udp": bytes(ETHER / IP(src=HIGH, dst=LOW) / UDP(sport=53, dport=9) / Raw(b"answer")),
    "fragment": bytes(ETHER / IP(src=LOW, dst=HIGH, frag=9, proto=6) / Raw(bytes(100))),
    "padded": segment(1) + bytes(6),
    "arp": bytes(ETHER / ARP()),
    "802.1Q": bytes(ETHER / Dot1Q(vlan=5, prio=3) / IP(src=LOW, dst=HIGH) / TCP()),
    "IPv6": bytes(ETHER) + b"\x86\xdd" + bytes(46),
    "malformed": segment(1)[:40],
    "another's marker": bytes(ETHER)[:12] + b"\x88\xb5" + bytes(46),
}
INSPECTED = {"tcp", "as long as the link allows", "udp", "fragment", "padded"}


@pytest.mark.parametrize("case", FRAMES)
async def test_a_frame_comes_back_as_it_was(case: str, bed: Bed, nf1: InstanceClient) -> None:
    bed.send(FRAMES[case])
    assert bed.receive(1) == [FRAMES[case]]
    load = await load_when(nf1, lambda load: load.returned == 1)
    assert load.uninspected == (case not in INSPECTED)
    assert (load.packets, load.bytes) == (1, len(FRAMES[case]))
    assert load.flows == (case in INSPECTED)


async def test_a_burst_comes_back_whole_and_in_order(bed: Bed, nf1: InstanceClient) -> None:
    count, burst = 20_000, 100
    templates = [segment(port, payload=bytes(4))[:-4] for port in range(50)]
    frames = [templates[i % 50] + struct.pack("!I", i) for i in range(count)]
    for first in range(0, count, burst):
        bed.send(*frames[first : first + burst])
        assert bed.receive(burst) == frames[first : first + burst]
    load = await nf1.get_load()
    assert (load.packets, load.returned, load.dropped, load.unsent) == (count, count, 0, 0)
    assert load.flows == 50


async def test_a_burst_that_nobody_reads_waits_in_the_ring(bed: Bed) -> None:
    child = bed.start()
    try:
        async with InstanceClient("nf1", bed.address) as client:
            await client.wait_until_ready(20)
            os.kill(child.pid, signal.SIGSTOP)
            bed.send(*[segment(port) for port in range(100)] * 80)
            os.kill(child.pid, signal.SIGCONT)
            load = await load_when(client, lambda load: load.packets == 8000)
            assert load.dropped == 0
    finally:
        child.stop()


async def test_what_the_ring_cannot_take_is_counted(bed: Bed) -> None:
    child = bed.start("--ring-mib", "1")
    try:
        async with InstanceClient("nf1", bed.address) as client:
            await client.wait_until_ready(20)
            os.kill(child.pid, signal.SIGSTOP)
            bed.send(*[segment(port) for port in range(100)] * 20)
            os.kill(child.pid, signal.SIGCONT)
            load = await load_when(client, lambda load: load.packets + load.dropped == 2000)
            assert load.packets == 512  # of 2 KiB
    finally:
        child.stop()


async def test_a_marker_is_swallowed_when_all_before_it_is_done(
    bed: Bed, nf1: InstanceClient
) -> None:
    bed.send(*(segment(7) for _ in range(100)), build_marker(5), segment(8))
    chunks = [chunk async for chunk in nf1.get_perflow([flow(7)], marker=5)]
    assert [chunk.absent for chunk in chunks] == [False]
    summaries = {summary.flow: summary for summary in await nf1.list_flows()}
    assert summaries[flow(7)].packets == 100
    assert bed.receive(101) == [segment(7)] * 100 + [segment(8)]
    load = await nf1.get_load()
    assert (load.packets, load.returned, load.markers) == (102, 101, 1)


async def test_unknown_flows_are_bounced(bed: Bed, nf1: InstanceClient) -> None:
    bed.send(segment(1, "S"))
    bed.receive(1)
    await nf1.set_no_new_state(True, ALL_BUCKETS)
    full = segment(2, payload=bytes(1460))
    bed.send(segment(1), full, segment(3, "S"))
    assert bed.receive(3) == [
        segment(1),
        BOUNCE_MAC + full[6:],
        BOUNCE_MAC + segment(3, "S")[6:],
    ]
    load = await nf1.get_load()
    assert (load.bounced, load.returned, load.flows) == (2, 4, 1)


async def test_ended_and_idle_flows_expire(bed: Bed) -> None:
    async with running(bed, "--linger-s", "0.1", "--other-idle-timeout-s", "0.5") as nf1:
        bed.send(segment(1), segment(2, "S"), segment(2, "R"), FRAMES["udp"])
        load = await load_when(nf1, lambda load: load.flows_expired == 2)
        assert (load.flows, load.flows_created) == (1, 3)
        assert [summary.flow for summary in await nf1.list_flows()] == [flow(1)]


async def test_an_interface_that_goes_down_and_up_again(bed: Bed, nf1: InstanceClient) -> None:
    for state in ("down", "up"):
        await asyncio.to_thread(bed.set_link, state)
        await nf1.get_info()
    deadline_s = time.monotonic() + 10
    while True:  # the carrier takes a moment to come back
        with contextlib.suppress(OSError):
            bed.send(segment(1))
            bed.wire.settimeout(0.1)
            if bed.receive(1) == [segment(1)]:
                break
        assert time.monotonic() < deadline_s
    cpu_before = (await nf1.get_load()).cpu_seconds
    await asyncio.sleep(0.3)
    assert (await nf1.get_load()).cpu_seconds - cpu_before < 0.1  # it does not spin


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_cleanly(number: signal.Signals, bed: Bed) -> None:
    child = bed.start()
    async with InstanceClient("nf1", bed.address) as client:
        await client.wait_until_ready(20)
        bed.send(*(segment(port) for port in range(100)))
        waiting = client.get_perflow([flow(1)], marker=1)
        await client.get_info()
        os.kill(child.pid, number)
        assert child.wait(10) == 0
        await waiting.aclose()
    assert not (bed.directory / "nf1").exists()
    assert "Traceback" not in (bed.directory / "log").read_text()


async def test_the_function_of_the_documentation(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    match = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert match is not None
    (bed.directory / "pauses.py").write_text(match[1])
    monkeypatch.setenv("PYTHONPATH", str(bed.directory))
    child = bed.start(function="pauses:PauseMonitor")
    try:
        async with InstanceClient("nf1", bed.address) as client:
            assert (await client.wait_until_ready(20)).function == "pause-monitor"
            bed.send(segment(1), segment(1))
            assert bed.receive(2) == [segment(1)] * 2
            (chunk,) = [chunk async for chunk in client.get_perflow([flow(1)])]
            async with client.open_put() as puts:
                await client.delete_perflow([flow(1)])
                await puts.put(chunk)
            (summary,) = await client.list_flows()
            assert (summary.flow, summary.packets) == (flow(1), 2)
    finally:
        child.stop()


def run_nf(bed: Bed, *arguments: str) -> tuple[int, str]:
    with bed.far.entered():
        done = subprocess.run(
            [sys.executable, "-m", "nf", *arguments], capture_output=True, text=True, timeout=60
        )
    return done.returncode, done.stderr.strip()


ERRORS = {
    "no interface": (("--interface", "eth7"), 1, "nf nf1: eth7: no such interface"),
    "name too long": (("--interface", "e" * 16), 1, f"nf nf1: {'e' * 16}: no such interface"),
    "no directory": (
        ("--listen", "unix:/none/nf1"),
        1,
        "nf nf1: cannot listen on unix:/none/nf1: no such directory",
    ),
    "no log": (("--log-file", "/none/log"), 1, "nf nf1: /none/log: No such file or directory"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_cannot_run_says_so_in_one_line(case: str, bed: Bed) -> None:
    options, code, line = ERRORS[case]
    base = ("asset-monitor", "--name", "nf1", "--interface", "eth0", "--listen", bed.address)
    assert run_nf(bed, "run", *base, *options) == (code, line)


async def test_an_address_in_use(bed: Bed, nf1: InstanceClient) -> None:
    base = ("asset-monitor", "--name", "nf2", "--interface", "eth0", "--listen", bed.address)
    assert run_nf(bed, "run", *base) == (
        1,
        f"nf nf2: cannot listen on {bed.address}: another process does",
    )
    await nf1.get_info()
