"""The stream of a session: arbitration, packets in both directions, idle timeouts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import grpc
from finsy.proto import U128, p4r, rpc_code

from controlplane.switch.entries import Entry
from controlplane.switch.errors import SwitchError
from controlplane.switch.inbox import Inbox
from controlplane.switch.packets import PacketIn, PacketOut
from controlplane.switch.program import Program
from controlplane.switch.rpc import translated

_PACKET_INS = 1 << 16
_IDLE_ENTRIES = 1 << 16
_ARBITRATION_ATTEMPTS = 3
_SEQUENCE_BITS = 32

logger = logging.getLogger(__name__)


class SwitchStream:
    """Owns P4Runtime's StreamChannel.

    It reads as fast as its owner takes. When an inbox is full it stops reading, and gRPC's
    flow control makes the switch wait: nothing is dropped here.
    """

    def __init__(self, stub: Any, program: Program, device_id: int, timeout_s: float) -> None:
        """Opens the stream on a P4Runtime stub; `timeout_s` bounds arbitration and sending."""
        self._call: Any = stub.StreamChannel()
        self._program = program
        self._device_id = device_id
        self._timeout_s = timeout_s
        self._packets = Inbox[PacketIn](_PACKET_INS)
        self._idle = Inbox[Entry](_IDLE_ENTRIES)
        self._sending = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        self._error: SwitchError | None = None
        self._last: int | None = None  # sequence number of the last packet_in
        self.refused_packet_outs = 0
        """Packets to the switch that it said it could not take."""

    # --- start and end ----------------------------------------------------------------

    async def become_primary(self, election_id: int) -> int:
        """Asks to be the primary controller, and starts to read. Returns the election id.

        Takes the place of a primary with a smaller id. Raises SwitchError.
        """
        for _ in range(_ARBITRATION_ATTEMPTS):
            answer = await self._arbitrate(election_id)
            if answer.status.code == rpc_code.OK:
                self._reader = asyncio.create_task(self._read(), name="switch stream")
                return election_id
            if answer.status.code != rpc_code.NOT_FOUND:
                break
            election_id = U128.decode(answer.election_id) + 1  # a larger one was here before
        raise SwitchError(
            f"another controller is the primary, with election id {U128.decode(answer.election_id)}"  # pyright: ignore[reportPossiblyUnboundVariable]
        )

    async def close(self) -> None:
        """Ends the stream."""
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader
        self._call.cancel()
        self._break_off(SwitchError("the session has been closed"))

    async def _arbitrate(self, election_id: int) -> p4r.MasterArbitrationUpdate:
        request = p4r.StreamMessageRequest(
            arbitration=p4r.MasterArbitrationUpdate(
                device_id=self._device_id, election_id=U128.encode(election_id)
            )
        )
        with translated("arbitration"):
            async with asyncio.timeout(self._timeout_s):
                await self._call.write(request)
                while True:
                    message = await self._receive()
                    if message.WhichOneof("update") == "arbitration":
                        return message.arbitration

    # --- from the switch --------------------------------------------------------------

    async def _receive(self) -> p4r.StreamMessageResponse:
        message: Any = await self._call.read()
        if message is grpc.aio.EOF:  # pyright: ignore[reportAttributeAccessIssue] - no stubs
            raise SwitchError("the switch has ended the stream", is_unanswered=True)
        return message

    async def _read(self) -> None:
        try:
            with translated("stream"):
                while True:
                    await self._take(await self._receive())
        except SwitchError as error:
            self._break_off(error)
        except Exception as error:  # what the switch sent makes no sense
            logger.exception("a message of the switch cannot be read")
            self._break_off(SwitchError(f"a message of the switch cannot be read: {error!r}"))

    async def _take(self, message: p4r.StreamMessageResponse) -> None:
        match message.WhichOneof("update"):
            case "packet":
                packet, number = self._program.decode_packet(message.packet)
                await self._packets.put(self._in_sequence(packet, number))
            case "idle_timeout_notification":
                for each in message.idle_timeout_notification.table_entry:
                    entry = self._program.decode_entry(each)
                    if entry is not None:
                        await self._idle.put(entry)
            case "arbitration":
                if message.arbitration.status.code != rpc_code.OK:
                    raise SwitchError(
                        "another controller has become the primary, with election id"
                        f" {U128.decode(message.arbitration.election_id)}",
                        is_superseded=True,
                    )
            case "error":
                self.refused_packet_outs += 1
                logger.error("the switch refused a packet: %s", message.error.message)
            case other:
                logger.warning("the switch sent an unexpected %s", other)

    def _in_sequence(self, packet: PacketIn, number: int) -> PacketIn:
        """The packet, with how many were lost before it; before the first, nobody can tell."""
        lost = 0 if self._last is None else (number - self._last - 1) % (1 << _SEQUENCE_BITS)
        self._last = number
        return packet._replace(lost_before=lost) if lost else packet

    def _break_off(self, error: SwitchError) -> None:
        if self._error is None:
            self._error = error
            self._packets.break_off(error)
            self._idle.break_off(error)

    def packet_ins(self) -> AsyncIterator[PacketIn]:
        """Packets as they come; for one reader. Raises SwitchError when the stream breaks."""
        return self._packets.items()

    def idle_entries(self) -> AsyncIterator[Entry]:
        """Entries that have been idle for their timeout; they are still in their tables.

        For one reader. Raises SwitchError when the stream breaks.
        """
        return self._idle.items()

    # --- to the switch ----------------------------------------------------------------

    async def send(self, packets: Sequence[PacketOut]) -> None:
        """Sends packets in this order; waits while the switch is slow to take them.

        Raises SwitchError; some of the packets may then have been sent.
        """
        encode, write = self._program.encode_packet, self._call.write
        async with self._sending:
            with translated("packet_out"):
                async with asyncio.timeout(self._timeout_s):
                    for packet in packets:
                        self.check()
                        await write(encode(packet))

    def check(self) -> None:
        """Raises SwitchError when the stream is broken."""
        if self._error is not None:
            raise SwitchError(
                str(self._error),
                is_unanswered=self._error.is_unanswered,
                is_superseded=self._error.is_superseded,
            )
