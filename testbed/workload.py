"""What flows there are: sizes from a published distribution, arrivals by a Poisson process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from controlplane.sizes.distribution import SizeDistribution

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
