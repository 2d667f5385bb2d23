"""A distribution from the flows that have been seen.

Flows that have ended tell their size. Those that go on tell that theirs is more than what
they have sent, which must not be left out: the largest flows live longest, so that among the
ended ones there are too few of them. Both are used by the product-limit estimator (Kaplan and
Meier, 1958), with bytes in the place of time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from controlplane.sizes.distribution import SizeDistribution, SizesError

_PIECES = 128  # equal shares of the flows, and as many of the bytes, that keep their bounds

_Sizes = npt.NDArray[np.int64]
_Weights = npt.NDArray[np.float64]


def estimate(name: str, ended: _Sizes, live: _Sizes | None = None) -> SizeDistribution:
    """The distribution of the sizes of flows, in bytes; raises SizesError without any flow.

    `ended` are whole sizes, `live` are what flows that go on have sent so far. If the largest
    flow of all goes on, it is taken to be as large as it is now (Efron's convention).
    """
    sizes, weights = _product_limit(ended, np.zeros(0, np.int64) if live is None else live)
    if not len(sizes):
        raise SizesError(f"{name}: no flow with a byte in it")
    flows, volume = np.cumsum(weights), np.cumsum(weights * sizes)
    # A piece ends where a whole share of flows or of bytes is complete.
    number = np.floor(_PIECES * flows / flows[-1]) + np.floor(_PIECES * volume / volume[-1])
    last = np.flatnonzero(np.diff(number, append=np.inf))
    first = np.concatenate(([0], last[:-1] + 1))
    points: list[tuple[float, float]] = []
    before = 0.0
    for low, high in zip(first.tolist(), last.tolist(), strict=True):
        # Sizes are whole numbers: the flows of size s are in (s − 1, s].
        start = float(sizes[low] - 1)
        if not points or start > points[-1][0]:
            points.append((start, before))
        before = float(flows[high] / flows[-1])
        points.append((float(sizes[high]), before))
    return SizeDistribution(name, False, (*points[:-1], (points[-1][0], 1.0)))


def _product_limit(ended: _Sizes, live: _Sizes) -> tuple[_Sizes, _Weights]:
    """The sizes that occur, ascending, and the share of the flows that has each."""
    sizes = np.concatenate((ended, live))
    is_end = np.repeat([True, False], [len(ended), len(live)])
    is_end, sizes = is_end[sizes > 0], sizes[sizes > 0]
    if not len(sizes):
        return sizes, np.zeros(0)
    order = np.lexsort((~is_end, sizes))  # of equal sizes, ends first
    sizes, is_end = sizes[order], is_end[order]
    is_end[-1] = True
    # Of so many flows that have come as far, one ends.
    still = np.arange(len(sizes), 0, -1)
    beyond = np.cumprod(1 - is_end / still)
    weights = -np.diff(beyond, prepend=1.0)
    values, row = np.unique(sizes[is_end], return_inverse=True)
    return values, np.bincount(row, weights[is_end]).astype(np.float64)
