"""A P4Runtime server that keeps entries in a dict, and misbehaves on request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from finsy.proto import U128, p4r, p4r_grpc, rpc_code, rpc_status
from google.protobuf.any_pb2 import Any as AnyMessage

_Key = bytes


def _key(entry: p4r.TableEntry) -> _Key:
    key = p4r.TableEntry(
        table_id=entry.table_id,
        match=sorted(entry.match, key=lambda match: match.field_id),
        priority=entry.priority,
        is_default_action=entry.is_default_action,
    )
    return key.SerializeToString(deterministic=True)


@dataclass
class SwitchModel:
    """What the switch knows, and what the test wants it to do."""

    config: p4r.ForwardingPipelineConfig | None = None
    entries: dict[_Key, p4r.TableEntry] = field(default_factory=dict[_Key, p4r.TableEntry])
    writes: list[int] = field(default_factory=list[int])
    """Number of updates of each Write."""
    highest_election_id: int = 0
    """Ids below it are refused with NOT_FOUND, as after a primary has gone."""
    primary_elsewhere: int = 0
    """Another controller is the primary, whatever is asked for."""
    received: asyncio.Queue[p4r.PacketOut] = field(default_factory=asyncio.Queue[p4r.PacketOut])
    loads: int = 0
    reads: dict[str, list[p4r.Entity]] = field(default_factory=dict[str, list[p4r.Entity]])
    """Answers to reads of entities of this kind, other than table and register entries."""
    registers: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    """The cells of registers, by P4Runtime id."""
    register_refusal: grpc.StatusCode | None = None
    """Registers are not read."""
    read_refusal: grpc.StatusCode | None = None
    hangs: bool = False
    """Writes are not answered."""
    stream_out: asyncio.Queue[p4r.StreamMessageResponse | None] = field(
        default_factory=asyncio.Queue[p4r.StreamMessageResponse | None]
    )
    """Messages to the controller; None ends the stream."""

    packet_ins: int = 0
    """Sequence number of the last packet to the controller."""

    def packet_in(self, payload: bytes, *values: int) -> None:
        """Sends a packet to the controller; `values` are those of its header's other fields."""
        self.packet_ins = (self.packet_ins + 1) % (1 << 32)
        metadata = [
            p4r.PacketMetadata(metadata_id=number, value=value.to_bytes(4, "big").lstrip(b"\0"))
            for number, value in enumerate((*values, self.packet_ins), 1)
        ]
        packet = p4r.PacketIn(payload=payload, metadata=metadata)
        self.stream_out.put_nowait(p4r.StreamMessageResponse(packet=packet))

    def arbitration(self, code: int, election_id: int) -> None:
        """Tells the controller who is the primary."""
        message = p4r.MasterArbitrationUpdate(
            device_id=1,
            election_id=U128.encode(election_id),
            status=rpc_status.Status(code=code),
        )
        self.stream_out.put_nowait(p4r.StreamMessageResponse(arbitration=message))


def _apply(model: SwitchModel, update: p4r.Update) -> p4r.Error:
    entry = update.entity.table_entry
    key = _key(entry)
    is_there = key in model.entries or entry.is_default_action
    if update.type == p4r.Update.INSERT and is_there:
        return p4r.Error(canonical_code=rpc_code.ALREADY_EXISTS, message="it is\nthere")
    if update.type != p4r.Update.INSERT and not is_there:
        return p4r.Error(canonical_code=rpc_code.NOT_FOUND)
    if update.type == p4r.Update.DELETE:
        del model.entries[key]
    else:
        copy = p4r.TableEntry()
        copy.CopyFrom(entry)
        model.entries[key] = copy
    return p4r.Error(canonical_code=rpc_code.OK)


def _register_cells(model: SwitchModel, query: p4r.RegisterEntry) -> p4r.ReadResponse:
    cells = list(enumerate(model.registers.get(query.register_id, [])))
    if query.HasField("index"):
        cells = cells[query.index.index : query.index.index + 1]
    response = p4r.ReadResponse()
    for index, value in cells:
        entry = response.entities.add().register_entry
        entry.register_id = query.register_id
        entry.index.index = index
        entry.data.bitstring = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
    return response


