"""Packets on their way to the switch: one queue, so that their order is kept."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable

from controlplane.migration.peers import Switch
from controlplane.p4_constants import PACKET_OUT_RELEASE
from controlplane.switch.errors import SwitchError
from controlplane.switch.packets import PacketOut

_BATCH = 64

logger = logging.getLogger(__name__)


class Outbox:
    """Sends packets in the order they were added.

    It is bounded by who adds: buffered packets were counted before, and whoever passes
    packets on at once waits for `room` first.
    """

    def __init__(
        self, switch: Switch, max_bytes: int, before_sending: Callable[[], None] = lambda: None
    ) -> None:
        """`before_sending` is called before anything is sent."""
        self._switch = switch
        self._before_sending = before_sending
        self._max_bytes = max_bytes
        self._packets: deque[PacketOut | Callable[[], None]] = deque()
        self._bytes = 0
        self._under_way: list[PacketOut] = []
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.lost = 0
        """Packets that the switch did not take."""

    def add(self, packet: PacketOut) -> None:
        """Queues a packet."""
        self._packets.append(packet)
        self._bytes += len(packet.payload)
        if self._bytes > self._max_bytes:
            self._room.clear()
        self._ready.set()

    def when_sent(self, then: Callable[[], None]) -> None:
        """Calls `then` when everything added so far has been sent."""
        self._packets.append(then)
        self._ready.set()

    async def room(self) -> None:
        """Waits until what is queued is below the bound."""
        await self._room.wait()

    def give_up(self) -> None:
        """The switch takes no more: what is queued is lost, and may be what was being sent."""
        queued = [item for item in self._packets if isinstance(item, PacketOut)]
        left = _count_released((*self._under_way, *queued))
        if left:
            self.lost += left
            logger.error("%d packets lost that were on their way to the switch", left)

    async def run(self) -> None:
        """Sends until cancelled."""
        while True:
            await self._ready.wait()
            batch: list[PacketOut] = []
            calls: list[Callable[[], None]] = []
            while self._packets and len(batch) < _BATCH:
                item = self._packets.popleft()
                if isinstance(item, PacketOut):
                    batch.append(item)
                else:
                    calls.append(item)
            if batch:
                await self._send(batch)
            for call in calls:
                call()
            if not self._packets:
                self._ready.clear()

    async def _send(self, batch: list[PacketOut]) -> None:
        self._under_way = batch
        self._before_sending()
        try:
            await self._switch.send(batch)
            self._under_way = []
        except SwitchError as error:
            self._under_way = []
            lost = _count_released(batch)
            self.lost += lost
            logger.error("%d packets lost on the way to the switch: %s", lost, error)
        finally:
            self._bytes -= sum(len(packet.payload) for packet in batch)
            if self._bytes <= self._max_bytes:
                self._room.set()


def _count_released(packets: Iterable[PacketOut]) -> int:
    """Packets of flows, as opposed to markers and barriers."""
    return sum(packet.kind == PACKET_OUT_RELEASE for packet in packets)
