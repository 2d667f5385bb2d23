"""The flows that a move would find: as a distribution of sizes has them, or as the switch does.

*Steady*: only the distribution is known, and how many flows there are at a time. They share
the rate equally (processor sharing, the main model of the evaluation). Whatever moment is
picked, the flows under way are then independent; a flow of s bytes is met in proportion to s,
and has sent a part of it that is uniform from none to all. The same holds where each flow has
a constant rate of its own.

*Observed*: what each flow has sent and how fast it sends is known. How much it will send yet
is drawn from the flows of the distribution that got that far.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from controlplane.detection.flows import Loads
from controlplane.sizes.distribution import SizeDistribution

WINDOW_S = 0.1
"""Activity window of the paper's switch: a flow counts as active for so long after its end."""

_LEAST_FRAME = 64  # bytes; an active flow has sent one within the window
_INSTANCE = 1  # does not matter

_Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Draw:
    """One way how it may be."""

    flows: Loads
    """The active ones."""
    rates: _Numbers
    """Bytes a second, one a row."""
    left_s: _Numbers
    """How long each flow goes on; 0 for those that have ended."""


class Population(Protocol):
    """The flows that a move would find."""

    @property
    def sizes(self) -> SizeDistribution:
        """Of all flows that begin."""
        ...

    @property
    def active(self) -> float:
        """How many flows are active, on average."""
        ...

    def draws(self, random: np.random.Generator, count: int) -> Iterator[Draw]:
        """So many ways how it may be, equally likely."""
        ...


@dataclass(frozen=True)
class Steady:
    """Flows that come and go."""

    sizes: SizeDistribution
    live_flows: int
    """At any time."""
    bytes_per_s: float
    """Of all flows together."""
    window_s: float = WINDOW_S

    @property
    def ending(self) -> float:
        """Flows that end within the window."""
        return self.bytes_per_s / self.sizes.mean() * self.window_s

    @property
    def active(self) -> float:
        """How many flows are active, on average."""
        return self.live_flows + self.ending

    def draws(self, random: np.random.Generator, count: int) -> Iterator[Draw]:
        """As the module says; flows that have ended within the window are active, too."""
        rate = self.bytes_per_s / self.live_flows
        ending = self.ending
        for _ in range(count):
            whole = self._met(random.random(self.live_flows))
            sent = np.ceil(whole * random.random(self.live_flows))
            over = np.ceil(self.sizes.quantile(random.random(random.poisson(ending))))
            left = np.concatenate((np.maximum(whole - sent, 0), np.zeros(len(over))))
            ended = np.arange(len(left)) >= self.live_flows
            flows = _loads(np.concatenate((sent, over)).astype(np.int64), ended)
            yield Draw(flows, np.where(ended, 0.0, rate), left / rate)

    def _met(self, shares: _Numbers) -> _Numbers:
        """Sizes below which so many of the flows under way are: those by share of the bytes."""
        points, up_to = self.sizes.sizes, self._bytes_up_to
        # On the right, so that it is never a piece without a flow.
        piece = np.searchsorted(up_to, shares, side="right") - 1
        begin, end = up_to[piece], up_to[piece + 1]
        # Within a piece the bytes grow with the square of the size.
        low, high = points[piece] ** 2, points[piece + 1] ** 2
        return np.sqrt(low + (shares - begin) / (end - begin) * (high - low))

    @cached_property
    def _bytes_up_to(self) -> _Numbers:
        """The share of all bytes that is in flows up to each point of the distribution."""
        sizes, shares = self.sizes.sizes, self.sizes.shares
        volume = np.diff(shares) * (sizes[1:] + sizes[:-1]) / 2
        up_to = np.concatenate(([0.0], np.cumsum(volume)))
        return up_to / up_to[-1]


@dataclass(frozen=True)
class Observed:
    """Flows that are there now; one value a flow in each field."""

    sizes: SizeDistribution
    sent: npt.NDArray[np.int64]
    """Bytes so far."""
    bytes_per_s: _Numbers
    ended: npt.NDArray[np.bool_]
    window_s: float = WINDOW_S

    @property
    def active(self) -> float:
        """How many flows are active."""
        return len(self.sent)

    def draws(self, random: np.random.Generator, count: int) -> Iterator[Draw]:
        """The same flows each time, with another end.

        A flow that is larger already than any of the distribution is taken to have as much
        before it as behind it.
        """
        flows = _loads(self.sent, self.ended)
        rates = np.maximum(self.bytes_per_s, _LEAST_FRAME / self.window_s)
        beyond = self.sizes.share_beyond(self.sent)
        for _ in range(count):
            shares = 1 - beyond * random.random(len(flows))
            left = np.maximum(self.sizes.quantile(shares) - self.sent, 0)
            left = np.where(beyond > 0, left, self.sent)
            yield Draw(flows, rates, np.where(self.ended, 0.0, left / rates))


def _loads(sent: npt.NDArray[np.int64], ended: npt.NDArray[np.bool_]) -> Loads:
    return Loads(
        instance=np.full(len(sent), _INSTANCE),
        bytes=sent,
        idle_us=np.zeros(len(sent), np.int64),
        ended=ended,
    )
