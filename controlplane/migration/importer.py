"""Puts: states as they are ready, through one stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from controlplane.migration.counts import ControlCounts
from controlplane.migration.peers import Member, PutStream
from controlplane.migration.phases import Event, Phase
from controlplane.migration.record import FlowRecord
from controlplane.migration.services import Services
from nf.southbound.client import SouthboundError


class Importer:
    """Imports flows' states into the destination."""

    def __init__(
        self,
        destination: Member,
        services: Services,
        counts: ControlCounts,
        dispatch: Callable[[FlowRecord, Event, str], None],
        on_answer: Callable[[], None],
    ) -> None:
        """`on_answer` is called before a flow learns what became of its put."""
        self._destination = destination
        self._services = services
        self._counts = counts
        self._dispatch = dispatch
        self._on_answer = on_answer
        self._records: list[FlowRecord] = []
        self._ready = asyncio.Event()
        self._is_over = False
        self._stream: PutStream | None = None
        self.pending: set[FlowRecord] = set()
        """Flows whose put is not answered."""

    def add(self, record: FlowRecord) -> None:
        """The state of a flow is to be put."""
        self._records.append(record)
        self._ready.set()

    @property
    def lost(self) -> SouthboundError | None:
        """Why the states that are in place may be there no more; None while they are."""
        return self._stream.broken if self._stream else None

    async def run(self) -> None:
        """Puts states until cancelled. The stream is there before the first of them."""
        self._counts.southbound_calls += 1
        async with self._destination.southbound.open_put() as stream:
            self._stream = stream
            try:
                while True:
                    await self._ready.wait()
                    self._ready.clear()
                    records, self._records = self._records, []
                    self._services.journal.flush()
                    for record in records:
                        if record.state.phase is Phase.IMPORTING:
                            await self._put(stream, record)
            finally:
                # A put that is given up because this ends tells nothing of its flow: whoever
                # goes on with the move has the packets that wait.
                self._is_over = True

    async def _put(self, stream: PutStream, record: FlowRecord) -> None:
        chunk = record.chunk
        record.chunk = None
        if chunk is None:
            return
        record.chunk_bytes = len(chunk.payload)
        self._counts.chunks += 1
        self._counts.chunk_bytes += record.chunk_bytes
        try:
            result = await stream.send(chunk)
        except SouthboundError as error:
            self._dispatch(record, Event.FAILED, str(error))
            return
        self.pending.add(record)

        def answered(result: asyncio.Future[None]) -> None:
            if self._is_over:
                return
            self.pending.discard(record)
            self._on_answer()
            error = None if result.cancelled() else result.exception()
            if result.cancelled() or error is not None:
                self._dispatch(record, Event.FAILED, str(error or "the put was given up"))
            else:
                self._dispatch(record, Event.IN_PLACE, "")

        result.add_done_callback(answered)
