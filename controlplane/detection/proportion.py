"""The paper's rule: the largest flows that together carry a share of the bytes (§3.1)."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from controlplane.detection.fit import FlowTable


def proportion(table: FlowTable, rho: float) -> FlowTable:
    """The elephants, largest first: as few flows as reach the share `rho` of all bytes.

    Only live flows count, on both sides of the share: what has ended is no load that a
    move could take away, and would leave too few candidates to reach the share. `rho` is
    above 0 and at most 1, and means the decimal number that it prints as.
    """
    live = table.live().largest_first()
    total = int(live.bytes.sum())
    wanted = math.ceil(Fraction(repr(float(rho))) * total)
    if not wanted:
        return live.take(np.arange(0))
    count = int(np.searchsorted(np.cumsum(live.bytes), wanted)) + 1
    return live.take(np.arange(count))
