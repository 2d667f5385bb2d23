"""The controller's side of the southbound protocol: one client an instance."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

import grpc
from grpc.aio import AioRpcError, StreamStreamCall, UnaryUnaryMultiCallable

from nf.southbound import southbound_pb2 as pb
from nf.southbound import southbound_pb2_grpc as rpc
from nf.southbound.flow import FiveTuple

CALL_TIMEOUT_S = 5.0
"""How long a call that waits for nothing but the instance may take."""

_MAX_MESSAGE_BYTES = 256 << 20
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # instances share no connection
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
]
_DOWN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
_PROBE_TIMEOUT_S = 0.5
_PROBE_INTERVAL_S = 0.02
_MAX_UNANSWERED = 1024
_CHUNKS_A_MESSAGE = 64

_Request = TypeVar("_Request")
_Reply = TypeVar("_Reply")


class SouthboundError(Exception):
    """An instance is down, or has refused what was asked of it. One line."""

    def __init__(self, instance: str, reason: str, *, down: bool = False) -> None:
        super().__init__(f"{instance}: {reason}")
        self.instance = instance
        """Name of the instance."""
        self.reason = reason
        """What is wrong, without the name."""
        self.down = down
        """Whether the instance does not answer, as opposed to having refused."""


class FlowSummary(NamedTuple):
    """A flow that an instance has state for."""

    flow: FiveTuple
    packets: int
    bytes: int
    """Of frames, both directions."""
    idle_s: float
    """Since the last packet."""
    ended: bool
    """Whether the connection is over."""

    @classmethod
    def from_message(cls, message: pb.FlowSummary) -> FlowSummary:
        """The summary of a southbound message."""
        return cls(
            FiveTuple.from_message(message.flow),
            message.packets,
            message.bytes,
            message.idle_seconds,
            message.ended,
        )


class FlowListing(NamedTuple):
    """What an instance tells of its flows."""

    flows: list[FlowSummary]
    cpu_s: float
    """Time of its processor that making the list took; sending it comes on top."""


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _error(instance: str, error: AioRpcError) -> SouthboundError:
    code = error.code()
    reason = _one_line(error.details()) or code.name
    if code is grpc.StatusCode.UNAVAILABLE:
        reason = f"does not answer ({reason})"
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
        reason = "did not answer in time"
    return SouthboundError(instance, reason, down=code in _DOWN)


class PutStream:
    """A stream of state into an instance: many puts can be under way at once.

    To be had from `InstanceClient.open_put`. When the stream breaks, every put that
    has not been answered fails with SouthboundError, and so does every later one. Who
    cancels a put disturbs no other; the chunk may be in place all the same.
    """

    def __init__(
        self, instance: str, call: StreamStreamCall[pb.StateChunks, pb.PutResults]
    ) -> None:
        self._instance = instance
        self._call = call
        self._slots = asyncio.Semaphore(_MAX_UNANSWERED)
        self._outgoing: asyncio.Queue[pb.StateChunk] = asyncio.Queue(_MAX_UNANSWERED)
        self._pending: deque[tuple[FiveTuple, asyncio.Future[None]]] = deque()
        self.broken: SouthboundError | None = None
        """Why it takes no more chunks; None while it does."""

    async def put(self, chunk: pb.StateChunk) -> None:
        """Imports a chunk; returns when it is in place. Raises SouthboundError."""
        await (await self.send(chunk))

    async def send(self, chunk: pb.StateChunk) -> asyncio.Future[None]:
        """Sends a chunk; what is returned is done when it is in place.

        Waits only while too many puts are unanswered. The future fails with
        SouthboundError if the instance refuses the chunk; the call itself raises it
        if the stream is broken.
        """
        await self._slots.acquire()
        if self.broken is not None:
            self._slots.release()
            raise self.broken
        result: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((FiveTuple.from_message(chunk.flow), result))
        self._outgoing.put_nowait(chunk)  # there is room: the slots bound it
        return result

    async def write_chunks(self) -> None:
        """Writes what has been sent, together what is ready, until the stream ends."""
        # What ends it, `read_results` learns and tells.
        with contextlib.suppress(AioRpcError, asyncio.InvalidStateError):
            while True:
                chunks = [await self._outgoing.get()]
                while len(chunks) < _CHUNKS_A_MESSAGE and not self._outgoing.empty():
                    chunks.append(self._outgoing.get_nowait())
                await self._call.write(pb.StateChunks(chunks=chunks))

    async def read_results(self) -> None:
        """Hands each answer to the put it belongs to, until the stream ends."""
        end = SouthboundError(self._instance, "the put stream is closed")
        try:
            async for message in self._call:
                if not all(map(self._settle, message.results)):
                    end = SouthboundError(self._instance, "answered a put that was not sent")
                    break
        except AioRpcError as error:
            end = _error(self._instance, error)
        finally:
            self._call.cancel()
            self.broken = end
            while self._pending:
                _, result = self._pending.popleft()
                self._fail(result, end)

    def _settle(self, answer: pb.PutResult) -> bool:
        """Hands an answer to the next put; whether it is that put's."""
        if not self._pending:
            return False
        flow, result = self._pending[0]
        if FiveTuple.from_message(answer.flow) != flow:
            return False
        self._pending.popleft()
        if not answer.accepted:
            reason = f"refused the state of {flow}: {_one_line(answer.reason)}"
            self._fail(result, SouthboundError(self._instance, reason))
            return True
        self._slots.release()
        if not result.done():  # else: whoever waited has been cancelled
            result.set_result(None)
        return True

    def _fail(self, result: asyncio.Future[None], error: SouthboundError) -> None:
        self._slots.release()
        if not result.done():
            result.set_exception(error)
            result.exception()  # nobody has to wait for it


