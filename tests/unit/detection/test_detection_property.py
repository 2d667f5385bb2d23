"""The selection is that of an exact reference over the same traffic."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from fractions import Fraction

import pytest
from detection_reference import active, check_elephants
from fit_model import ACK, FIN, RST, SYN, FitModel, Packet
from hypothesis import given
from hypothesis import strategies as st

from controlplane.detection.choice import Settings
from controlplane.detection.filter_api import ElephantDetector, Filter
from controlplane.detection.fit import decode, newest_us
from controlplane.detection.monitor import FlowMonitor
from controlplane.p4_constants import FIT_SLOTS
from nf.southbound.flow import FiveTuple

WINDOW_US = 100_000
DAY_US = 86_400_000_000

addresses = st.integers(0, 3) | st.integers(0, (1 << 32) - 1)
ports = st.integers(0, 3) | st.integers(0, (1 << 16) - 1)
flows = st.builds(FiveTuple.of, addresses, addresses, ports, ports, st.sampled_from((6, 6, 17, 1)))
gaps_us = st.integers(0, 2_000) | st.integers(0, 60_000) | st.integers(99_990, 100_010)
flags = st.sampled_from((ACK, ACK, ACK, SYN, SYN | ACK, FIN | ACK, FIN | ACK, RST, RST | FIN))
rhos = st.sampled_from((250, 500, 750, 1000)) | st.integers(1, 1000)
rhos = rhos.map(lambda thousandths: Fraction(thousandths, 1000))


@st.composite
def traffic(draw: st.DrawFn, flow_count: int = 8) -> list[Packet]:
    known = draw(st.lists(flows, min_size=1, max_size=flow_count, unique=True))
    shapes = st.tuples(
        st.sampled_from(known),
        gaps_us,
        st.sampled_from((60, 60, 1514)) | st.integers(60, 9_000),
        st.booleans(),
        flags,
        st.integers(0, 2),
    )
    time_us = draw(st.integers(1, 10) | st.integers(1, 30 * DAY_US))
    packets: list[Packet] = []
    for flow, gap_us, size, from_low, flag, instance in draw(st.lists(shapes, max_size=60)):
        time_us += gap_us
        packets.append(Packet(flow, time_us, size, from_low, flag, instance))
    return packets


def play(packets: Sequence[Packet], slots: int) -> tuple[FitModel, list[Packet]]:
    """The table after these packets, and those of them that it counted."""
    model = FitModel(WINDOW_US, slots)
    counted = [packet for packet in packets if model.count(packet)]
    assert model.overflow == len(packets) - len(counted)
    return model, counted


def detect(model: FitModel, instance: int | None, rho: Fraction) -> Filter:
    monitor = FlowMonitor(model, model, WINDOW_US, clock=lambda: 0.0)
    return asyncio.run(ElephantDetector(monitor, Settings(rho=float(rho))).filter_channel(instance))


def check(
    packets: Sequence[Packet], instance: int | None, rho: Fraction, slots: int = FIT_SLOTS
) -> Filter:
    model, counted = play(packets, slots)
    found = detect(model, instance, rho)
    expected = active(counted, WINDOW_US)
    check_elephants(found.flows, expected, instance, rho)
    here = [known for known in expected.values() if instance in (None, known.instance)]
    live = [known for known in here if not known.ended]
    assert [expected[flow].size for flow in found.flows] == found.elephants.bytes.tolist()
    assert found.active_flows == len(here)
    assert found.live_flows == len(live)
    assert found.live_bytes == sum(known.size for known in live)
    assert found.overflow == model.overflow
    return found


@given(traffic(), st.sampled_from((None, 1, 2)), rhos)
def test_the_selection_is_exact(packets: list[Packet], instance: int | None, rho: Fraction) -> None:
    check(packets, instance, rho)


@pytest.mark.parametrize("seed", range(5))
def test_the_selection_is_exact_for_a_thousand_flows(seed: int) -> None:
    draw = random.Random(seed)
    many = [
        FiveTuple.of(draw.getrandbits(32), draw.getrandbits(32), draw.getrandbits(16), 80, 6)
        for _ in range(1500)
    ]
    weights = [draw.paretovariate(1.1) for _ in many]
    packets: list[Packet] = []
    time_us = DAY_US
    for flow in draw.choices(many, weights, k=30_000):
        time_us += draw.randrange(8)
        size = draw.choice((60, 576, 1514))
        flag = draw.choices((ACK, FIN | ACK, SYN), (200, 1, 1))[0]
        instance = draw.choices((1, 2), (9, 1))[0]
        packets.append(Packet(flow, time_us, size, draw.random() < 0.5, flag, instance))
    found = check(packets, 1, Fraction(35, 100))
    assert found.active_flows > 500
    assert 0 < len(found.flows) < found.live_flows


@given(traffic(flow_count=30), st.integers(0, 4), rhos)
def test_a_table_that_overflows_is_exact_about_what_it_counts(
    packets: list[Packet], log_slots: int, rho: Fraction
) -> None:
    check(packets, None, rho, 1 << log_slots)


@given(traffic(), st.sampled_from((4, FIT_SLOTS)))
def test_the_table_says_what_is_known_of_each_flow(packets: list[Packet], slots: int) -> None:
    model, counted = play(packets, slots)
    cells = model.cells()
    table = decode(cells, newest_us(cells), WINDOW_US)
    rows = zip(
        table.five_tuples(),
        table.bytes.tolist(),
        table.idle_us.tolist(),
        table.instance.tolist(),
        table.ended.tolist(),
        strict=True,
    )
    assert {flow: rest for flow, *rest in rows} == {
        flow: [known.size, counted[-1].time_us - known.time_us, known.instance, known.ended]
        for flow, known in active(counted, WINDOW_US).items()
    }
