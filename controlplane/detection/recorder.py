"""How large the flows were that have ended, as the flow information table tells afterwards.

A slot of the table keeps what it says until another flow takes it, so a look now and then
finds most of what has ended since the last one. Which flows are overwritten before that does
not depend on their size.

A flow here is what the table takes for one: packets without a pause of more than the
activity window. That is also what a detector sees the bytes of.
"""

from __future__ import annotations

import numpy as np

from controlplane.detection.flows import Integers, Loads
from controlplane.sizes.distribution import SizeDistribution, SizesError
from controlplane.sizes.estimate import estimate

_LEAST = 100  # flows that make a distribution


class FlowRecorder:
    """The sizes of the flows that ended last, up to a bound, and of those that go on."""

    def __init__(self, window_us: int, capacity: int = 1 << 14) -> None:
        """`window_us` is the switch's activity window."""
        self._window_us = window_us
        self._capacity = capacity
        self._ended = np.zeros(0, np.int64)
        self._live = np.zeros(0, np.int64)
        self._seen_until_us: int | None = None

    def observe(self, flows: Loads, now_us: int) -> None:
        """Takes all that the table says at a time of the switch, idle slots included."""
        over_us = now_us - flows.idle_us + self._window_us
        is_over = over_us < now_us
        if self._seen_until_us is not None:
            is_over &= over_us >= self._seen_until_us
        new = flows.bytes[is_over]
        self._ended = np.concatenate((self._ended, new))[-self._capacity :]
        self._live = flows.bytes[(over_us >= now_us) & ~flows.ended]
        self._seen_until_us = now_us

    @property
    def ended(self) -> Integers:
        """Sizes of the flows that have been seen to end, in bytes, the newest last."""
        return self._ended

    @property
    def live(self) -> Integers:
        """What the flows that were live at the last look had sent, in bytes."""
        return self._live

    def distribution(self) -> SizeDistribution:
        """The distribution of flow sizes. Raises SizesError while too few flows have ended."""
        if len(self._ended) < _LEAST:
            raise SizesError(
                f"learnt: {len(self._ended)} flows have been seen to end, {_LEAST} are needed"
            )
        return estimate("learnt", self._ended, self._live)
