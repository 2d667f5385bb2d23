"""Functions by name, the one of the docs, and faults. Run: pytest FILE"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from nf_frames import ACK, FLOW, SilentPort, tcp
from typer.testing import CliRunner

from nf.asset_monitor.connection import Connection
from nf.asset_monitor.monitor import AssetMonitor
from nf.cli import app
from nf.functions import AnyFunction, UnknownFunctionError, create
from nf.runtime.flow_table import FlowTable, FlowTableOptions
from nf.runtime.instance import Instance
from nf.runtime.packet_ring import PacketRing, PacketRingError
from nf.southbound import southbound_pb2 as pb
from nf.southbound.packet import Packet

DOCS = Path(__file__).parents[3] / "docs" / "network-functions.md"
RUN = ["--name", "nf1", "--interface", "eth0", "--listen", "unix:/nowhere/nf1"]


def test_a_function_by_its_name() -> None:
    assert isinstance(create("asset-monitor"), AssetMonitor)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("firewall", "no function 'firewall': there is asset-monitor, or module:Class"),
        ("nowhere:Function", "cannot import nowhere: No module named 'nowhere'"),
        ("nf.southbound.packet:Packet", "nf.southbound.packet:Packet is no network function"),
        ("nf.southbound.packet:Nothing", "nf.southbound.packet:Nothing is no network function"),
        ("nf.runtime.function:NetworkFunction", "is no network function"),
    ],
)
def test_what_is_no_function(name: str, reason: str) -> None:
    with pytest.raises(UnknownFunctionError, match=reason):
        create(name)


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AnyFunction:
    """The function that the documentation shows."""
    match = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert match is not None
    (tmp_path / "pauses.py").write_text(match[1])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pauses", raising=False)
    return create("pauses:PauseMonitor")


def see(table: FlowTable[Any], function: AnyFunction, at_us: int) -> None:
    packet = Packet()
    assert packet.read(memoryview(tcp(ACK)))
    state = table.state_for(packet, at_us)
    assert state is not None
    table.count(packet, state, at_us)
    function.process(packet, state, at_us)


def test_the_function_of_the_documentation(documented: AnyFunction) -> None:
    source = FlowTable(documented, FlowTableOptions())
    destination = FlowTable(documented, FlowTableOptions())
    for at_us in (1000, 1500, 4000, 4100):
        see(source, documented, at_us)
    destination.put(source.export(FLOW), 4200)
    see(destination, documented, 6000)
    state = destination.get(FLOW)
    assert state is not None
    assert (state.longest_us, state.packets) == (2500, 5)
    see(destination, documented, 9000)
    assert state.longest_us == 3000


class Faulty(AssetMonitor):
    """Fails on every packet."""

    def process(self, packet: Packet, state: Connection, now_us: int) -> None:
        raise RuntimeError("a fault")


def test_a_fault_of_the_function_costs_no_packet(caplog: pytest.LogCaptureFixture) -> None:
    instance = Instance("nf1", Faulty(), SilentPort(), FlowTableOptions())
    frame = tcp(ACK)
    for _ in range(30):
        assert instance.handle(memoryview(frame), 0)
    assert frame == tcp(ACK)
    assert instance.faults == 30
    assert len(caplog.records) == 10
    assert f"asset-monitor failed on a packet of {FLOW}" in caplog.text


def test_a_full_table_sends_packets_back_unprocessed() -> None:
    instance = Instance("nf1", AssetMonitor(), SilentPort(), FlowTableOptions(max_flows=1))
    other = tcp(ACK, flow=FLOW._replace(low_port=1))
    assert instance.handle(memoryview(tcp(ACK)), 0)
    assert instance.handle(memoryview(other), 0)
    assert other == tcp(ACK, flow=FLOW._replace(low_port=1))
    assert (instance.uninspected, instance.bounced, len(instance.table)) == (1, 0, 1)


def test_raw_sockets_that_are_not_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("nf.runtime.packet_ring.socket.socket", refuse)
    with pytest.raises(PacketRingError, match="eth0: not permitted to open raw sockets: run as"):
        PacketRing("eth0")


def test_functions_are_listed() -> None:
    result = CliRunner().invoke(app, ["list"])
    assert result.exit_code == 0
    assert result.output.startswith("asset-monitor  Watches connections")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "firewall", *RUN], "no function 'firewall'"),
        (["run", "asset-monitor"], "Missing option '--name'"),
        (["run", "asset-monitor", *RUN, "--linger-s", "-1"], "--linger-s"),
        (["run", "asset-monitor", *RUN, "--speed", "1"], "No such option"),
        (["fly"], "No such command 'fly'"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_the_documentation_names_every_call() -> None:
    calls = pb.DESCRIPTOR.services_by_name["NetworkFunction"].methods_by_name
    assert [call for call in calls if f"| `{call}` |" not in DOCS.read_text()] == []
