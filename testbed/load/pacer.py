"""Sends the payloads of many flows, each at its own steady pace, from one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from testbed.load.payload import Payload

_SLOTS = 25  # the flows' turns are spread over this many ticks of an interval
_FULL_BUFFER = 1 << 16  # a flow whose unsent bytes pass this many misses its turn


class Sender:
    """The payload of one flow on its way out."""

    def __init__(
        self,
        transport: asyncio.Transport,
        payload: Payload,
        flow: int,
        size: int,
        *,
        on_sent: Callable[[], None] | None = None,
    ) -> None:
        self._transport = transport
        self._payload = payload
        self._flow = flow
        self._on_sent = on_sent
        self.size = size
        self.sent = 0
        self.stopped = False

    def send(self, length: int) -> bool:
        """Sends up to `length` bytes; false when there is nothing more to send."""
        if self.stopped or self._transport.is_closing():
            return False
        if self._transport.get_write_buffer_size() > _FULL_BUFFER:
            return True
        length = min(length, self.size - self.sent)
        self._transport.write(self._payload.piece(self._flow, self.sent, length))
        self.sent += length
        if self.sent < self.size:
            return True
        if self._on_sent is not None:
            self._on_sent()
        return False


class Pacer:
    """Gives each sender a turn of `chunk` bytes every `interval_s`.

    The load is limited by its senders, not by the network: so it is the same
    whatever the switch does, and as many flows are active at once as arrive a
    second times the time each of them takes. A pacer that got no processor makes up
    for one interval, not for more: a burst after it would be no load that anyone asked for.
    """

    def __init__(self, chunk: int, interval_s: float) -> None:
        self._chunk = chunk
        self._interval_s = interval_s
        self._tick_s = interval_s / _SLOTS
        self._slots: list[list[Sender]] = [[] for _ in range(_SLOTS)]
        self._next = 0

    def add(self, sender: Sender) -> None:
        """Sends the first chunk now and the others in their turns."""
        if sender.send(self._chunk):
            # The slot just served: its next turn is a whole interval away.
            self._slots[(self._next - 1) % _SLOTS].append(sender)

    async def run(self) -> None:
        """Sends until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._tick_s, loop.time() - self._interval_s)
            await asyncio.sleep(max(0.0, due - loop.time()))
            slot, self._next = self._next, (self._next + 1) % _SLOTS
            senders = self._slots[slot]
            if senders:
                self._slots[slot] = [each for each in senders if each.send(self._chunk)]
