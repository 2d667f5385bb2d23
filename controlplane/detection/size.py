"""The rule of Hedera and Mahout: an elephant is what has sent enough."""

from __future__ import annotations

from controlplane.detection.flows import Loads, Rows


def at_least(flows: Loads, size: float) -> Rows:
    """The rows of the live flows that have `size` bytes, largest first."""
    return flows.largest_first(~flows.ended & (flows.bytes >= size))
