"""A model of a network function: its state, its port and its southbound calls."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
import zlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Sequence

from nf.southbound import southbound_pb2 as pb
from nf.southbound.client import FlowSummary, SouthboundError
from nf.southbound.flow import FiveTuple
from nf.southbound.inband import is_detour, parse_marker

# Ethernet, IPv4 and TCP without options, and a number.
_PACKET = struct.Struct("!6s6xHBxH2xHBB2xII HH8xBB6x I")
_STRAIGHT = b"\x02" * 6


def flow_of(number: int) -> FiveTuple:
    """The flow with this number."""
    return FiveTuple(0x0A000101, 0x0A000201, number, 80, 6)


def frame_of(flow: FiveTuple, sequence: int) -> bytes:
    ports = (flow.low_port, flow.high_port, 0x50, 0)
    ip = (0x45, 44, 0, 64, flow.protocol, flow.low_address, flow.high_address)
    return _PACKET.pack(_STRAIGHT, 0x0800, *ip, *ports, sequence)


def straight(frame: bytes) -> bytes:
    """The frame as it comes straight from its host."""
    return _STRAIGHT + frame[len(_STRAIGHT) :]


def packet_of(frame: bytes) -> tuple[FiveTuple, int]:
    fields = _PACKET.unpack(frame)
    return flow_of(fields[9]), fields[-1]


class Delays:
    """Delays of the model: turns of the loop, seeded."""

    def __init__(self, seed: int, longest: int) -> None:
        self.random = random.Random(seed)
        self.longest = longest

    async def some(self) -> None:
        for _ in range(self.random.randint(0, self.longest)):
            await asyncio.sleep(0)


class ModelInstance:
    """A network function: its state, its port and its southbound calls."""

    def __init__(self, name: str, number: int, delays: Delays) -> None:
        self._name = name
        self.id = number
        self.flows: dict[FiveTuple, list[int]] = {}
        self.ended: set[FiveTuple] = set()
        self.closed: set[int] = set()
        self.ending: set[FiveTuple] = set()
        """Of those that have ended, the ones whose last packet has just come."""
        self.turned_away: set[FiveTuple] = set()
        self.port: asyncio.Queue[bytes] = asyncio.Queue()
        self.bounces: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        """What it hands back, with its number; the switch takes it."""
        self.waiting: dict[FiveTuple, list[bytes]] = {}
        """What it has set aside."""
        self.set_aside_again: list[FiveTuple] = []
        """The flows that were to wait on, each time."""
        self.dropped = 0
        """Packets that it could not read in time."""
        self.down = False
        self.hung = asyncio.Event()
        """Unset: puts and gets are not answered."""
        self.hung.set()
        self.reading = asyncio.Event()
        """Unset: packets wait at its port."""
        self.reading.set()
        self.refuse_put: set[FiveTuple] = set()
        self.refuse_delete = False
        self.pace_s = 0.0
        """How long it takes to import a state."""
        self.function = "model"
        self.version = 1
        self.via_controller: dict[FiveTuple, list[int]] = defaultdict(list)
        self._markers: set[int] = set()
        self._marker_read = asyncio.Event()
        self._delays = delays

    @property
    def name(self) -> str:
        return self._name

    async def run(self) -> None:
        while True:
            frame = await self.port.get()
            await self.reading.wait()
            await self._delays.some()
            marker = parse_marker(frame)
            if marker is not None:
                self._markers.add(marker)
                self._marker_read.set()
                self._marker_read = asyncio.Event()
                continue
            flow, _ = packet_of(frame)
            if flow in self.waiting and not is_detour(frame):
                self.waiting[flow].append(frame)
            else:
                self._process(frame)

    def _process(self, frame: bytes) -> None:
        flow, sequence = packet_of(frame)
        if flow in self.flows:
            self.flows[flow].append(sequence)
        elif flow.bucket in self.closed or (flow in self.turned_away and not is_detour(frame)):
            self.turned_away.add(flow)
            self.bounces.put_nowait((self.id, frame))
        else:
            self.turned_away.discard(flow)
            self.flows[flow] = [sequence]

    def _check(self) -> None:
        if self.down:
            raise SouthboundError(self.name, "does not answer", down=True)

    async def _answer(self, timeout_s: float = 0.2) -> None:
        self._check()
        await self._delays.some()
        try:
            async with asyncio.timeout(timeout_s):
                await self.hung.wait()
        except TimeoutError:
            raise SouthboundError(self.name, "did not answer in time", down=True) from None
        self._check()

    async def get_info(self) -> pb.Info:
        self._check()
        return pb.Info(
            name=self.name,
            function=self.function,
            state_version=self.version,
            closed_buckets=sorted(self.closed),
            lost_packets=self.dropped,
        )

    async def list_flows(self) -> list[FlowSummary]:
        await self._answer()
        return [
            FlowSummary(
                flow,
                len(packets),
                len(packets),
                float(flow in self.ended and flow not in self.ending),
                flow in self.ended,
            )
            for flow, packets in self.flows.items()
        ]

    async def get_perflow(
        self, flows: Sequence[FiveTuple], *, marker: int = 0, timeout_s: float = 5.0
    ) -> AsyncGenerator[pb.StateChunk]:
        await self._answer(timeout_s)
        while marker and marker not in self._markers:
            await self._marker_read.wait()
        for flow in flows:
            await self._answer(timeout_s)
            packets = self.flows.get(flow)
            if packets is None:
                yield pb.StateChunk(flow=flow.to_message(), absent=True)
            else:
                payload = struct.pack(f"!{len(packets)}I", *packets)
                yield pb.StateChunk(
                    flow=flow.to_message(), payload=payload, crc32=zlib.crc32(payload)
                )

    @contextlib.asynccontextmanager
    async def open_put(self) -> AsyncGenerator[ModelPutStream]:
        stream = ModelPutStream(self)
        task = asyncio.create_task(stream.run())
        try:
            yield stream
        finally:
            task.cancel()
            await asyncio.wait([task])
            stream.give_up()

    async def import_chunk(self, chunk: pb.StateChunk) -> None:
        flow = FiveTuple.from_message(chunk.flow)
        await self._delays.some()
        await self.hung.wait()
        if self.pace_s:
            await asyncio.sleep(self.pace_s)
        self._check()
        if flow in self.refuse_put:
            raise SouthboundError(self.name, f"refused {flow}: no room")
        assert flow not in self.flows, "state would be overwritten"
        self.turned_away.discard(flow)
        self.flows[flow] = list(struct.unpack(f"!{len(chunk.payload) // 4}I", chunk.payload))

    async def delete_perflow(self, flows: Iterable[FiveTuple]) -> int:
        await self._answer()
        if self.refuse_delete:
            raise SouthboundError(self.name, "did not answer in time", down=True)
        return sum(self.flows.pop(flow, None) is not None for flow in flows)

    async def set_aside(self, flows: Iterable[FiveTuple], *, again: bool = False) -> None:
        await self._answer()
        for flow in flows:
            if again:
                self.set_aside_again.append(flow)
            else:
                self.waiting.setdefault(flow, [])

    async def _read(self, marker: int) -> None:
        async with asyncio.timeout(5):
            while marker and marker not in self._markers:
                await self._marker_read.wait()

    async def admit(self, flows: Iterable[FiveTuple], *, marker: int = 0) -> int:
        await self._answer()
        await self._read(marker)
        count = 0
        for flow in flows:
            for frame in self.waiting.pop(flow, []):
                self._process(frame)
                count += 1
            await self._delays.some()
        return count

    async def recall(
        self, flows: Iterable[FiveTuple], *, marker: int = 0
    ) -> dict[FiveTuple, list[bytes]]:
        await self._answer()
        await self._read(marker)
        return {flow: self.waiting.pop(flow) for flow in flows if flow in self.waiting}

    async def set_no_new_state(
        self, no_new_state: bool, buckets: Iterable[int], *, marker: int = 0
    ) -> None:
        await self._answer()
        while marker and marker not in self._markers:
            await self._marker_read.wait()
        await self._answer()
        (self.closed.update if no_new_state else self.closed.difference_update)(buckets)


class ModelPutStream:
    """Puts are handled one after the other."""

    def __init__(self, instance: ModelInstance) -> None:
        self._instance = instance
        self._queue: asyncio.Queue[tuple[pb.StateChunk, asyncio.Future[None]]] = asyncio.Queue()
        self._results: list[asyncio.Future[None]] = []
        self._error: SouthboundError | None = None

    @property
    def broken(self) -> SouthboundError | None:
        if self._instance.down:
            return SouthboundError(self._instance.name, "does not answer", down=True)
        return self._error

    async def send(self, chunk: pb.StateChunk) -> asyncio.Future[None]:
        result: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._results.append(result)
        await self._queue.put((chunk, result))
        return result

    def give_up(self) -> None:
        """Whoever has put something and got no answer is told that there will be none."""
        for result in self._results:
            if not result.done():
                result.set_exception(SouthboundError(self._instance.name, "the stream is closed"))
                result.exception()

    async def run(self) -> None:
        while True:
            chunk, result = await self._queue.get()
            try:
                await self._instance.import_chunk(chunk)
            except SouthboundError as error:
                result.set_exception(error)
                if error.down:
                    self._error = error
            else:
                if not result.done():
                    result.set_result(None)