class InstanceClient:
    """Asks one instance. Every method raises SouthboundError.

    An asynchronous context manager; to be made inside the event loop.
    """

    def __init__(self, name: str, address: str) -> None:
        """Nothing is sent yet. The address is `unix:/path` or `host:port`."""
        self.name = name
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._stub = rpc.NetworkFunctionStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hangs up; calls under way are cancelled."""
        await self._channel.close()

    async def get_info(self, *, timeout_s: float = CALL_TIMEOUT_S) -> pb.Info:
        """Who the instance is."""
        return await self._ask(self._stub.GetInfo, pb.GetInfoRequest(), timeout_s)

    async def wait_until_ready(self, timeout_s: float) -> pb.Info:
        """Waits until the instance answers."""
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        while True:
            try:
                return await self.get_info(timeout_s=_PROBE_TIMEOUT_S)
            except SouthboundError as error:
                if not error.down or asyncio.get_running_loop().time() >= deadline_s:
                    raise
            await asyncio.sleep(_PROBE_INTERVAL_S)

    async def list_flows(self, *, timeout_s: float = CALL_TIMEOUT_S) -> list[FlowSummary]:
        """The flows that the instance has state for."""
        return (await self.count_flows(timeout_s=timeout_s)).flows

    async def count_flows(self, *, timeout_s: float = CALL_TIMEOUT_S) -> FlowListing:
        """The same, and what it took the instance to tell."""
        flows: list[FlowSummary] = []
        cpu_s = 0.0
        try:
            async for part in self._stub.ListFlows(pb.ListFlowsRequest(), timeout=timeout_s):
                flows += map(FlowSummary.from_message, part.flows)
                cpu_s += part.cpu_seconds
        except AioRpcError as error:
            raise _error(self.name, error) from None
        return FlowListing(flows, cpu_s)

    async def get_perflow(
        self, flows: Sequence[FiveTuple], *, marker: int = 0, timeout_s: float = CALL_TIMEOUT_S
    ) -> AsyncGenerator[pb.StateChunk]:
        """Exports state: exactly one chunk a flow, in the order of `flows`.

        Nothing comes before the instance has read `marker` from its port; 0 waits for
        none. `chunk.absent` says that the instance has no state for the flow. Close the
        generator (`contextlib.aclosing`) when leaving it early.
        """
        request = pb.GetPerflowRequest(marker=marker, flows=[flow.to_message() for flow in flows])
        call = self._stub.GetPerflow(request, timeout=timeout_s)
        received = 0
        try:
            async for message in call:
                for chunk in message.chunks:
                    expected = flows[received] if received < len(flows) else None
                    if FiveTuple.from_message(chunk.flow) != expected:
                        raise SouthboundError(self.name, "sent state of a flow out of turn")
                    received += 1
                    yield chunk
        except AioRpcError as error:
            raise _error(self.name, error) from None
        finally:
            call.cancel()
        if received < len(flows):
            raise SouthboundError(self.name, f"sent {received} of {len(flows)} chunks")

    @contextlib.asynccontextmanager
    async def open_put(self) -> AsyncGenerator[PutStream]:
        """A stream to put state through, for as long as it is needed."""
        call: StreamStreamCall[pb.StateChunks, pb.PutResults] = self._stub.PutPerflow()
        stream = PutStream(self.name, call)
        tasks = [
            asyncio.create_task(stream.read_results(), name=f"put results of {self.name}"),
            asyncio.create_task(stream.write_chunks(), name=f"put chunks of {self.name}"),
        ]
        try:
            yield stream
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def delete_perflow(
        self, flows: Iterable[FiveTuple], *, timeout_s: float = CALL_TIMEOUT_S
    ) -> int:
        """Deletes state; how many of the flows had any."""
        request = pb.DelPerflowRequest(flows=[flow.to_message() for flow in flows])
        reply = await self._ask(self._stub.DelPerflow, request, timeout_s)
        return reply.deleted

    async def set_aside(
        self, flows: Iterable[FiveTuple], *, again: bool = False, timeout_s: float = CALL_TIMEOUT_S
    ) -> None:
        """Has packets of these flows wait in the instance, from when this returns.

        `again`: those that do so are to wait on. Who is not heard of again is forgotten.
        """
        messages = [flow.to_message() for flow in flows]
        request = pb.SetAsideRequest(flows=messages, again=again)
        await self._ask(self._stub.SetAside, request, timeout_s)

    async def admit(
        self, flows: Iterable[FiveTuple], *, marker: int = 0, timeout_s: float = CALL_TIMEOUT_S
    ) -> int:
        """Has it process what waits, behind a marker if any; how many packets that were."""
        messages = [flow.to_message() for flow in flows]
        request = pb.AdmitRequest(marker=marker, flows=messages)
        return (await self._ask(self._stub.Admit, request, timeout_s)).packets

    async def recall(
        self, flows: Iterable[FiveTuple], *, marker: int = 0, timeout_s: float = CALL_TIMEOUT_S
    ) -> dict[FiveTuple, list[bytes]]:
        """Takes back what waits, behind a marker if any: the frames of each flow, in order."""
        messages = [flow.to_message() for flow in flows]
        call = self._stub.Recall(pb.RecallRequest(marker=marker, flows=messages), timeout=timeout_s)
        frames: dict[FiveTuple, list[bytes]] = {}
        try:
            async for part in call:
                frames.setdefault(FiveTuple.from_message(part.flow), []).extend(part.frames)
        except AioRpcError as error:
            raise _error(self.name, error) from None
        return frames

    async def set_no_new_state(
        self,
        no_new_state: bool,
        buckets: Iterable[int],
        *,
        marker: int = 0,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Says whether the instance bounces packets of flows it has no state for.

        That is for flows of these hash buckets; for others all stays as it is.

        Returns when that is in force: at once, or when it has read `marker` from its port.
        """
        request = pb.SetModeRequest(no_new_state=no_new_state, buckets=buckets, marker=marker)
        await self._ask(self._stub.SetMode, request, timeout_s)

    async def get_load(self, *, timeout_s: float = CALL_TIMEOUT_S) -> pb.Load:
        """Load and counters since the start of the instance."""
        return await self._ask(self._stub.GetLoad, pb.GetLoadRequest(), timeout_s)

    async def _ask(
        self,
        method: UnaryUnaryMultiCallable[_Request, _Reply],
        request: _Request,
        timeout_s: float,
    ) -> _Reply:
        try:
            return await method(request, timeout=timeout_s)
        except AioRpcError as error:
            raise _error(self.name, error) from None
