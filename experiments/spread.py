"""What was measured in several rounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One quantity over several rounds."""

    median: float
    least: float
    most: float
    rounds: int
    is_bound: bool = False
    """Whether the measurement itself was the limit: the true value is higher."""

    @classmethod
    def of(cls, values: Sequence[float], *, is_bound: bool = False) -> Spread:
        """The spread of at least one value."""
        return cls(
            median=statistics.median(values),
            least=min(values),
            most=max(values),
            rounds=len(values),
            is_bound=is_bound,
        )
