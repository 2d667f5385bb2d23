"""Tells the primary of each role which entries have not been hit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bmv2.embedded.p4runtime.outbox import Outbox
from bmv2.embedded.p4runtime.pipeline import Pipeline

_SCAN_S = 0.02


class IdlePump:
    """Looks for expired entries at intervals."""

    def __init__(
        self, primaries: Callable[[], Sequence[Outbox]], pipeline: Callable[[], Pipeline | None]
    ) -> None:
        """`pipeline` is the one that has the packets."""
        self._primaries = primaries
        self._pipeline = pipeline

    async def run(self) -> None:
        """Sends notifications until cancelled."""
        while True:
            await asyncio.sleep(_SCAN_S)
            pipeline, primaries = self._pipeline(), self._primaries()
            # Without a primary the timers stand: it hears of what is idle when it comes.
            if pipeline is not None and primaries:
                for message in pipeline.idle_notifications():
                    for primary in primaries:
                        primary.offer(message)  # lost, it comes again after another timeout
