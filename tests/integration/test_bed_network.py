"""Links, captures and load, across a plain Linux router in the place of the switch.

Run inside a sandbox: python -m testbed.sandbox pytest tests/integration/test_bed_network.py
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from testbed.accounting import account, ipv4_only
from testbed.capture import Capture
from testbed.child import BedError, Child
from testbed.link import LinkEnd, add_default_route, bring_up_loopback, connect, silence
from testbed.load.options import ECHO_PORT, LoadOptions
from testbed.load.record import LoadRecord
from testbed.namespace import NetworkNamespace

CLIENT, SERVER = IPv4Interface("10.0.1.10/24"), IPv4Interface("10.0.2.10/24")


@dataclass(frozen=True)
class Network:
    client: NetworkNamespace
    server: NetworkNamespace
    router: NetworkNamespace


@pytest.fixture
def network() -> Iterator[Network]:
    try:
        made = Network(*(NetworkNamespace(name) for name in ("client", "server", "router")))
    except PermissionError:
        pytest.skip("needs a sandbox: python -m testbed.sandbox pytest …")
    for each in (made.client, made.server, made.router):
        silence(each)
        bring_up_loopback(each)
    for host, interface, address in (
        (made.client, "to-client", CLIENT),
        (made.server, "to-server", SERVER),
    ):
        gateway = address.network[1]
        connect(
            LinkEnd(
                namespace=made.router,
                interface=interface,
                address=IPv4Interface(f"{gateway}/{address.network.prefixlen}"),
            ),
            LinkEnd(namespace=host, interface="eth0", address=address),
        )
        add_default_route(host, IPv4Address(gateway))
    assert made.router.write_sysctl("net/ipv4/ip_forward", "1")
    yield made
    for each in (made.client, made.server, made.router):
        each.close()


def send_datagrams(network: Network, count: int, port: int = ECHO_PORT) -> None:
    """Sends numbered datagrams to the server, where they arrive."""
    with network.server.entered():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with network.client.entered():
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server, client:
        server.settimeout(5)
        server.bind((str(SERVER.ip), port))
        for number in range(count):
            client.sendto(number.to_bytes(8, "big"), (str(SERVER.ip), port))
            assert server.recv(64) == number.to_bytes(8, "big")


def test_every_packet_is_captured_and_accounted_for(network: Network) -> None:
    entering = Capture(network.router, "to-client")
    leaving = Capture(network.server, "eth0")
    send_datagrams(network, 500)
    entered, left = entering.close(), leaving.close()
    assert (entering.overflow, leaving.overflow) == (0, 0)
    result = account(entered, left)
    assert result.clean
    assert (result.entered, result.left, result.reordered) == (500, 500, 0)
    assert (result.delay_ns > 0).all()
    assert (ipv4_only(entered).length == 14 + 20 + 8 + 8).all()


def test_a_packet_that_is_dropped_on_the_way_is_found(network: Network) -> None:
    entering, leaving = Capture(network.router, "to-client"), Capture(network.server, "eth0")
    send_datagrams(network, 20)
    network.router.write_sysctl("net/ipv4/ip_forward", "0")
    with network.client.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _ in range(3):
            client.sendto(b"lost", (str(SERVER.ip), ECHO_PORT))
    network.router.write_sysctl("net/ipv4/ip_forward", "1")
    send_datagrams(network, 20)
    result = account(entering.close(), leaving.close())
    assert (result.entered, result.left, result.lost) == (43, 40, 3)


def test_a_ring_that_is_drained_in_time_holds_any_number(network: Network) -> None:
    capture = Capture(network.server, "eth0", ring_bytes=1 << 20)
    for _ in range(4):
        send_datagrams(network, 5000)
        capture.drain()
    packets = ipv4_only(capture.close())
    assert capture.overflow == 0
    assert len(packets) == 20_000
    assert (packets.time_ns[1:] >= packets.time_ns[:-1]).all()


def test_a_ring_that_overflows_says_so(network: Network) -> None:
    capture = Capture(network.server, "eth0", ring_bytes=1 << 20)
    send_datagrams(network, 10_000)
    packets = capture.close()
    assert capture.overflow > 0
    assert len(packets) + capture.overflow >= 10_000


def test_segments_are_no_longer_than_the_wire_allows(network: Network) -> None:
    capture = Capture(network.server, "eth0")
    with network.server.entered():
        listener = socket.create_server((str(SERVER.ip), 80))
    with network.client.entered():
        client = socket.create_connection((str(SERVER.ip), 80), timeout=5)
    with listener, client:
        accepted, _ = listener.accept()
        with accepted:
            client.sendall(bytes(100_000))
            client.shutdown(socket.SHUT_WR)
            while accepted.recv(1 << 16):
                pass
    assert 1400 < capture.close().length.max() <= 1514


def run_load(network: Network, directory: Path, *arguments: str) -> tuple[Child, Child]:
    base = [sys.executable, "-m", "testbed.load"]
    common = ["--server", str(SERVER.ip), *LoadOptions(seed=5, scale=0.002).arguments()]
    server = Child(
        "server",
        [*base, "server", *common, "--status", str(directory / "server")],
        namespace=network.server,
        log_file=directory / "server.log",
    )
    server.wait_until((directory / "server").exists, 10)
    written = ("--status", str(directory / "client"), "--result", str(directory / "result"))
    client = Child(
        "client",
        [*base, "client", *common, *written, *arguments],
        namespace=network.client,
        log_file=directory / "client.log",
    )
    return server, client


def test_a_load_is_verified_flow_by_flow(network: Network, tmp_path: Path) -> None:
    server, client = run_load(network, tmp_path, "--duration", "1.5")
    assert client.wait(20) == 0
    server.stop()
    record = LoadRecord.read(tmp_path / "result")
    assert len(record.flows) > 400
    assert record.count("done") + record.count("cut") == len(record.flows)
    assert any(flow.reverse for flow in record.flows if flow.outcome == "done")
    for flow in record.flows:
        if flow.outcome == "done":
            assert flow.received == flow.size
            assert flow.started < flow.connected < flow.finished
    assert [witness.lost for witness in record.witnesses] == [0] * 8
    assert all(witness.sent > 20 for witness in record.witnesses)


def test_the_load_is_the_same_for_the_same_seed(network: Network, tmp_path: Path) -> None:
    sizes: list[list[int]] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        server, client = run_load(network, tmp_path / name, "--duration", "0.5")
        assert client.wait(20) == 0
        server.stop()
        sizes.append([flow.size for flow in LoadRecord.read(tmp_path / name / "result").flows])
    assert sizes[0] == sizes[1]


def test_a_network_that_breaks_shows_in_the_records(network: Network, tmp_path: Path) -> None:
    server, client = run_load(network, tmp_path, "--duration", "60", "--grace-s", "1")
    client.wait_until((tmp_path / "client").exists, 10)
    server.stop()  # its connections are reset
    with pytest.raises(BedError, match="server has ended"):
        server.check()
    client.wait_until(lambda: json.loads((tmp_path / "client").read_text())["errors"] >= 100, 10)
    client.stop(10)
    record = LoadRecord.read(tmp_path / "result")
    assert record.count("reset") + record.count("refused") > 0
    assert all(witness.lost for witness in record.witnesses)


def test_the_cpu_time_of_a_child_is_counted(network: Network, tmp_path: Path) -> None:
    spin = "import time\nwhile time.process_time() < 0.3: pass\ntime.sleep(60)"
    child = Child(
        "spin",
        [sys.executable, "-c", spin],
        namespace=network.client,
        log_file=tmp_path / "log",
    )
    child.wait_until(lambda: child.cpu_s() >= 0.2, 20)
    assert child.cpu_s() < 2
    child.stop()
    assert child.cpu_s() == 0


def test_a_child_that_does_not_listen_is_ended_by_force(network: Network, tmp_path: Path) -> None:
    script = "trap '' TERM; echo deaf; while :; do sleep 1; done"
    child = Child("deaf", ["sh", "-c", script], namespace=network.client, log_file=tmp_path / "log")
    child.wait_until(lambda: (tmp_path / "log").read_text() == "deaf\n", 10)
    begin = time.monotonic()
    child.stop(0.2)
    assert time.monotonic() - begin < 5
    assert child.exit_code == -9


def test_a_child_that_fails_is_quoted(network: Network, tmp_path: Path) -> None:
    child = Child(
        "broken",
        ["sh", "-c", "echo first; echo no such thing >&2; exit 3"],
        namespace=network.client,
        log_file=tmp_path / "log",
    )
    with pytest.raises(BedError, match="broken has ended: no such thing"):
        child.wait_until(lambda: False, 5)


def test_a_command_that_does_not_exist_is_named(network: Network, tmp_path: Path) -> None:
    with pytest.raises(BedError, match="none: cannot start /none: No such file"):
        Child("none", ["/none"], namespace=network.client, log_file=tmp_path / "log")
