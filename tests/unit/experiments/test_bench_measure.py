"""The search finds the capacity of simulated switches."""

from __future__ import annotations

import pytest

from experiments.bench.ground import Sample
from experiments.bench.measure import find_rate


class SimulatedSwitch:
    """Forwards up to a capacity; each packet that it drops costs it some of that."""

    def __init__(self, capacity: float, drop_cost: float, generator: float) -> None:
        self.capacity = capacity
        self.drop_cost = drop_cost
        self.generator = generator
        self.seconds = 0.0

    def offer(self, rate: float, seconds: float) -> Sample:
        self.seconds += seconds
        offered = min(rate, self.generator)
        dropped = max(0.0, offered - self.capacity)
        forwarded = max(0.0, min(offered, self.capacity) - dropped * self.drop_cost)
        return Sample(offered, forwarded)


@pytest.mark.parametrize("capacity", [15_000, 33_000, 250_000, 900_000])
@pytest.mark.parametrize("drop_cost", [0.0, 0.3])
def test_the_capacity_is_found(capacity: float, drop_cost: float) -> None:
    switch = SimulatedSwitch(capacity, drop_cost, generator=2e6)
    rate = find_rate(switch.offer, rounds=3, round_s=1.0)
    assert rate.median_pps == pytest.approx(capacity, rel=0.15)
    assert rate.least_pps <= rate.median_pps <= rate.most_pps
    assert not rate.generator_bound
    assert switch.seconds < 20


def test_a_switch_faster_than_the_generator_is_told() -> None:
    switch = SimulatedSwitch(1e6, 0.0, generator=400_000)
    rate = find_rate(switch.offer, rounds=3, round_s=1.0)
    assert rate.generator_bound
    assert rate.median_pps == pytest.approx(400_000, rel=0.05)
