"""Markers that have been read from the port, and who waits for them."""

from __future__ import annotations

import asyncio


class MarkerLog:
    """Remembers the latest markers, so that a marker may come before who asks for it."""

    def __init__(self, capacity: int = 1 << 16) -> None:
        self.count = 0
        """Markers read so far."""
        self._capacity = capacity
        self._read: dict[int, None] = {}  # in the order in which they were read
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}

    def add(self, marker: int) -> None:
        """Notes that a marker has been read."""
        self.count += 1
        self._read[marker] = None
        if len(self._read) > self._capacity:
            del self._read[next(iter(self._read))]
        for waiter in self._waiting.pop(marker, ()):
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, marker: int) -> None:
        """Returns when the marker has been read."""
        if marker in self._read:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(marker, []).append(waiter)
        try:
            await waiter
        finally:
            others = self._waiting.get(marker)
            if others is not None:
                others.remove(waiter)
                if not others:
                    del self._waiting[marker]

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))
