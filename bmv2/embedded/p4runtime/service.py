"""The P4Runtime service: unary calls and the stream, over the parts that decide."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TypeAlias

import grpc
from finsy.proto import U128, p4r

from bmv2.embedded.p4runtime.arbitration import Arbitration
from bmv2.embedded.p4runtime.errors import (
    DETAILS_KEY,
    Code,
    P4RuntimeError,
    batch_status,
    code_number,
    denied,
    unimplemented,
)
from bmv2.embedded.p4runtime.outbox import Outbox
from bmv2.embedded.p4runtime.packet_in import PacketInPump
from bmv2.embedded.p4runtime.pipeline_config import Loader, PipelineConfigs

# What reading a stream gives at its end; the stubs of grpc.aio leave it out.
EOF: object = grpc.aio.EOF  # pyright: ignore[reportAttributeAccessIssue]

_log = logging.getLogger(__name__)

API_VERSION = "1.4.1"

_IDLE_SCAN_S = 0.02

_Context: TypeAlias = "grpc.aio.ServicerContext[p4r.StreamMessageRequest, object]"


class P4RuntimeService:
    """One device with one P4Runtime service. For one event loop."""

    def __init__(self, device_id: int, load: Loader) -> None:
        self._arbitration: Arbitration[Outbox] = Arbitration(device_id)
        self._packet_ins = PacketInPump(lambda: self._arbitration.primary)
        self._configs = PipelineConfigs(load, self._packet_ins.follow)

    async def run(self) -> None:
        """Carries packet_ins and idle notifications to the primary until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._packet_ins.run(), name="packet_in")
                tasks.create_task(self._notify_idle(), name="idle timeouts")
        finally:
            self.close()

    def close(self) -> None:
        """Stops the data plane. Closing twice is no error."""
        self._configs.stop()

    async def load(self, config: p4r.ForwardingPipelineConfig) -> None:
        """Loads a program without a controller. Raises P4RuntimeError."""
        action = p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT
        await self._configs.set(action, config)

    # --- unary calls -------------------------------------------------------------

    async def capabilities(
        self, request: p4r.CapabilitiesRequest, context: _Context
    ) -> p4r.CapabilitiesResponse:
        """Capabilities."""
        return p4r.CapabilitiesResponse(p4runtime_api_version=API_VERSION)

    async def set_forwarding_pipeline_config(
        self, request: p4r.SetForwardingPipelineConfigRequest, context: _Context
    ) -> p4r.SetForwardingPipelineConfigResponse:
        """SetForwardingPipelineConfig."""
        try:
            self._check_primary(request)
            config = request.config if request.HasField("config") else None
            await self._configs.set(request.action, config)
        except P4RuntimeError as error:
            await context.abort(error.code, error.message)
        return p4r.SetForwardingPipelineConfigResponse()

    async def get_forwarding_pipeline_config(
        self, request: p4r.GetForwardingPipelineConfigRequest, context: _Context
    ) -> p4r.GetForwardingPipelineConfigResponse:
        """GetForwardingPipelineConfig."""
        try:
            self._arbitration.check_device(request.device_id)
            config = self._configs.get(request.response_type)
        except P4RuntimeError as error:
            await context.abort(error.code, error.message)
        return p4r.GetForwardingPipelineConfigResponse(config=config)

    async def write(self, request: p4r.WriteRequest, context: _Context) -> p4r.WriteResponse:
        """Write. A batch is done without a break: no other request comes in between."""
        results: list[P4RuntimeError | None] = []
        try:
            self._check_primary(request)
            pipeline = self._configs.configured()
            if request.atomicity != p4r.WriteRequest.CONTINUE_ON_ERROR:
                name = p4r.WriteRequest.Atomicity.Name(request.atomicity)
                raise unimplemented(f"atomicity {name}: only CONTINUE_ON_ERROR is known")
        except P4RuntimeError as error:
            await context.abort(error.code, error.message)
        for update in request.updates:
            try:
                pipeline.write(update)
                results.append(None)
            except P4RuntimeError as error:
                results.append(error)
        if any(results):
            status = batch_status(results)
            await context.abort(
                Code.UNKNOWN, status.message, ((DETAILS_KEY, status.SerializeToString()),)
            )
        return p4r.WriteResponse()

    async def read(self, request: p4r.ReadRequest, context: _Context) -> None:
        """Read."""
        try:
            self._arbitration.check_device(request.device_id)
            if request.role:
                raise unimplemented(f"role {request.role!r}: only the default role is known")
            pipeline = self._configs.configured()
            for query in request.entities:
                for response in pipeline.read(query):
                    await context.write(response)
        except P4RuntimeError as error:
            await context.abort(error.code, error.message)

    def _check_primary(
        self, request: p4r.WriteRequest | p4r.SetForwardingPipelineConfigRequest
    ) -> None:
        self._arbitration.check_device(request.device_id)
        if not request.HasField("election_id"):
            raise denied("not primary: the election id is missing")
        self._arbitration.check_primary(request.role, U128.decode(request.election_id))

    # --- the stream --------------------------------------------------------------

    async def stream_channel(self, _: object, context: _Context) -> None:
        """StreamChannel: one controller, from its arbitration to its end."""
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
                    self._send_packet_out(outbox, message.packet)
                except P4RuntimeError as error:
                    response = _stream_error(error)
                    response.error.packet_out.packet_out.CopyFrom(message.packet)
                    outbox.send(response)
            case "digest_ack":
                response = _stream_error(unimplemented("digests"))
                response.error.digest_list_ack.digest_list_ack.CopyFrom(message.digest_ack)
                outbox.send(response)
            case other:
                response = _stream_error(unimplemented(f"stream message {other}"))
                response.error.other.other.CopyFrom(message.other)
                outbox.send(response)

    def _send_packet_out(self, outbox: Outbox, packet: p4r.PacketOut) -> None:
        if self._arbitration.primary is not outbox:
            raise denied("packet_out: not primary")
        pipeline = self._configs.forwarding
        if pipeline is None:
            raise P4RuntimeError(
                Code.FAILED_PRECONDITION, "packet_out: no forwarding pipeline config is set"
            )
        pipeline.send_packet_out(packet)

    # --- what comes from the data plane ------------------------------------------

    async def _notify_idle(self) -> None:
        while True:
            await asyncio.sleep(_IDLE_SCAN_S)
            pipeline = self._configs.forwarding
            primary = self._arbitration.primary
            # Without a primary the timers stand: it hears of what is idle when it comes.
            if pipeline is not None and primary is not None:
                for message in pipeline.idle_notifications():
                    primary.send(message)


def _send(notifications: list[tuple[Outbox, p4r.StreamMessageResponse]]) -> None:
    for outbox, message in notifications:
        outbox.send(message)


async def _send_all(outbox: Outbox, context: _Context) -> None:
    """Sends what is queued for a controller until cancelled, or until it is gone."""
    # A stream that breaks raises here what it raises at the reader as well.
    with contextlib.suppress(asyncio.InvalidStateError, grpc.RpcError):
        while True:
            await context.write(await outbox.next())


def _stream_error(error: P4RuntimeError) -> p4r.StreamMessageResponse:
    """A StreamError, its details still to be set."""
    return p4r.StreamMessageResponse(
        error=p4r.StreamError(canonical_code=code_number(error.code), message=error.message)
    )
