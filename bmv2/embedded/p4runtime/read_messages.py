"""What a Read answers, in few messages: each on the stream costs more than what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from finsy.proto import p4r

_ENOUGH = 1 << 14  # bytes


class ReadMessages:
    """Gathers responses. Small ones go together, in the order they came.

    Serialised messages one after the other are one message with the entities of all.
    """

    def __init__(self) -> None:
        self._full: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._waiting: list[bytes] = []
        self._size = 0

    def add(self, response: p4r.ReadResponse | bytes) -> bool:
        """Takes a response, serialised or not; whether that made a message full."""
        octets = response if isinstance(response, bytes) else response.SerializeToString()
        self._waiting.append(octets)
        self._size += len(octets)
        if self._size < _ENOUGH:
            return False
        self._flush()
        return True

    def _flush(self) -> None:
        self._full.put_nowait(b"".join(self._waiting))
        self._waiting, self._size = [], 0

    @asynccontextmanager
    async def sending(self, write: Callable[[bytes], Awaitable[None]]) -> AsyncGenerator[None]:
        """Writes messages as they are full, while others are gathered; in the end, the rest.

        Nobody who gathers waits for one who does not read.
        """
        task = asyncio.create_task(self._send(write), name="answers of a Read")
        try:
            yield
            if self._waiting:
                self._flush()
            self._full.put_nowait(None)
            await task
        finally:
            task.cancel()

    async def _send(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        while (message := await self._full.get()) is not None:
            await write(message)
