"""A distribution of flow sizes, piecewise linear."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt


class SizesError(ValueError):
    """There is no such distribution, or it is none. One line: where, and what is wrong."""


@dataclass(frozen=True)
class SizeDistribution:
    """A cumulative distribution of flow sizes, linear between its points."""

    name: str
    """What it is called in reports."""

    published: bool
    """Whether it was published; synthetic or measured otherwise."""

    points: tuple[tuple[float, float], ...]
    """(bytes, cumulative share of flows), ascending, from share 0 to share 1."""

    def __post_init__(self) -> None:
        """Checks the points. Raises SizesError."""
        if len(self.points) < 2 or self.points[0][1] != 0 or self.points[-1][1] != 1:
            raise SizesError(f"{self.name}: the shares must go from 0 to 1")
        if not self.points[0][0] >= 0:
            raise SizesError(f"{self.name}: a size below 0: {self.points[0][0]:g} bytes")
        for (low, low_share), (high, high_share) in pairwise(self.points):
            if not low < high < np.inf or not low_share <= high_share:
                raise SizesError(f"{self.name}: not ascending at {high:g} bytes")

    @cached_property
    def sizes(self) -> npt.NDArray[np.float64]:
        """The sizes of the points, in bytes."""
        return np.array([size for size, _ in self.points], dtype=np.float64)

    @cached_property
    def shares(self) -> npt.NDArray[np.float64]:
        """The cumulative shares of the points."""
        return np.array([share for _, share in self.points], dtype=np.float64)

    @property
    def largest(self) -> float:
        """No flow is larger, in bytes."""
        return self.points[-1][0]

    def quantile(self, share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The size in bytes below which `share` of the flows are; shape of `share`."""
        return np.interp(share, self.shares, self.sizes)

    def share_beyond(self, size: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """1 − F: the share of the flows larger than `size` bytes; shape of `size`."""
        return 1 - np.interp(np.asarray(size, np.float64), self.sizes, self.shares)

    def share_left(
        self, size: npt.ArrayLike, so_far: npt.ArrayLike, *, unheard_of: float
    ) -> npt.NDArray[np.float64]:
        """(1 − F(size)) / (1 − F(so_far)): how many flows with `so_far` bytes get to `size`.

        1 where `so_far` is `size` or more. A flow that is larger already than any that the
        distribution knows is `unheard_of`.
        """
        wanted, reached = np.broadcast_arrays(
            np.asarray(size, np.float64), np.asarray(so_far, np.float64)
        )
        those = self.share_beyond(reached)
        known = those > 0
        share = np.full(reached.shape, unheard_of)
        share[known] = self.share_beyond(wanted)[known] / those[known]
        share[reached >= wanted] = 1.0
        return share

    def mean(self) -> float:
        """The mean size in bytes."""
        return self._moment(0.0)

    def byte_share_from(self, size: float) -> float:
        """ρ: the share of all bytes that is in flows of at least `size` bytes."""
        return self._moment(size) / self._moment(0.0)

    def size_at_byte_share(self, rho: float) -> float:
        """The least size X such that flows of at least X carry no more than `rho` of the bytes."""
        total = self._moment(0.0)
        # Share of the bytes from each point on: it falls from 1 to 0.
        beyond = np.array([self._moment(size) for size, _ in self.points]) / total
        right = int(np.flatnonzero(beyond <= rho)[0])
        if right == 0:
            return self.points[0][0]
        (low, low_share), (high, high_share) = self.points[right - 1], self.points[right]
        if high_share == low_share:
            return low
        # Inside a piece the share is beyond + density (high² − X²) / 2 total.
        density = (high_share - low_share) / (high - low)
        square = high * high - 2 * total * (rho - float(beyond[right])) / density
        return float(np.sqrt(max(square, low * low)))

    def flow_share_from(self, size: float) -> float:
        """The share of flows of at least `size` bytes."""
        return float(self.share_beyond(size))

    def scaled(self, factor: float) -> SizeDistribution:
        """The same distribution with every size multiplied by `factor`."""
        return SizeDistribution(
            self.name,
            self.published,
            tuple((size * factor, share) for size, share in self.points),
        )

    def _moment(self, at_least: float) -> float:
        """The integral of size over the flows of `at_least` bytes or more."""
        total = 0.0
        for (low, low_share), (high, high_share) in pairwise(self.points):
            start = max(low, at_least)
            if start < high:
                density = (high_share - low_share) / (high - low)
                total += density * (high * high - start * start) / 2
        return total
