"""The rule that moves whatever has not ended."""

from __future__ import annotations

from controlplane.detection.flows import Loads, Rows


def all_live(flows: Loads) -> Rows:
    """The rows of the live flows, largest first."""
    return flows.largest_first(~flows.ended)
