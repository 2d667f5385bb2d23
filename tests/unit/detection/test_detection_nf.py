"""Bytes that the instances count, in the place of the switch.

Run: pytest tests/unit/detection/test_detection_nf.py
"""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from fit_model import FitModel, Packet

from controlplane.detection.choice import Choice, DetectionError, DetectorName, Edm, Settings
from controlplane.detection.filter_api import ElephantDetector
from controlplane.detection.monitor import FlowMonitor
from controlplane.detection.nf_monitor import NfMonitor
from controlplane.detection.registry import complete
from nf.southbound.client import FlowListing, FlowSummary, SouthboundError
from nf.southbound.flow import FiveTuple

WINDOW_US = 100_000


def flow(number: int) -> FiveTuple:
    return FiveTuple(number, 99, 1000, 80, 6)


class Instance:
    """Has the flows that it is told to have."""

    def __init__(self, *flows: FlowSummary, cpu_s: float = 0.002) -> None:
        self.flows = list(flows)
        self.cpu_s = cpu_s
        self.calls = 0

    async def count_flows(self) -> FlowListing:
        self.calls += 1
        return FlowListing(list(self.flows), self.cpu_s)

    def send(self, flow: FiveTuple, size: int) -> None:
        self.flows = [
            each._replace(bytes=each.bytes + size) if each.flow == flow else each
            for each in self.flows
        ]


class Down:
    async def count_flows(self) -> FlowListing:
        raise SouthboundError("nf2", "does not answer", down=True)


def summary(number: int, size: int, idle_s: float = 0.0, *, ended: bool = False) -> FlowSummary:
    return FlowSummary(flow(number), 1, size, idle_s, ended)


async def test_the_active_flows_of_one_and_of_all() -> None:
    one = Instance(summary(1, 10), summary(2, 20, 0.1, ended=True), summary(3, 30, 0.101))
    other = Instance(summary(4, 40, 0.05), cpu_s=0.001)
    monitor = NfMonitor({1: one, 2: other}, WINDOW_US, clock=lambda: 3.0)
    everywhere = await monitor.read()
    assert everywhere.flows.five_tuples() == (flow(1), flow(2), flow(4))
    assert everywhere.flows.bytes.tolist() == [10, 20, 40]
    assert everywhere.flows.instance.tolist() == [1, 1, 2]
    assert everywhere.flows.idle_us.tolist() == [0, 100_000, 50_000]
    assert everywhere.flows.ended.tolist() == [False, True, False]
    assert (everywhere.now_us, everywhere.overflow) == (3_000_000, 0)
    assert everywhere.nf_cpu_s == pytest.approx(0.003)
    assert (await monitor.read(2)).flows.five_tuples() == (flow(4),)
    assert (one.calls, other.calls) == (1, 2)


async def test_an_instance_without_flows() -> None:
    snapshot = await NfMonitor({1: Instance()}, WINDOW_US).read()
    assert len(snapshot.flows) == 0
    assert snapshot.flows.ended.dtype == np.bool_
    assert snapshot.flows.five_tuples() == ()


async def test_one_that_is_down_is_said_where_it_is_asked() -> None:
    monitor = NfMonitor({1: Instance(summary(1, 10)), 2: Down()}, WINDOW_US)
    assert len((await monitor.read(1)).flows) == 1
    for instance in (2, None):
        with pytest.raises(SouthboundError, match="nf2: does not answer"):
            await monitor.read(instance)


async def test_each_move_says_who_counts() -> None:
    switch = FitModel(WINDOW_US)
    switch.count(Packet(flow(1), 1_000, 500))
    nf = Instance(summary(2, 700), summary(3, 100))
    detector = ElephantDetector(
        FlowMonitor(switch, switch, WINDOW_US),
        Settings(rho=0.5),
        counting_nfs=NfMonitor({1: nf}, WINDOW_US),
    )
    by_switch = await detector.filter_channel(None)
    assert (by_switch.flows, by_switch.choice.edm) == ((flow(1),), Edm.SWITCH)
    assert (by_switch.nf_cpu_s, nf.calls) == (None, 0)
    by_nf = await detector.filter_channel(1, await detector.rule(Choice(edm=Edm.NF)))
    assert (by_nf.flows, by_nf.choice.edm) == ((flow(2),), Edm.NF)
    assert (by_nf.active_flows, by_nf.live_bytes) == (2, 800)
    assert by_nf.nf_cpu_s == pytest.approx(0.002)


async def test_rates_come_from_two_lists() -> None:
    nf = Instance(summary(1, 1000), summary(2, 1000))
    switch = FitModel(WINDOW_US)
    monitor = NfMonitor({1: nf}, WINDOW_US)
    detector = ElephantDetector(
        FlowMonitor(switch, switch, WINDOW_US), Settings(edm=Edm.NF), counting_nfs=monitor
    )
    looking = asyncio.create_task(detector.look(1))
    while not nf.calls:  # noqa: ASYNC110 - the instance has no event for it
        await asyncio.sleep(0)
    nf.send(flow(2), 50_000)
    seen = await looking
    assert seen.bytes_per_s[0] == 0
    assert 0 < seen.bytes_per_s[1] <= 50_000 / (WINDOW_US / 1e6)
    assert seen.nf_cpu_s == pytest.approx(0.004)


async def test_without_instances_it_is_refused() -> None:
    switch = FitModel(WINDOW_US)
    detector = ElephantDetector(FlowMonitor(switch, switch, WINDOW_US))
    with pytest.raises(DetectionError, match="no instances that could be asked"):
        await detector.filter_channel(None, await detector.rule(Choice(edm=Edm.NF)))


@pytest.mark.parametrize("name", DetectorName)
def test_any_detector_takes_either(name: DetectorName) -> None:
    settled = complete(Choice(detector=name, edm=Edm.NF), Settings())
    assert settled.edm is Edm.NF
    assert settled.described().endswith("counted by the NF")
    assert complete(Choice(detector=name), Settings(edm=Edm.NF)) == settled
    assert complete(Choice(detector=name), Settings()).edm is Edm.SWITCH
