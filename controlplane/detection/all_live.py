"""The rule that moves whatever has not ended."""

from __future__ import annotations

from controlplane.detection.fit import FlowTable


def all_live(table: FlowTable) -> FlowTable:
    """The live flows, largest first."""
    return table.live().largest_first()
