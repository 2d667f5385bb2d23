"""StreamChannel: what controllers say, from their arbitration to their end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TypeAlias

import grpc
from finsy.proto import p4r

from bmv2.embedded.p4runtime.arbitration import Arbitration
from bmv2.embedded.p4runtime.errors import (
    Code,
    P4RuntimeError,
    code_number,
    denied,
    unimplemented,
)
from bmv2.embedded.p4runtime.outbox import Outbox
from bmv2.embedded.p4runtime.pipeline import Pipeline
from bmv2.embedded.p4runtime.role import Notifications

# What reading a stream gives at its end; the stubs of grpc.aio leave it out.
EOF: object = grpc.aio.EOF  # pyright: ignore[reportAttributeAccessIssue]

_MAX_ECHO_BYTES = 1 << 17

_log = logging.getLogger(__name__)

StreamContext: TypeAlias = "grpc.aio.ServicerContext[p4r.StreamMessageRequest, object]"


class Streams:
    """The streams of one device. For one event loop."""

    def __init__(
        self, arbitration: Arbitration[Outbox], pipeline: Callable[[], Pipeline | None]
    ) -> None:
        """`pipeline` is the one that has the packets."""
        self._arbitration = arbitration
        self._pipeline = pipeline

    async def serve(self, context: StreamContext) -> None:
        """Serves one stream until its end."""
        outbox = Outbox()
        sender = asyncio.create_task(_send_all(outbox, context), name="stream sender")
        try:
            while (message := await context.read()) is not EOF:
                self._handle(outbox, message)
        except P4RuntimeError as error:
            await context.abort(error.code, error.message)
        finally:
            sender.cancel()
            lost = outbox.close()
            if lost:
                _log.warning("a controller has gone; %d packet_ins did not reach it", lost)
            _send(self._arbitration.leave(outbox))
            await asyncio.wait([sender])

    def _handle(self, outbox: Outbox, message: p4r.StreamMessageRequest) -> None:
        """Handles one message of a controller. Raises P4RuntimeError to end its stream."""
        match message.WhichOneof("update"):
            case "arbitration":
                _send(self._arbitration.update(outbox, message.arbitration))
            case "packet":
                try:
                    self._primary_pipeline(outbox, "packet_out").send_packet_out(message.packet)
                except P4RuntimeError as error:
                    details = p4r.PacketOutError(packet_out=_echo(message.packet))
                    _report(outbox, error, packet_out=details)
            case "digest_ack":
                try:
                    pipeline = self._primary_pipeline(outbox, "digest_ack")
                    pipeline.entities.digests.acknowledge(message.digest_ack)
                except P4RuntimeError as error:
                    details = p4r.DigestListAckError(digest_list_ack=message.digest_ack)
                    _report(outbox, error, digest_list_ack=details)
            case other:
                details = p4r.StreamOtherError(other=message.other)
                _report(outbox, unimplemented(f"stream message {other}"), other=details)

    def _primary_pipeline(self, outbox: Outbox, what: str) -> Pipeline:
        """The pipeline that a message of a primary is for. Raises P4RuntimeError."""
        if outbox not in self._arbitration.primaries:
            raise denied(f"{what}: not primary")
        pipeline = self._pipeline()
        if pipeline is None:
            raise P4RuntimeError(
                Code.FAILED_PRECONDITION, f"{what}: no forwarding pipeline config is set"
            )
        return pipeline


def _send(notifications: Notifications[Outbox]) -> None:
    for outbox, message in notifications:
        outbox.send(message)


def _echo(packet: p4r.PacketOut) -> p4r.PacketOut:
    """A packet for its sender, without a payload that might be more than he takes."""
    if len(packet.payload) <= _MAX_ECHO_BYTES:
        return packet
    return p4r.PacketOut(metadata=packet.metadata)


def _report(
    outbox: Outbox,
    error: P4RuntimeError,
    *,
    packet_out: p4r.PacketOutError | None = None,
    digest_list_ack: p4r.DigestListAckError | None = None,
    other: p4r.StreamOtherError | None = None,
) -> None:
    """Tells a controller what was wrong with a message (specification, 16.6)."""
    message = p4r.StreamError(
        canonical_code=code_number(error.code),
        message=error.message,
        packet_out=packet_out,
        digest_list_ack=digest_list_ack,
        other=other,
    )
    outbox.offer(p4r.StreamMessageResponse(error=message))


async def _send_all(outbox: Outbox, context: StreamContext) -> None:
    """Sends what is queued for a controller until cancelled, or until it is gone."""
    # A stream that breaks raises here what it raises at the reader as well.
    with contextlib.suppress(asyncio.InvalidStateError, grpc.RpcError):
        while True:
            await context.write(await outbox.next())
