"""Finding the rate that a switch forwards at most."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from experiments.bench.ground import Sample

_FIRST_PPS = 10_000.0
_GROWTH = 1.7
_KEEPS_UP = 0.97  # forwarded ÷ offered of a switch that is not yet overloaded
_TRIES = 3  # a machine that does something else for a moment is no limit
_OVERLOAD = 1.1  # enough that it never waits, too little to drown it


@dataclass(frozen=True, kw_only=True)
class Rate:
    """The most that was forwarded, over several rounds, in packets per second."""

    median_pps: float
    least_pps: float
    most_pps: float
    rounds: int
    generator_bound: bool
    """Whether the generator was the limit: the true rate is higher."""


def find_rate(offer: Callable[[float, float], Sample], *, rounds: int, round_s: float) -> Rate:
    """Raises the offered rate until the switch cannot keep up, then measures.

    `offer(rate, seconds)` runs the generator. A switch that is offered far too much
    spends its time on packets that it then drops; so the rounds offer a little more than
    it can forward.
    """
    best, bound = _climb(offer, _FIRST_PPS, _GROWTH, round_s / 2)
    if not bound:
        best, bound = _climb(offer, best * _OVERLOAD, _OVERLOAD, round_s / 2)
    samples = [offer(best * _OVERLOAD, round_s) for _ in range(rounds)]
    forwarded = [sample.forwarded_pps for sample in samples]
    return Rate(
        median_pps=statistics.median(forwarded),
        least_pps=min(forwarded),
        most_pps=max(forwarded),
        rounds=rounds,
        generator_bound=bound,
    )


def _climb(
    offer: Callable[[float, float], Sample], rate: float, growth: float, seconds: float
) -> tuple[float, bool]:
    """Raises the rate until the switch or the generator cannot keep up.

    The most that was forwarded, and whether the generator was the limit.
    """
    best = 0.0
    while True:
        samples = [offer(rate, seconds)]
        while not _keeps_up(samples[-1], rate) and len(samples) < _TRIES:
            samples.append(offer(rate, seconds))
        best = max(best, *(sample.forwarded_pps for sample in samples))
        last = samples[-1]
        if not _keeps_up(last, rate):
            return best, last.forwarded_pps >= last.offered_pps * _KEEPS_UP
        rate *= growth


def _keeps_up(sample: Sample, rate: float) -> bool:
    """Whether generator and switch have both done what was asked of them."""
    return sample.offered_pps >= rate * _KEEPS_UP and (
        sample.forwarded_pps >= sample.offered_pps * _KEEPS_UP
    )
