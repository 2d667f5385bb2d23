"""How long the event loop did nothing but one thing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

_TICK_S = 0.002


class LoopWatch:
    """Looks at the clock every two milliseconds while it is entered."""

    def __init__(self) -> None:
        """Not looking yet."""
        self.longest_s = 0.0
        """The longest time for which nothing else had its turn."""

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
            before_s = time.monotonic()
            await asyncio.sleep(_TICK_S)
            self.longest_s = max(self.longest_s, time.monotonic() - before_s - _TICK_S)
