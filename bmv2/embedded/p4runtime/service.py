"""The P4Runtime service: the unary calls, over the parts that decide."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

import grpc
from finsy.proto import p4r

from bmv2.embedded.p4runtime.arbitration import Arbitration
from bmv2.embedded.p4runtime.batch import Batch, Results, write_batch
from bmv2.embedded.p4runtime.digest_pump import DigestPump
from bmv2.embedded.p4runtime.errors import (
    DETAILS_KEY,
    Code,
    P4RuntimeError,
    batch_status,
)
from bmv2.embedded.p4runtime.idle_pump import IdlePump
from bmv2.embedded.p4runtime.outbox import Outbox
from bmv2.embedded.p4runtime.packet_in import PacketInPump
from bmv2.embedded.p4runtime.pipeline import Pipeline
from bmv2.embedded.p4runtime.pipeline_config import Loader, PipelineConfigs
from bmv2.embedded.p4runtime.port_pump import PortPump
from bmv2.embedded.p4runtime.read_messages import ReadMessages
from bmv2.embedded.p4runtime.stream import StreamContext, Streams

API_VERSION = "1.4.1"

_Context: TypeAlias = "grpc.aio.ServicerContext[object, object]"


class P4RuntimeService:
    """One device with one P4Runtime service. For one event loop."""

    def __init__(self, device_id: int, load: Loader) -> None:
        self._arbitration: Arbitration[Outbox] = Arbitration(device_id)
        self._packet_ins = PacketInPump(lambda: self._arbitration.primaries)
        self._digests = DigestPump(lambda: self._arbitration.primaries)
        self._configs = PipelineConfigs(load, self._follow)
        self._idle = IdlePump(lambda: self._arbitration.primaries, lambda: self._configs.forwarding)
        self._ports = PortPump(lambda: self._configs.forwarding)
        self._streams = Streams(self._arbitration, lambda: self._configs.forwarding)
        # A Read that is taken in several steps sees no Write in between.
        self._state = asyncio.Lock()

    def _follow(self, pipeline: Pipeline | None) -> None:
        self._packet_ins.follow(pipeline)
        self._digests.follow(pipeline)

    async def run(self) -> None:
        """Carries what comes from the data plane to the primaries until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._packet_ins.run(), name="packet_in")
                tasks.create_task(self._digests.run(), name="digests")
                tasks.create_task(self._idle.run(), name="idle timeouts")
                tasks.create_task(self._ports.run(), name="ports")
        finally:
            self.close()

    def close(self) -> None:
        """Stops the data plane. Closing twice is no error."""
        self._configs.stop()

    async def load(self, config: p4r.ForwardingPipelineConfig) -> None:
        """Loads a program without a controller. Raises P4RuntimeError."""
        action = p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT
        await self._configs.set(action, config, lambda: None)

    async def capabilities(
        self, request: p4r.CapabilitiesRequest, context: _Context
    ) -> p4r.CapabilitiesResponse:
        """Capabilities."""
        if request.device_id:
            try:
                self._arbitration.check_device(request.device_id)
            except P4RuntimeError as error:
                await context.abort(error.code, error.message)
        return p4r.CapabilitiesResponse(p4runtime_api_version=API_VERSION)

    async def set_forwarding_pipeline_config(
        self, request: p4r.SetForwardingPipelineConfigRequest, context: _Context
    ) -> p4r.SetForwardingPipelineConfigResponse:
        """SetForwardingPipelineConfig."""
        try:
            self._arbitration.check_primary(request)
            config = request.config if request.HasField("config") else None
            await self._configs.set(
                request.action, config, lambda: self._arbitration.check_primary(request)
            )
        except P4RuntimeError as error:
            await context.abort(error.code, error.message)
        return p4r.SetForwardingPipelineConfigResponse()

    async def get_forwarding_pipeline_config(
        self, request: p4r.GetForwardingPipelineConfigRequest, context: _Context
    ) -> p4r.GetForwardingPipelineConfigResponse:
        """GetForwardingPipelineConfig."""
        try:
            self._arbitration.check_device(request.device_id)
        except P4RuntimeError as error:
            await context.abort(error.code, error.message)
        config = self._configs.get(request.response_type)
        return p4r.GetForwardingPipelineConfigResponse(config=config)

    async def write(self, batch: Batch, context: _Context) -> p4r.WriteResponse:
        """Write. A batch is done without a break: no other request comes in between."""
        async with self._state:
            try:
                self._arbitration.check_primary(batch.request)
                pipeline = self._configs.configured()
                results = write_batch(pipeline, batch)
            except P4RuntimeError as error:
                await context.abort(error.code, error.message)
        await _abort_if_any(context, results, "updates")
        return p4r.WriteResponse()

    async def read(self, request: p4r.ReadRequest, context: _Context) -> None:
        """Read. Every query is tried; all of them see the same state."""
        results: Results = []
        messages = ReadMessages()
        async with messages.sending(context.write), self._state:
            try:
                self._arbitration.check_device(request.device_id)
                self._arbitration.check_role(request.role)
                entities = self._configs.configured().entities
            except P4RuntimeError as error:
                await context.abort(error.code, error.message)
            for query in request.entities:
                try:
                    for response in entities.read(query):
                        if messages.add(response):
                            await asyncio.sleep(0)  # packets must not wait for a large table
                    results.append(None)
                except P4RuntimeError as error:
                    results.append(error)
        await _abort_if_any(context, results, "queries")

    async def stream_channel(self, _: object, context: StreamContext) -> None:
        """StreamChannel."""
        await self._streams.serve(context)


async def _abort_if_any(context: _Context, results: Results, what: str) -> None:
    """Reports the errors of a batch, if there are any."""
    if any(results):
        status = batch_status(results, what)
        details = status.SerializeToString()
        await context.abort(Code.UNKNOWN, status.message, ((DETAILS_KEY, details),))
