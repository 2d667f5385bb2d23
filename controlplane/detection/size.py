"""The rule of Hedera and Mahout: an elephant is what has sent enough."""

from __future__ import annotations

from controlplane.detection.fit import FlowTable


def at_least(table: FlowTable, size: float) -> FlowTable:
    """The live flows that have `size` bytes, largest first."""
    return table.take(~table.ended & (table.bytes >= size)).largest_first()
