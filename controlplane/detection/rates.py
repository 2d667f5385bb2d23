"""How fast flows send, from two looks at the flow information table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from controlplane.detection.flows import FlowTable


def rates(earlier: FlowTable, later: FlowTable, between_s: float) -> npt.NDArray[np.float64]:
    """Bytes a second of each flow of `later`, over the `between_s` seconds between the two.

    A flow that is not in `earlier`, or began anew since, has sent all it has in that time.
    """
    before = np.zeros(len(later), np.int64)
    there, here = _common(earlier, later)
    same = earlier.bytes[there] <= later.bytes[here]
    before[here[same]] = earlier.bytes[there[same]]
    return (later.bytes - before) / between_s


def _common(one: FlowTable, other: FlowTable) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The rows of the flows that are in both tables."""
    keys = np.concatenate((one.keys(), other.keys()), axis=1)
    order = np.lexsort(keys)  # stable: of two equal keys that of `one` comes first
    ordered = keys[:, order]
    at = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).all(axis=0))
    return order[at], order[at + 1] - len(one)
