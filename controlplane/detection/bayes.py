"""The rule that asks what a flow will come to, rather than what it has come to.

The paper finds fault with fixed sizes because they miss elephants that have not sent enough
yet (§3.1). The distribution of sizes says how likely it is that a flow is one of those: of
all flows that got as far as c bytes, (1 − F(X)) / (1 − F(c)) got to X.
"""

from __future__ import annotations

from controlplane.detection.flows import Loads, Rows
from controlplane.sizes.distribution import SizeDistribution


def likely(flows: Loads, size: float, sizes: SizeDistribution) -> Rows:
    """The rows of the live flows that have `size` bytes or likely will, largest first.

    A flow that has ended is none of them, whatever it has sent: most of the flows that are
    active in a window are over, and the distribution knows nothing of that.
    """
    chance = sizes.share_left(size, flows.bytes, unheard_of=0.0)
    return flows.largest_first(~flows.ended & (chance >= 0.5))
