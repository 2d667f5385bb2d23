"""The rule that moves what would still be there after the move.

Whether a flow is large matters only because large flows last. What is wanted is the flows
that outlive the move; the others die out meanwhile where they are. A flow with c bytes that
sends r bytes a second outlives T seconds if it comes to more than c + rT bytes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from controlplane.detection.flows import Loads, Rows
from controlplane.sizes.distribution import SizeDistribution


def surviving(
    flows: Loads,
    rates: npt.NDArray[np.float64],
    move_s: float,
    theta: float,
    sizes: SizeDistribution,
) -> Rows:
    """The rows of the live flows that last `move_s` with a chance of `theta`, largest first.

    `rates` are bytes a second, one a row. A flow that stands still lasts; so does one that is
    larger than any the distribution knows.
    """
    later = flows.bytes + rates * move_s
    chance = sizes.share_left(later, flows.bytes, unheard_of=1.0)
    return flows.largest_first(~flows.ended & (chance >= theta))
