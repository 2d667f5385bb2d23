"""Barriers: packets that go through the switch and come back behind all held ones."""

from __future__ import annotations

import asyncio

from controlplane.migration.counts import ControlCounts
from controlplane.migration.numbers import Numbers
from controlplane.migration.options import Limits
from controlplane.migration.outbox import Outbox
from controlplane.p4_constants import PACKET_OUT_BARRIER
from controlplane.switch.packets import PacketOut

_FRAME = bytes(60)


class Barriers:
    """Sends barriers and knows those that are still out."""

    def __init__(self, outbox: Outbox, numbers: Numbers, limits: Limits) -> None:
        self._outbox = outbox
        self._numbers = numbers
        self._limits = limits
        self._waiting: dict[int, tuple[asyncio.Event, ControlCounts]] = {}
        self.lost = 0
        """Barriers that have not come back in time."""

    async def wait(self, counts: ControlCounts) -> bool:
        """Returns when every packet held so far has arrived; whether that is known.

        One that does not come back is sent again, a few times; then it is counted as
        lost, and the wait is over all the same.
        """
        for _ in range(self._limits.barrier_attempts):
            number = self._numbers.next()
            event = asyncio.Event()
            self._waiting[number] = event, counts
            try:
                self._outbox.add(PacketOut(PACKET_OUT_BARRIER, _FRAME, migration=number))
                counts.packet_outs += 1
                async with asyncio.timeout(self._limits.barrier_timeout_s):
                    await event.wait()
                return True
            except TimeoutError:
                self.lost += 1
            finally:
                del self._waiting[number]
        return False

    def arrived(self, number: int) -> None:
        """A barrier has come back."""
        waiting = self._waiting.get(number)
        if waiting is not None:
            event, counts = waiting
            counts.packet_ins += 1
            event.set()
