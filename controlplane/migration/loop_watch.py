"""How long the event loop did nothing but one thing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

_TICK_S = 0.002


class LoopWatch:
    """Looks at two clocks every two milliseconds while it is entered.

    The wall clock tells how late the loop was, whoever had the processor meanwhile; the clock
    of its own thread how long it was busy itself.
    """

    def __init__(self) -> None:
        """Not looking yet."""
        self.longest_busy_s = 0.0
        """The longest time of its own processor between two turns of anything else."""
        self.longest_late_s = 0.0
        """The longest time by which it was late."""

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """Looks during the block."""
        task = asyncio.create_task(self._watch(), name="loop watch")
        try:
            yield
        finally:
            task.cancel()

    async def _watch(self) -> None:
        while True:
            before_s, used_s = time.monotonic(), time.thread_time()
            await asyncio.sleep(_TICK_S)
            late_s = time.monotonic() - before_s - _TICK_S
            # It was free for the tick, unless it was busy then.
            busy_s = min(time.thread_time() - used_s, late_s)
            self.longest_late_s = max(self.longest_late_s, late_s)
            self.longest_busy_s = max(self.longest_busy_s, busy_s)
