"""Gets: the state of several flows behind one marker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from controlplane.migration.counts import ControlCounts
from controlplane.migration.peers import Member
from controlplane.migration.phases import Event, Phase
from controlplane.migration.record import FlowRecord
from controlplane.migration.services import Services
from controlplane.p4_constants import PACKET_OUT_MARKER
from controlplane.switch.packets import PacketOut
from nf.southbound import southbound_pb2 as pb
from nf.southbound.client import SouthboundError
from nf.southbound.inband import build_marker


class Exporter:
    """Exports batches of flows from the source."""

    def __init__(
        self,
        source: Member,
        services: Services,
        counts: ControlCounts,
        dispatch: Callable[[FlowRecord, Event, str], None],
    ) -> None:
        self._source = source
        self._services = services
        self._counts = counts
        self._dispatch = dispatch

    async def close_source(self) -> None:
        """Lets the source take no new flow, once it has read all that it was sent.

        Raises SouthboundError.
        """
        marker = _Marker(self._source, self._services, self._counts)
        self._counts.southbound_calls += 1
        try:
            await self._source.southbound.set_no_new_state(True, marker=marker.number)
        finally:
            marker.stop()

    async def export(self, batch: Sequence[FlowRecord]) -> None:
        """Tells each flow of the batch its state, or that there is none."""
        records = [record for record in batch if record.state.phase is Phase.EXPORTING]
        if not records:
            return
        told = 0
        first_s = 0.0
        try:
            async with aclosing(self._behind_marker(records)) as chunks:
                async for chunk in chunks:
                    record = records[told]
                    told += 1
                    first_s = first_s or self._services.clock()
                    record.marker_read_s = first_s
                    if chunk.absent:
                        self._dispatch(record, Event.ABSENT, "")
                    else:
                        record.chunk = chunk
                        self._dispatch(record, Event.STATE, "")
        except SouthboundError as error:
            for record in records[told:]:
                self._dispatch(record, Event.FAILED, str(error))

    async def _behind_marker(self, records: Sequence[FlowRecord]) -> AsyncGenerator[pb.StateChunk]:
        """The chunks of the flows, behind a marker if they are held."""
        services = self._services
        holds = records[0].state.rules.holds
        marker = _Marker(self._source, services, self._counts) if holds else None
        self._counts.southbound_calls += 1
        try:
            async with aclosing(
                self._source.southbound.get_perflow(
                    [record.flow for record in records],
                    marker=marker.number if marker else 0,
                    timeout_s=services.limits.export_timeout_s,
                )
            ) as chunks:
                async for chunk in chunks:
                    if marker:
                        marker.stop()
                    yield chunk
        finally:
            if marker:
                marker.stop()


class _Marker:
    """A marker on its way: sent again while the instance does not seem to have read it."""

    def __init__(self, source: Member, services: Services, counts: ControlCounts) -> None:
        self.number = services.numbers.next()
        self._packet = PacketOut(PACKET_OUT_MARKER, build_marker(self.number), source.id)
        self._services = services
        self._counts = counts
        self._timer: asyncio.TimerHandle | None = None
        self._send()

    def _send(self) -> None:
        self._services.outbox.add(self._packet)
        self._counts.packet_outs += 1
        self._timer = asyncio.get_running_loop().call_later(
            self._services.limits.marker_interval_s, self._send
        )

    def stop(self) -> None:
        """It has been read, or nobody waits for it any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
