"""Detection on a running switch: its table is that of the model, over the same packets.

Run: pytest tests/integration/test_detection.py
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import pytest_asyncio
from detection_reference import active, check_elephants
from fit_model import ACK, FIN, RST, FitModel, Packet
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from bmv2 import simple_switch, targets
from bmv2.target import SwitchOptions, Target
from controlplane import p4_constants
from controlplane.config import load
from controlplane.detection.filter_api import ElephantDetector
from controlplane.detection.fit import FlowTable
from controlplane.detection.monitor import FlowMonitor
from controlplane.registers.choose import open_reader
from controlplane.switch import entries
from controlplane.switch.entries import Operation, Update
from controlplane.switch.provision import provision
from controlplane.switch.session import SwitchSession
from controlplane.topology import Topology
from nf.southbound.flow import FiveTuple
from testbed import plan
from testbed.bed import P4INFO, PROGRAM
from testbed.link import LinkEnd, bring_up_loopback, connect, silence
from testbed.namespace import NetworkNamespace
from testbed.plan import RunDirectory

WINDOW_US = 60_000_000
"""Long enough for all packets of a test."""
BURST = 50
DEADLINE_S = 30.0


@dataclass
class Bench:
    """A running switch, what is read from it, and two hosts that send into it."""

    target: Target
    session: SwitchSession
    monitor: FlowMonitor
    detector: ElephantDetector
    hosts: dict[str, socket.socket]
    rho: Fraction

    async def play(self, packets: Sequence[Packet]) -> None:
        """Sends packets; returns when the switch has counted all of them."""
        sent = 0
        for start in range(0, len(packets), BURST):
            for packet in packets[start : start + BURST]:
                self._send(packet)
                sent += packet.size
            async with asyncio.timeout(DEADLINE_S):
                while int((await self.monitor.read()).flows.bytes.sum()) != sent:
                    pass

    def _send(self, packet: Packet) -> None:
        flow = packet.flow
        ends = [(flow.low_address, flow.low_port), (flow.high_address, flow.high_port)]
        if not packet.from_low:
            ends.reverse()
        (source, source_port), (destination, destination_port) = ends
        ports = {"sport": source_port, "dport": destination_port}
        transport = TCP(flags=packet.flags, **ports) if flow.protocol == 6 else UDP(**ports)
        address = {"src": str(IPv4Address(source)), "dst": str(IPv4Address(destination))}
        frame = bytes(Ether(dst=plan.GATEWAY_MAC) / IP(**address) / transport)
        padding = bytes(packet.size - len(frame))
        frame = bytes(Ether(dst=plan.GATEWAY_MAC) / IP(**address) / transport / padding)
        from_client = IPv4Address(source) in plan.CLIENT.address.network
        self.hosts["client" if from_client else "server"].send(frame)


@pytest.fixture(params=["embedded", "simple_switch"])
def name(request: pytest.FixtureRequest) -> str:
    if request.param == "simple_switch" and not simple_switch.is_installed():
        pytest.skip("simple_switch_grpc is not on PATH")
    return request.param


@pytest.fixture
def namespaces() -> Iterator[tuple[NetworkNamespace, NetworkNamespace]]:
    """The switch's, and one with the other ends of its ports, each named as its node."""
    try:
        ends = NetworkNamespace("s1"), NetworkNamespace("hosts")
    except PermissionError:
        pytest.skip("needs a sandbox: python -m testbed.sandbox pytest …")
    for namespace in ends:
        silence(namespace)
        bring_up_loopback(namespace)
    for node in (*plan.HOSTS, *plan.INSTANCES):
        connect(
            LinkEnd(namespace=ends[0], interface=plan.PORTS[node.port]),
            LinkEnd(namespace=ends[1], interface=node.name),
        )
    yield ends
    for namespace in ends:
        namespace.close()


@pytest.fixture
def target(
    name: str, tmp_path: Path, namespaces: tuple[NetworkNamespace, NetworkNamespace]
) -> Iterator[Target]:
    options = SwitchOptions(
        program=PROGRAM,
        p4info=P4INFO,
        ports=plan.PORTS,
        cpu_port=p4_constants.CPU_PORT,
        grpc_address=f"unix:{RunDirectory(tmp_path).p4runtime}",
        log_file=tmp_path / "switch.log",
    )
    made = targets.create(name, options)
    with namespaces[0].entered():
        made.start()
    yield made
    made.stop()


