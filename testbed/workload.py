"""What flows there are: sizes from a published distribution, arrivals by a Poisson process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SizeDistribution:
    """A cumulative distribution of flow sizes, linear between its points."""

    name: str
    """What it is called in reports."""

    published: bool
    """Whether it was published; synthetic otherwise."""

    points: tuple[tuple[float, float], ...]
    """(bytes, cumulative share of flows), ascending, from share 0 to share 1."""

    def __post_init__(self) -> None:
        """Checks the points. Raises ValueError."""
        if len(self.points) < 2 or self.points[0][1] != 0 or self.points[-1][1] != 1:
            raise ValueError(f"{self.name}: the shares must go from 0 to 1")
        for (low, low_share), (high, high_share) in zip(self.points, self.points[1:], strict=False):
            if high <= low or high_share < low_share:
                raise ValueError(f"{self.name}: not ascending at {high:g} bytes")

    @property
    def sizes(self) -> NDArray[np.float64]:
        """The sizes of the points, in bytes."""
        return np.array([size for size, _ in self.points], dtype=np.float64)

    @property
    def shares(self) -> NDArray[np.float64]:
        """The cumulative shares of the points."""
        return np.array([share for _, share in self.points], dtype=np.float64)

    def quantile(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """The size in bytes below which `share` of the flows are."""
        return np.interp(share, self.shares, self.sizes)

    def mean(self) -> float:
        """The mean size in bytes."""
        return self._moment(0.0)

    def byte_share_from(self, size: float) -> float:
        """ρ: the share of all bytes that is in flows of at least `size` bytes."""
        return self._moment(size) / self._moment(0.0)

    def flow_share_from(self, size: float) -> float:
        """The share of flows of at least `size` bytes."""
        return float(1 - np.interp(size, self.sizes, self.shares))

    def mean_capped(self, cap: float) -> float:
        """The mean of the sizes, each cut at `cap` bytes."""
        below = self.mean() - self._moment(cap)
        return below + cap * self.flow_share_from(cap)

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
        for (low, low_share), (high, high_share) in zip(self.points, self.points[1:], strict=False):
            start = max(low, at_least)
            if start < high:
                density = (high_share - low_share) / (high - low)
                total += density * (high * high - start * start) / 2
        return total


WEB_SEARCH = SizeDistribution(
    "web search",
    True,
    (
        (0, 0.0),
        (10e3, 0.15),
        (20e3, 0.20),
        (30e3, 0.30),
        (50e3, 0.40),
        (80e3, 0.53),
        (200e3, 0.60),
        (1e6, 0.70),
        (2e6, 0.80),
        (5e6, 0.90),
        (10e6, 0.97),
        (30e6, 1.0),
    ),
)
"""Flow sizes of a web-search cluster (Alizadeh et al., Data Center TCP, 2010)."""

WEB_SEARCH_ELEPHANT = 10e6
"""The paper's largest definition of an elephant in web search traffic, in bytes."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow of the load."""

    number: int
    """Its place in the order of arrival."""

    start_s: float
    """When it starts, in seconds from the start of the load."""

    size: int
    """How many bytes of payload it carries."""

    reverse: bool
    """Whether the server sends the payload."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Flows in the order of arrival, the same for the same seed."""

    seed: int
    """Seed of sizes, arrivals and directions."""

    rate_per_s: float
    """Mean number of new flows a second."""

    sizes: SizeDistribution
    """Sizes of the flows, already scaled."""

    reverse_share: float = 0.25
    """Share of the flows whose payload goes from the server to the client."""

    least_size: int = 64
    """No flow is shorter than this many bytes."""

    def flows(self) -> Iterator[Flow]:
        """The flows, without end."""
        random = np.random.default_rng(self.seed)
        now_s, number, batch = 0.0, 0, 1024
        while True:
            starts = now_s + np.cumsum(random.exponential(1 / self.rate_per_s, batch))
            sizes = np.maximum(self.sizes.quantile(random.random(batch)), self.least_size)
            reverse = random.random(batch) < self.reverse_share
            for start_s, size, back in zip(starts, sizes, reverse, strict=True):
                yield Flow(number, float(start_s), round(float(size)), bool(back))
                number += 1
            now_s = float(starts[-1])
