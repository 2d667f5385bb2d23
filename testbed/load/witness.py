"""UDP witnesses: numbered datagrams that tell, without TCP's repairs, what the network did."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import cast

from testbed.load.record import WitnessRecord

_NUMBER = struct.Struct("!Q")
_PADDING = bytes(192)


class Witness(asyncio.DatagramProtocol):
    """Sends numbered datagrams and counts what comes back."""

    _transport: asyncio.DatagramTransport

    def __init__(self) -> None:
        self._sent = 0
        self._seen: set[int] = set()
        self._newest = -1
        self._duplicated = 0
        self._reordered = 0
        self._all_back = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def send(self) -> None:
        """Sends the next datagram."""
        self._transport.sendto(_NUMBER.pack(self._sent) + _PADDING)
        self._sent += 1
        self._all_back.clear()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Counts a datagram that has come back."""
        (number,) = _NUMBER.unpack_from(data)
        if number in self._seen:
            self._duplicated += 1
            return
        self._seen.add(number)
        if number < self._newest:
            self._reordered += 1
        else:
            self._newest = number
        if len(self._seen) == self._sent:
            self._all_back.set()

    async def settle(self, timeout_s: float) -> None:
        """Waits until every datagram sent has come back, at most `timeout_s`."""
        if len(self._seen) < self._sent:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_back.wait(), timeout_s)

    def close(self) -> WitnessRecord:
        """Ends the flow; what it saw."""
        local = self._transport.get_extra_info("sockname")
        remote = self._transport.get_extra_info("peername")
        self._transport.close()
        return WitnessRecord(
            local[1],
            remote[1],
            self._sent,
            self._sent - len(self._seen),
            self._duplicated,
            self._reordered,
        )
