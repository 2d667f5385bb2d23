"""Decoding the flow information table, the proportion rule, the switch's clock."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from fit_model import FIN, RST, FitModel, Packet, crc16, slots_of

from controlplane import p4_constants
from controlplane.detection.choice import Choice, Settings
from controlplane.detection.clock import SwitchClock
from controlplane.detection.filter_api import ElephantDetector
from controlplane.detection.fit import LOADS, NAMES, REGISTERS, decode, newest_us
from controlplane.detection.flows import FlowTable
from controlplane.detection.monitor import FlowMonitor
from controlplane.detection.proportion import proportion
from controlplane.registers.reader import Cells, Indices
from nf.southbound.flow import FiveTuple

WINDOW_US = 100_000


def flow(number: int) -> FiveTuple:
    return FiveTuple(number, 99, 1000, 80, 6)


def table(*sizes: int, ended: tuple[int, ...] = ()) -> FlowTable:
    count = len(sizes)
    return FlowTable(
        low_address=np.arange(count),
        high_address=np.full(count, 99),
        low_port=np.full(count, 1000),
        high_port=np.full(count, 80),
        protocol=np.full(count, 6),
        instance=np.ones(count, np.int64),
        bytes=np.array(sizes, np.int64),
        idle_us=np.zeros(count, np.int64),
        ended=np.isin(np.arange(count), ended),
    )


# --- the rule ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "sizes", "ended", "rho", "expected"),
    [
        ("no flow", (), (), 0.5, []),
        ("one flow", (10,), (), 0.1, [0]),
        ("exactly the share", (10, 35, 55), (), 0.55, [2]),
        ("a byte less", (10, 36, 54), (), 0.55, [2, 1]),
        ("all", (10, 35, 55), (), 1, [2, 1, 0]),
        ("an ended flow neither counts nor moves", (10, 20, 900), (2,), 0.6, [1]),
        ("nothing but ended flows", (10, 20), (0, 1), 0.6, []),
        ("equal sizes, in order", (7, 7, 7, 7), (), 0.5, [0, 1]),
        ("beyond the precision of a float", (2**47 + 1, 2**47, 1), (), 0.5, [0]),
    ],
)
def test_proportion(
    case: str, sizes: tuple[int, ...], ended: tuple[int, ...], rho: float, expected: list[int]
) -> None:
    assert proportion(table(*sizes, ended=ended), rho).tolist() == expected, case


# --- the table --------------------------------------------------------------------


def cells_of(model: FitModel) -> FlowTable:
    cells = model.cells()
    return decode(cells, newest_us(cells), WINDOW_US)


def test_the_model_hashes_like_p4() -> None:
    assert crc16(b"123456789") == 0xBB3D  # the check value of CRC-16/ARC
    assert slots_of(FiveTuple(1, 2, 3, 4, 6)) != slots_of(FiveTuple(1, 2, 4, 3, 6))


def test_empty_registers_have_no_flows() -> None:
    assert len(cells_of(FitModel(WINDOW_US))) == 0


@pytest.mark.parametrize(
    ("case", "packets", "ended"),
    [
        ("open", [(True, 0)], False),
        ("half closed", [(True, FIN)], False),
        ("half closed, twice", [(True, FIN), (True, FIN)], False),
        ("closed", [(True, FIN), (False, FIN)], True),
        ("reset", [(False, RST)], True),
    ],
)
def test_ends(case: str, packets: list[tuple[bool, int]], ended: bool) -> None:
    model = FitModel(WINDOW_US)
    for from_low, flags in packets:
        model.count(Packet(flow(1), 500, 60, from_low, flags))
    assert cells_of(model).ended.tolist() == [ended], case


def test_a_flow_that_changes_ways_meanwhile_is_one() -> None:
    model = FitModel(WINDOW_US)
    model.count(Packet(flow(1), 150_000, 700))
    cells = model.cells()
    old, new = slots_of(flow(1))
    for cell in ("low", "high"):
        cells[f"way_1.fit_{cell}"][new] = cells[f"way_0.fit_{cell}"][old]
    cells["way_1.fit_load"][new] = 60 << 8
    cells["way_1.fit_seen"][new] = 240_000 << 8
    found = decode(cells, 240_000, WINDOW_US)
    assert found.five_tuples() == (flow(1),)
    assert found.bytes.tolist() == [60]


def test_bytes_are_read_last() -> None:
    kinds = [name.rpartition("_")[2] for name in REGISTERS]
    assert kinds == ["seen"] * 2 + ["low"] * 2 + ["high"] * 2 + ["load"] * 2
    for some in (LOADS, NAMES):
        assert list(some) == [name for name in REGISTERS if name in some]
    assert len(FitModel(WINDOW_US).cells()[REGISTERS[0]]) == p4_constants.FIT_SLOTS


# --- the clock --------------------------------------------------------------------


def test_the_clock_goes_on_while_no_packets_come() -> None:
    clock = SwitchClock()
    assert clock.observe(5_000, 1e9) == 5_000
    assert clock.observe(5_000, 1e9 + 200_000) == pytest.approx(205_000, abs=100)
    # A newer packet brings the estimate closer.
    assert clock.observe(405_000, 1e9 + 300_000) == 405_000
    assert clock.observe(405_000, 1e9 + 400_000) == pytest.approx(505_000, abs=100)


def test_the_clock_follows_a_switch_that_is_slower() -> None:
    clock = SwitchClock()
    for second in range(1, 7200):
        newest_us = int(second * 1e6 * (1 - 50e-6))
        assert 0 <= clock.observe(newest_us, second * 1e6) - newest_us <= 1000


async def test_flows_are_over_when_nothing_comes_for_a_window() -> None:
    model = FitModel(WINDOW_US)
    model.count(Packet(flow(1), 7_000_000, 60))
    now_s = 50.0
    monitor = FlowMonitor(model, model, WINDOW_US, clock=lambda: now_s)
    assert len((await monitor.read()).flows) == 1
    now_s += 0.09
    assert len((await monitor.read()).flows) == 1
    now_s += 0.02
    assert len((await monitor.read()).flows) == 0


class Backlogged(FitModel):
    """A switch that is late, and sees one more packet between any two reads."""

    async def read(self, names: Sequence[str]) -> dict[str, Cells]:
        cells = await super().read(names)
        self.count(Packet(flow(1), int(cells[REGISTERS[0]].max()) + 400, 60))
        return cells


async def test_flows_of_a_switch_that_is_late_are_active() -> None:
    model = Backlogged(WINDOW_US)
    model.count(Packet(flow(2), 6_000_000, 60))
    model.count(Packet(flow(1), 7_000_000, 60))
    now_s = 50.0
    monitor = FlowMonitor(model, model, WINDOW_US, clock=lambda: now_s)
    for late_s in (0.0, 0.3, 0.5, 0.2):
        now_s += late_s
        assert len((await monitor.read()).flows) == 1
    # It has caught up: the clock is as close as before.
    model.count(Packet(flow(1), 8_200_000, 60))
    assert len((await monitor.read()).flows) == 1


# --- the filter API ---------------------------------------------------------------


async def test_the_filter_api_answers_with_five_tuples() -> None:
    model = FitModel(WINDOW_US)
    for number, size in enumerate((100, 9_000, 300, 8_000), 1):
        model.count(Packet(flow(number), 1_000 + number, size, instance=number % 2 + 1))
    detector = ElephantDetector(FlowMonitor(model, model, WINDOW_US), Settings(rho=0.9))
    everywhere = await detector.filter_channel(None)
    assert everywhere.flows == (flow(2), flow(4))
    assert everywhere.choice.rho == 0.9
    at_one = await detector.filter_channel(2, await detector.rule(Choice(rho=0.5)))
    assert at_one.flows == (flow(3),)
    assert (at_one.active_flows, at_one.live_flows, at_one.live_bytes) == (2, 2, 400)


class Changing(FitModel):
    """A switch in which something happens before the names of the elephants are read."""

    def __init__(self, *packets: Packet, slots: int) -> None:
        super().__init__(WINDOW_US, slots)
        self.packets = packets

    async def read_cells(self, wanted: Mapping[str, Indices]) -> dict[str, Cells]:
        """As a RegisterReader."""
        for packet in self.packets:
            assert self.count(packet)
        return await super().read_cells(wanted)


async def test_a_slot_that_changes_hands_meanwhile_makes_no_elephant() -> None:
    taken = [Packet(flow(number), 1_000 + WINDOW_US, 1500) for number in (3, 4)]
    model = Changing(*taken, slots=1)
    model.count(Packet(flow(1), 900, 9_000))
    model.count(Packet(flow(2), 901, 7_000))
    detector = ElephantDetector(FlowMonitor(model, model, WINDOW_US), Settings(rho=1))
    found = await detector.filter_channel(None)
    assert found.flows == ()
    assert (found.live_flows, found.live_bytes) == (2, 16_000)


async def test_an_elephant_that_goes_on_meanwhile_is_what_it_was() -> None:
    model = Changing(Packet(flow(1), 1_300, 1500), slots=1)
    model.count(Packet(flow(1), 1_200, 9_000))
    model.count(Packet(flow(2), 1_201, 7_000))
    detector = ElephantDetector(FlowMonitor(model, model, WINDOW_US), Settings(rho=1))
    found = await detector.filter_channel(None)
    assert found.flows == (flow(1), flow(2))
    assert found.elephants.bytes.tolist() == [9_000, 7_000]
    assert found.elephants.idle_us.tolist() == [1, 0]


async def test_an_overflow_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    model = FitModel(WINDOW_US, slots=1)
    detector = ElephantDetector(FlowMonitor(model, model, WINDOW_US), Settings(rho=0.9))
    with caplog.at_level(logging.WARNING):
        assert (await detector.filter_channel(None)).overflow == 0
        for number in range(5):
            model.count(Packet(flow(number), 1_000, 60))
        assert (await detector.filter_channel(None)).overflow == 3
        assert (await detector.filter_channel(None)).overflow == 3
    assert [record.message.split()[0] for record in caplog.records] == ["3"]
