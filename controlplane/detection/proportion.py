"""The paper's rule: the largest flows that together carry a share of the bytes (§3.1)."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from controlplane.detection.flows import Loads, Rows


def proportion(flows: Loads, rho: float) -> Rows:
    """The rows of the elephants, largest first: as few flows as reach the share `rho` of all bytes.

    Only live flows count, on both sides of the share: what has ended is no load that a
    move could take away, and would leave too few candidates to reach the share. `rho` is
    above 0 and at most 1, and means the decimal number that it prints as.
    """
    live = flows.largest_first(~flows.ended)
    sizes = flows.bytes[live]
    wanted = math.ceil(Fraction(repr(float(rho))) * int(sizes.sum()))
    if not wanted:
        return live[:0]
    return live[: int(np.searchsorted(np.cumsum(sizes), wanted)) + 1]