@pytest_asyncio.fixture
async def bench(
    target: Target, tmp_path: Path, namespaces: tuple[NetworkNamespace, NetworkNamespace]
) -> AsyncGenerator[Bench]:
    switch_side, host_side = namespaces
    run = RunDirectory(tmp_path)
    text = plan.topology(
        run, program=PROGRAM, p4info=P4INFO, thrift=target.thrift_address, rho=0.35
    )
    window = f"activity_window_ms: {WINDOW_US // 1000}"
    run.topology.write_text(text.replace("activity_window_ms: 100", window))
    config = load(run.topology)
    async with AsyncExitStack() as stack:
        # Thrift is on the loopback of the switch's namespace: the thread that reads goes there.
        inside = switch_side.entered()
        executor = stack.enter_context(ThreadPoolExecutor(1, initializer=inside.__enter__))
        asyncio.get_running_loop().set_default_executor(executor)
        hosts: dict[str, socket.socket] = {}
        for host in plan.HOSTS:
            with host_side.entered():
                end = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
                end.bind((host.name, 0))
            hosts[host.name] = end
        session = await stack.enter_async_context(SwitchSession(config.switch))
        await provision(session, config, Topology(config))
        reader = await open_reader(config.switch, session.program)
        stack.push_async_callback(reader.close)
        monitor = FlowMonitor(reader, session, WINDOW_US)
        detector = ElephantDetector(monitor, config.detection)
        yield Bench(target, session, monitor, detector, hosts, Fraction("0.35"))


def random_flow(draw: random.Random) -> FiveTuple:
    client = int(plan.CLIENT.address.network[draw.randrange(1, 255)])
    server = int(plan.SERVER.address.network[draw.randrange(1, 255)])
    ports = draw.getrandbits(16), draw.getrandbits(16)
    return FiveTuple.of(client, server, *ports, draw.choice((6, 6, 6, 17)))


def random_traffic(seed: int, flow_count: int, packet_count: int) -> list[Packet]:
    """Packets of so many flows, each at one instance; no flow lacks a slot."""
    draw = random.Random(seed)
    model = FitModel(WINDOW_US)
    flows: list[FiveTuple] = []
    while len(flows) < flow_count:
        flow = random_flow(draw)
        if model.count(Packet(flow, 1, 60)):
            flows.append(flow)
    instances = {flow: draw.choice((1, 1, 1, 2)) for flow in flows}
    weights = [draw.paretovariate(1.1) for _ in flows]
    order = flows + draw.choices(flows, weights, k=packet_count - flow_count)
    return [
        Packet(
            flow,
            time_us,
            draw.choice((60, 576, 1514)),
            draw.random() < 0.5,
            draw.choices((ACK, FIN | ACK, RST), (20, 2, 1))[0],
            instances[flow],
        )
        for time_us, flow in enumerate(order, 1)
    ]


def pin(packets: Sequence[Packet]) -> list[Update]:
    """Rules for the flows that are not where their bucket says, at nf1."""
    away = sorted({packet.flow for packet in packets if packet.instance == plan.NF2.number})
    rules = (entries.flow_to_instance(flow, plan.NF2.number) for flow in away)
    return [Update(Operation.INSERT, rule) for rule in rules]


def rows(table: FlowTable) -> dict[FiveTuple, tuple[int, int, bool]]:
    columns = table.bytes.tolist(), table.instance.tolist(), table.ended.tolist()
    return dict(zip(table.five_tuples(), zip(*columns, strict=True), strict=True))


async def test_the_switch_counts_as_the_reference(bench: Bench) -> None:
    packets = random_traffic(seed=11, flow_count=150, packet_count=600)
    await bench.session.write(pin(packets))
    await bench.play(packets)
    snapshot = await bench.monitor.read()
    expected = active(packets, WINDOW_US)
    assert rows(snapshot.flows) == {
        flow: (known.size, known.instance, known.ended) for flow, known in expected.items()
    }
    assert snapshot.overflow == 0
    for instance in (None, 1, 2):
        found = await bench.detector.filter_channel(instance)
        check_elephants(found.flows, expected, instance, bench.rho)
        assert found.flows


async def test_a_thousand_flows_are_active(bench: Bench) -> None:
    packets = random_traffic(seed=12, flow_count=1000, packet_count=2000)
    await bench.session.write(pin(packets))
    await bench.play(packets)
    found = await bench.detector.filter_channel(None)
    assert found.active_flows == 1000
    check_elephants(found.flows, active(packets, WINDOW_US), None, bench.rho)
