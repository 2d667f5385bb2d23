"""What has come from the switch and waits to be taken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from controlplane.switch.errors import SwitchError

_T = TypeVar("_T")


class Inbox(Generic[_T]):
    """A bounded queue that never drops: who puts waits while it is full.

    When it is broken, what has come before can still be taken.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[_T] = deque()
        self._filled = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._error: SwitchError | None = None

    def __len__(self) -> int:
        """Items that wait."""
        return len(self._items)

    async def put(self, item: _T) -> None:
        """Adds an item, after having waited for room."""
        while len(self._items) >= self._capacity:
            self._has_room.clear()
            await self._has_room.wait()
        self._items.append(item)
        self._filled.set()

    def break_off(self, error: SwitchError) -> None:
        """Nothing comes any more; who takes gets this error when all is taken."""
        self._error = error
        self._filled.set()

    async def items(self) -> AsyncIterator[_T]:
        """Items as they come. Raises the error that broke it off."""
        while True:
            while self._items:
                item = self._items.popleft()
                if not self._has_room.is_set() and len(self._items) <= self._capacity // 2:
                    self._has_room.set()
                yield item
            if self._error is not None:
                raise SwitchError(
                    str(self._error), is_unanswered=True, is_superseded=self._error.is_superseded
                )
            self._filled.clear()
            await self._filled.wait()
