"""The southbound service of an instance."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Generic, TypeAlias

import grpc

from nf.runtime.chunk import parse_flow
from nf.runtime.function import FlowState, State, StateError
from nf.runtime.instance import Instance
from nf.southbound import southbound_pb2 as pb
from nf.southbound import southbound_pb2_grpc as rpc
from nf.southbound.flow import FiveTuple

_log = logging.getLogger(__name__)

_LIST_PIECE = 1000  # flows in one message
_EXPORT_PIECE = 32  # states in one message; between two, packets get their turn
_RECALL_PIECE = 256  # frames in one message
_SECOND_US = 1_000_000

_Context: TypeAlias = "grpc.aio.ServicerContext[object, object]"


class SouthboundServicer(rpc.NetworkFunctionServicer, Generic[State]):
    """Answers the controller; `nf/southbound/southbound.proto` says what each call means.

    A request that makes no sense is INVALID_ARGUMENT, with one line.
    """

    def __init__(self, instance: Instance[State]) -> None:
        self._instance = instance

    async def GetInfo(  # noqa: N802 - the name of the rpc, as below
        self, request: pb.GetInfoRequest, context: _Context
    ) -> pb.Info:
        """Who the instance is."""
        instance, port = self._instance, self._instance.port
        return pb.Info(
            name=instance.name,
            function=instance.function.name,
            state_version=instance.function.state_version,
            closed_buckets=sorted(instance.table.closed),
            lost_packets=port.read_drops() + port.unsent,
        )

    async def ListFlows(  # noqa: N802
        self, request: pb.ListFlowsRequest, context: _Context
    ) -> AsyncGenerator[pb.FlowList]:
        """The flows as they are now; the calls in between do not change the list."""
        states = list(self._instance.table.states())
        for first in range(0, len(states), _LIST_PIECE):
            begin_s = time.thread_time()
            now_us = self._instance.clock.now_us()
            piece = states[first : first + _LIST_PIECE]
            message = pb.FlowList(flows=[_summary(state, now_us) for state in piece])
            message.cpu_seconds = time.thread_time() - begin_s
            yield message

    async def GetPerflow(  # noqa: N802
        self, request: pb.GetPerflowRequest, context: _Context
    ) -> AsyncGenerator[pb.StateChunks]:
        """Exports; ends early, waiting or not, when the client goes away."""
        flows = await _flows(request.flows, context)
        if request.marker:
            await self._instance.markers.wait(request.marker)
        for first in range(0, len(flows), _EXPORT_PIECE):
            piece = flows[first : first + _EXPORT_PIECE]
            yield pb.StateChunks(chunks=map(self._instance.table.export, piece))

    async def PutPerflow(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.StateChunks], context: _Context
    ) -> AsyncGenerator[pb.PutResults]:
        """Imports; a chunk that is refused does not end the stream."""
        async for message in request_iterator:
            yield pb.PutResults(results=map(self._put, message.chunks))

    def _put(self, chunk: pb.StateChunk) -> pb.PutResult:
        try:
            self._instance.table.put(chunk, self._instance.clock.now_us())
        except StateError as error:
            return _refusal(chunk, str(error))
        except Exception:
            # A fault of the function on one flow is not to stop the others.
            _log.exception("cannot import the state of %s", FiveTuple.from_message(chunk.flow))
            return _refusal(chunk, "the function failed on it: see the instance's log")
        return pb.PutResult(flow=chunk.flow, accepted=True)

    async def DelPerflow(  # noqa: N802
        self, request: pb.DelPerflowRequest, context: _Context
    ) -> pb.DelPerflowReply:
        """Deletes all of them or, when one makes no sense, none."""
        flows = await _flows(request.flows, context)
        return pb.DelPerflowReply(deleted=sum(map(self._instance.table.delete, flows)))

    async def SetAside(  # noqa: N802
        self, request: pb.SetAsideRequest, context: _Context
    ) -> pb.SetAsideReply:
        """Holds for every frame that has not been read yet."""
        instance = self._instance
        flows = await _flows(request.flows, context)
        if request.again:
            flows = [flow for flow in flows if flow in instance.set_aside]
        instance.set_aside.begin(flows, instance.clock.now_us())
        return pb.SetAsideReply()

    async def Admit(  # noqa: N802
        self, request: pb.AdmitRequest, context: _Context
    ) -> pb.AdmitReply:
        """Processes; between two flows, other packets get their turn."""
        flows = await _flows(request.flows, context)
        if request.marker:
            await self._instance.markers.wait(request.marker)
        packets = 0
        for flow in flows:
            packets += self._instance.admit(flow)
            await asyncio.sleep(0)
        return pb.AdmitReply(packets=packets)

    async def Recall(  # noqa: N802
        self, request: pb.RecallRequest, context: _Context
    ) -> AsyncGenerator[pb.RecalledPackets]:
        """Gives back; a flow of which nothing waits is left out."""
        flows = await _flows(request.flows, context)
        if request.marker:
            await self._instance.markers.wait(request.marker)
        for flow in flows:
            frames = self._instance.set_aside.take(flow)
            for first in range(0, len(frames), _RECALL_PIECE):
                piece = frames[first : first + _RECALL_PIECE]
                yield pb.RecalledPackets(flow=flow.to_message(), frames=piece)

    async def SetMode(  # noqa: N802
        self, request: pb.SetModeRequest, context: _Context
    ) -> pb.SetModeReply:
        """Holds for every frame that has not been read yet, or for those behind the marker."""
        if request.marker:
            await self._instance.markers.wait(request.marker)
        table = self._instance.table
        buckets = table.closed.union if request.no_new_state else table.closed.difference
        table.closed = buckets(request.buckets)
        return pb.SetModeReply()

    async def GetLoad(  # noqa: N802
        self, request: pb.GetLoadRequest, context: _Context
    ) -> pb.Load:
        """Counters since the start."""
        instance, table, port = self._instance, self._instance.table, self._instance.port
        return pb.Load(
            packets=instance.packets,
            bytes=instance.bytes,
            returned=instance.returned,
            bounced=instance.bounced,
            dropped=port.read_drops(),
            markers=instance.markers.count,
            flows=len(table),
            flows_created=table.created,
            flows_imported=table.imported,
            flows_deleted=table.deleted,
            flows_expired=table.expired,
            cpu_seconds=time.process_time(),
            uninspected=instance.uninspected,
            unsent=port.unsent,
            faults=instance.faults,
            set_aside=instance.set_aside.count,
            waiting=instance.set_aside.waiting,
            not_set_aside=instance.set_aside.refused,
        )


async def _flows(messages: Iterable[pb.FiveTuple], context: _Context) -> list[FiveTuple]:
    try:
        return [parse_flow(message) for message in messages]
    except StateError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))


def _refusal(chunk: pb.StateChunk, reason: str) -> pb.PutResult:
    return pb.PutResult(flow=chunk.flow, accepted=False, reason=reason)


def _summary(state: FlowState, now_us: int) -> pb.FlowSummary:
    return pb.FlowSummary(
        flow=state.flow.to_message(),
        packets=state.packets,
        bytes=state.bytes,
        # The last packet may have been seen by an instance whose clock is ahead.
        idle_seconds=max(0, now_us - state.last_seen_us) / _SECOND_US,
        ended=state.ended,
    )
