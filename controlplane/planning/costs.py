"""How long a move takes that moves so many flows: something at once, and something a flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class MoveCosts:
    """The downtime of a move as a straight line over the flows that it moves."""

    fixed_ms: float
    """However many flows there are: choosing them, turning the buckets."""
    flow_ms: float
    """For each flow."""
    source: str
    """Where the two come from, for people."""

    def downtime_ms(self, flows: float) -> float:
        """Of a move of so many flows; nothing where none is moved, for then nothing waits."""
        return self.fixed_ms + self.flow_ms * flows if flows > 0 else 0.0

    def overridden(self, fixed_ms: float | None, flow_ms: float | None) -> MoveCosts:
        """The same with what is given in the place of its own."""
        if fixed_ms is None and flow_ms is None:
            return self
        if fixed_ms is not None and flow_ms is not None:
            return MoveCosts(fixed_ms, flow_ms, "as given")
        if fixed_ms is not None:
            return replace(self, fixed_ms=fixed_ms, source=f"as given, and {self.source}")
        return replace(self, flow_ms=flow_ms or 0.0, source=f"as given, and {self.source}")


MEASURED = MoveCosts(36.1, 0.472, "measured, `make demo` with the embedded switch on two cores")
"""From a run of the README's demo: 64.4 ms for 60 flows and 572.8 ms for 1,138, loss-free."""

PAPER = MoveCosts(0.0, 0.4, "the paper: more than 400 ms for 1,000 flows (§2)")
"""OpenNF, loss-free and ordered, parallelising and releasing early. It gives no fixed cost."""


def fitted(moves: Sequence[tuple[int, float]]) -> MoveCosts | None:
    """The line through moves that were made, each the flows and the downtime in milliseconds.

    None while they tell too little: where all moved about as many flows, or a move of more
    took no longer.
    """
    if len(moves) < 2:
        return None
    flows, took_ms = np.array(moves, np.float64).T
    if flows.max() < 2 * max(flows.min(), 1.0):
        return None
    slope, start = np.polyfit(flows, took_ms, 1)
    if slope <= 0:
        return None
    if start < 0:
        # Through zero, then.
        slope, start = float(flows @ took_ms / (flows @ flows)), 0.0
    return MoveCosts(float(start), float(slope), f"the last {len(moves)} moves of this controller")