class _Servicer(p4r_grpc.P4RuntimeServicer):
    def __init__(self, model: SwitchModel) -> None:
        self._model = model

    async def Capabilities(  # noqa: N802 # pyright: ignore[reportIncompatibleMethodOverride]
        self, request: p4r.CapabilitiesRequest, context: Any
    ) -> p4r.CapabilitiesResponse:
        return p4r.CapabilitiesResponse(p4runtime_api_version="1.4.0")

    async def GetForwardingPipelineConfig(  # noqa: N802 # pyright: ignore[reportIncompatibleMethodOverride]
        self, request: p4r.GetForwardingPipelineConfigRequest, context: Any
    ) -> p4r.GetForwardingPipelineConfigResponse:
        if self._model.config is None:
            await context.abort(
                grpc.StatusCode.FAILED_PRECONDITION, "No forwarding pipeline config set"
            )
        return p4r.GetForwardingPipelineConfigResponse(config=self._model.config)

    async def SetForwardingPipelineConfig(  # noqa: N802 # pyright: ignore[reportIncompatibleMethodOverride]
        self, request: p4r.SetForwardingPipelineConfigRequest, context: Any
    ) -> p4r.SetForwardingPipelineConfigResponse:
        self._model.config = request.config
        self._model.entries.clear()
        self._model.loads += 1
        return p4r.SetForwardingPipelineConfigResponse()

    async def Write(  # noqa: N802 # pyright: ignore[reportIncompatibleMethodOverride]
        self, request: p4r.WriteRequest, context: Any
    ) -> p4r.WriteResponse:
        if self._model.hangs:
            await asyncio.Event().wait()
        self._model.writes.append(len(request.updates))
        errors = [_apply(self._model, update) for update in request.updates]
        if any(error.canonical_code != rpc_code.OK for error in errors):
            status = rpc_status.Status(code=rpc_code.UNKNOWN)
            for error in errors:
                detail: AnyMessage = status.details.add()
                detail.Pack(error)
            context.set_trailing_metadata(
                (("grpc-status-details-bin", status.SerializeToString()),)
            )
            await context.abort(grpc.StatusCode.UNKNOWN, "some updates failed")
        return p4r.WriteResponse()

    async def Read(  # noqa: N802 # pyright: ignore[reportIncompatibleMethodOverride]
        self, request: p4r.ReadRequest, context: Any
    ) -> AsyncIterator[p4r.ReadResponse]:
        if self._model.read_refusal is not None:
            await context.abort(self._model.read_refusal, "not here")
        for query in request.entities:
            kind = str(query.WhichOneof("entity"))
            if kind == "table_entry":
                for entry in self._model.entries.values():
                    wanted = query.table_entry
                    if (entry.table_id, entry.is_default_action) == (
                        wanted.table_id,
                        wanted.is_default_action,
                    ):
                        yield p4r.ReadResponse(entities=[p4r.Entity(table_entry=entry)])
            elif kind == "register_entry":
                if self._model.register_refusal is not None:
                    await context.abort(self._model.register_refusal, "no registers here")
                yield _register_cells(self._model, query.register_entry)
            else:
                yield p4r.ReadResponse(entities=self._model.reads.get(kind, []))

    async def StreamChannel(  # noqa: N802 # pyright: ignore[reportIncompatibleMethodOverride]
        self, requests: AsyncIterator[p4r.StreamMessageRequest], context: Any
    ) -> AsyncIterator[p4r.StreamMessageResponse]:
        reading = asyncio.create_task(self._read_stream(requests))
        try:
            while (message := await self._model.stream_out.get()) is not None:
                yield message
                self._model.stream_out.task_done()
        finally:
            reading.cancel()

    async def _read_stream(self, requests: AsyncIterator[p4r.StreamMessageRequest]) -> None:
        model = self._model
        async for message in requests:
            if message.WhichOneof("update") == "packet":
                model.received.put_nowait(message.packet)
                continue
            asked = U128.decode(message.arbitration.election_id)
            if model.primary_elsewhere:
                model.arbitration(rpc_code.ALREADY_EXISTS, model.primary_elsewhere)
            elif asked < model.highest_election_id:
                model.arbitration(rpc_code.NOT_FOUND, model.highest_election_id)
            else:
                model.arbitration(rpc_code.OK, asked)


@asynccontextmanager
async def serving(model: SwitchModel, address: str) -> AsyncGenerator[None]:
    """Serves the model; what is still open at the end is cut off."""
    server = grpc.aio.server()
    p4r_grpc.add_P4RuntimeServicer_to_server(_Servicer(model), server)
    server.add_insecure_port(address)
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)
