"""The search finds the capacity of simulated switches."""

from __future__ import annotations

import pytest

from experiments.bench_switch.capacity import find_capacity, is_carried
from experiments.bench_switch.ground import Sample
from experiments.bench_switch.report import BARE, EMBEDDED, SIMPLE_SWITCH, Quantity, gain
from experiments.spread import Spread


class SimulatedSwitch:
    """Carries up to a capacity; each packet that it drops costs it some of that."""

    def __init__(self, capacity: float, drop_cost: float, generator: float) -> None:
        self.capacity = capacity
        self.drop_cost = drop_cost
        self.generator = generator
        self.seconds = 0.0

    def offer(self, rate: float, seconds: float) -> Sample:
        self.seconds += seconds
        offered = min(rate, self.generator)
        dropped = max(0.0, offered - self.capacity)
        carried = max(0.0, min(offered, self.capacity) - dropped * self.drop_cost)
        arrived = int(carried * seconds)
        return Sample(
            seconds=seconds, sent=int(offered * seconds), arrived_in_time=arrived, arrived=arrived
        )


@pytest.mark.parametrize("capacity", [3_000, 15_000, 33_000, 250_000, 900_000])
@pytest.mark.parametrize("drop_cost", [0.0, 0.3])
def test_the_capacity_is_found(capacity: float, drop_cost: float) -> None:
    switch = SimulatedSwitch(capacity, drop_cost, generator=2e6)
    found = find_capacity(switch.offer, rounds=3, round_s=0.5)
    assert capacity * 0.95 <= found.least <= found.median <= found.most <= capacity * 1.005
    assert found.rounds == 3
    assert not found.is_bound
    assert switch.seconds < 40


def test_a_switch_faster_than_the_traffic_is_told() -> None:
    switch = SimulatedSwitch(1e6, 0.0, generator=400_000)
    found = find_capacity(switch.offer, rounds=3, round_s=1.0)
    assert found.is_bound
    assert found.median == pytest.approx(400_000, rel=0.05)


def test_a_switch_that_carries_nothing_has_no_capacity() -> None:
    assert find_capacity(SimulatedSwitch(0, 0, 1e6).offer, rounds=1, round_s=1.0).most == 0


@pytest.mark.parametrize(
    ("in_time", "arrived", "carried"),
    [(9_900, 10_000, True), (9_900, 9_989, False), (9_000, 10_000, False)],
)
def test_neither_loss_nor_a_growing_queue_is_carried(
    in_time: int, arrived: int, carried: bool
) -> None:
    sample = Sample(seconds=1, sent=10_000, arrived_in_time=in_time, arrived=arrived)
    assert is_carried(sample) is carried


def test_gain_is_above_one_where_the_embedded_switch_is_better() -> None:
    row = {EMBEDDED: Spread.of([20.0]), SIMPLE_SWITCH: Spread.of([2.0, 4.0, 9.0])}
    assert gain(Quantity("forwarded", "packets/s", is_rate=True), row, SIMPLE_SWITCH) == 5
    assert gain(Quantity("latency", "µs", is_rate=False), row, SIMPLE_SWITCH) == 0.2
    assert gain(Quantity("latency", "µs", is_rate=False), row, BARE) is None
