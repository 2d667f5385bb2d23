"""Finding the rate that a switch carries without loss."""

from __future__ import annotations

from collections.abc import Callable

from experiments.bench_switch.ground import Sample
from experiments.spread import Spread

LOSS = 0.001
"""Of the packets, a switch that carries a rate loses fewer."""

_FIRST_PPS = 10_000.0
_GROWTH = 1.6
_PRECISION = 1.04  # between a rate that is carried and one that is not
_ABOVE = 1.15  # a round begins this far above what the round before has found
_LEAST_PPS = 1_000.0
_BEHIND = 0.03  # more that is on its way at the end is a queue that grows
_TRIES = 3  # a machine that does something else for a moment is no limit


def find_capacity(
    offer: Callable[[float, float], Sample], *, rounds: int, round_s: float
) -> Spread:
    """The most packets per second that are carried with less than 0.1 % loss.

    `offer(rate, seconds)` runs the traffic. The spread is that of independent searches.
    """
    search = _Search(offer, round_s)
    found = [search.around(_FIRST_PPS)]
    while len(found) < rounds:
        found.append(search.around(max(found[-1] * _ABOVE, _FIRST_PPS)))
    return Spread.of(found, is_bound=search.is_bound)


class _Search:
    def __init__(self, offer: Callable[[float, float], Sample], seconds: float) -> None:
        self._offer = offer
        self._seconds = seconds
        self.is_bound = False
        """Whether the traffic was the limit at least once: the true rate is higher."""

    def around(self, rate: float) -> float:
        """The highest rate that is carried; `rate` is near to it. 0 where none is."""
        low, high = rate / _GROWTH, rate
        while self._carried(low) is None:
            low, high = low / _GROWTH, low
            if low < _LEAST_PPS:
                return 0.0
        while (sample := self._carried(high)) is not None:
            if sample.sent_pps < high * (1 - _BEHIND):
                self.is_bound = True
                return sample.sent_pps
            low, high = high, high * _GROWTH
        while high / low > _PRECISION:
            middle = (low * high) ** 0.5
            if self._carried(middle) is not None:
                low = middle
            else:
                high = middle
        return low

    def _carried(self, rate: float) -> Sample | None:
        """A run at a rate that was carried, or at what the traffic could offer of it."""
        for _ in range(_TRIES):
            sample = self._offer(rate, self._seconds)
            if is_carried(sample):
                return sample
        return None


def is_carried(sample: Sample) -> bool:
    """Whether next to nothing was lost, and nothing piled up."""
    lost = sample.sent - sample.arrived
    behind = sample.sent - sample.arrived_in_time
    return lost < sample.sent * LOSS and behind < sample.sent * _BEHIND
