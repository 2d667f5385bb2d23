"""Work that is ready at the same time is done together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class Batcher(Generic[_Item]):
    """Hands items to `flush` in batches, in the order they were added.

    While one batch is under way the next gathers, so batches grow with the load. What
    is queued is bounded by who adds: a flow has at most one item in each batcher.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[_Item]], Awaitable[None]],
        *,
        max_batch: int,
        at_once: int = 1,
    ) -> None:
        self._flush = flush
        self._max_batch = max_batch
        self._slots = asyncio.Semaphore(at_once)
        self._items: deque[_Item] = deque()
        self._ready = asyncio.Event()

    def add(self, item: _Item) -> None:
        """Queues an item."""
        self._items.append(item)
        self._ready.set()

    async def run(self) -> None:
        """Flushes batches until cancelled. What `flush` raises ends it."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._slots.acquire()
                await self._ready.wait()
                await asyncio.sleep(0)  # what is ready in this turn of the loop comes along
                size = min(len(self._items), self._max_batch)
                batch = [self._items.popleft() for _ in range(size)]
                if not self._items:
                    self._ready.clear()
                tasks.create_task(self._one(batch))

    async def _one(self, batch: Sequence[_Item]) -> None:
        try:
            await self._flush(batch)
        finally:
            self._slots.release()
