"""Gets: the state of several flows behind one marker."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from controlplane.migration.buckets import is_between
from controlplane.migration.counts import ControlCounts
from controlplane.migration.marker import Marker
from controlplane.migration.peers import Member
from controlplane.migration.phases import Event, Phase
from controlplane.migration.record import FlowRecord
from controlplane.migration.services import Services
from nf.southbound import southbound_pb2 as pb
from nf.southbound.client import SouthboundError


class Exporter:
    """Exports batches of flows from the source."""

    def __init__(
        self,
        source: Member,
        destination: Member,
        services: Services,
        counts: ControlCounts,
        dispatch: Callable[[FlowRecord, Event, str], None],
    ) -> None:
        self._source = source
        self._destination = destination
        self._services = services
        self._counts = counts
        self._dispatch = dispatch

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
                        self._tell_absent(record)
                    else:
                        record.chunk = chunk
                        self._dispatch(record, Event.STATE, "")
        except SouthboundError as error:
            for record in records[told:]:
                self._dispatch(record, Event.FAILED, str(error))

    def _tell_absent(self, record: FlowRecord) -> None:
        """It has ended, and begins at the destination next time, unless that is for a third."""
        bucket = self._services.buckets.last(self._source.group, record.flow.bucket)
        if bucket is None or is_between(bucket, self._source.id, self._destination.id):
            self._dispatch(record, Event.ABSENT, "")
        else:
            reason = (
                f"{self._source.name} has no state of it, and a third instance shares its bucket"
            )
            self._dispatch(record, Event.FAILED, reason)

    async def _behind_marker(self, records: Sequence[FlowRecord]) -> AsyncGenerator[pb.StateChunk]:
        """The chunks of the flows, behind a marker if their packets wait."""
        services = self._services
        marker = None
        if records[0].state.rules.is_loss_free:
            marker = Marker(self._source, services, self._counts)
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
