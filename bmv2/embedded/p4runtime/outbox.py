"""What waits to be sent to one controller."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from finsy.proto import p4r

_CAPACITY = 4096
"""Messages. Who sends more waits; a packet_in waits in the data plane's ring."""
_LOOK_S = 0.1
"""How often who waits looks whether it still has to."""


class Outbox:
    """A bounded queue of stream messages in order. For one event loop."""

    def __init__(self) -> None:
        self._messages: deque[p4r.StreamMessageResponse] = deque()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._is_closed = False
        self._is_given_up = False
        self._taken = 0

    def send(self, message: p4r.StreamMessageResponse) -> None:
        """Queues a message that cannot wait, whatever the number queued.

        What it says of the arbitration replaces what was said before, where that has not been
        taken for so long that the queue is full: who does not listen is not to fill it.
        """
        if self._is_closed:
            return
        if message.HasField("arbitration") and len(self._messages) >= _CAPACITY:
            self._drop_arbitration()
        self._messages.append(message)
        self._filled.set()

    def _drop_arbitration(self) -> None:
        for place, message in enumerate(self._messages):
            if message.HasField("arbitration"):
                del self._messages[place]
                return

    def offer(self, message: p4r.StreamMessageResponse) -> bool:
        """Queues a message that may be lost, if there is room for it; whether there was."""
        if self._is_closed or len(self._messages) >= _CAPACITY:
            return False
        self.send(message)
        return True

    async def send_when_drained(
        self,
        message: p4r.StreamMessageResponse,
        patience_s: float | None = None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Queues a message as soon as there is room; false when the controller is gone.

        Or when it is not to be waited for any more. With a bound to the patience also when it
        has read nothing for so long: then nothing waits for it any more until it has taken half
        of what is queued.
        """
        while len(self._messages) >= _CAPACITY and not self._is_closed:
            if not is_wanted() or (self._is_given_up and patience_s is not None):
                return False
            self._drained.clear()
            before = self._taken
            try:
                async with asyncio.timeout(_LOOK_S if patience_s is None else patience_s):
                    await self._drained.wait()
            except TimeoutError:
                self._is_given_up = patience_s is not None and self._taken == before
        self.send(message)
        return not self._is_closed

    async def next(self) -> p4r.StreamMessageResponse:
        """Takes the oldest message; waits for one."""
        while not self._messages:
            self._filled.clear()
            await self._filled.wait()
        message = self._messages.popleft()
        self._taken += 1
        if len(self._messages) <= _CAPACITY // 2:
            self._drained.set()
            self._is_given_up = False
        return message

    def close(self) -> int:
        """Throws away what is queued; the number of packet_ins among it."""
        self._is_closed = True
        lost = sum(message.HasField("packet") for message in self._messages)
        self._messages.clear()
        self._drained.set()
        return lost
