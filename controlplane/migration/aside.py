"""What the destination sets aside, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from controlplane.migration.batcher import Batcher
from controlplane.migration.counts import ControlCounts
from controlplane.migration.marker import Marker
from controlplane.migration.peers import Member
from controlplane.migration.phases import Event
from controlplane.migration.record import FlowRecord
from controlplane.migration.services import Services
from nf.southbound.client import SouthboundError

_FLOWS = 256
_AT_ONCE = 4


class SetAsides:
    """Asks the destination, for many flows at a time."""

    def __init__(
        self,
        destination: Member,
        services: Services,
        counts: ControlCounts,
        dispatch: Callable[[FlowRecord, Event, str], None],
        give_back: Callable[[FlowRecord, bytes], None],
        on_answer: Callable[[], None],
    ) -> None:
        """`give_back` takes the packets that come back from the destination, in order.

        `on_answer` is called when flows have been admitted or recalled, or will not be.
        """
        self._destination = destination
        self._services = services
        self._counts = counts
        self._dispatch = dispatch
        self._give_back = give_back
        self._on_answer = on_answer
        self.pending = 0
        """Flows that are to be admitted or recalled still."""
        self.announcements = Batcher(self._announce, max_batch=_FLOWS, at_once=_AT_ONCE)
        self.admissions = Batcher(self._admit, max_batch=_FLOWS, at_once=_AT_ONCE)
        self.recalls = Batcher(self._recall, max_batch=_FLOWS, at_once=_AT_ONCE)

    def admit(self, record: FlowRecord) -> None:
        """Has it process what waits of a flow."""
        self.pending += 1
        self.admissions.add(record)

    def recall(self, record: FlowRecord) -> None:
        """Takes back what waits of a flow."""
        self.pending += 1
        self.recalls.add(record)

    async def renew(self, records: Sequence[FlowRecord]) -> None:
        """Has the destination wait on, which would take the flows for forgotten."""
        for first in range(0, len(records), _FLOWS):
            self._counts.southbound_calls += 1
            flows = [record.flow for record in records[first : first + _FLOWS]]
            with suppress(SouthboundError):
                await self._destination.southbound.set_aside(flows, again=True)

    async def _announce(self, batch: Sequence[FlowRecord]) -> None:
        self._counts.southbound_calls += 1
        event, reason = Event.ANNOUNCED, ""
        self._services.journal.flush()
        try:
            await self._destination.southbound.set_aside([record.flow for record in batch])
        except SouthboundError as error:
            event, reason = Event.FAILED, str(error)
        self._tell(batch, event, reason)

    async def _admit(self, batch: Sequence[FlowRecord]) -> None:
        """Behind what the controller has passed on; it passes nothing on where it keeps nothing."""
        holds = batch[0].state.rules.holds
        marker = Marker(self._destination, self._services, self._counts) if holds else None
        self._counts.southbound_calls += 1
        event, reason = Event.ADMITTED, ""
        self._services.journal.flush()
        try:
            await self._destination.southbound.admit(
                [record.flow for record in batch], marker=marker.number if marker else 0
            )
        except SouthboundError as error:
            event, reason = Event.FAILED, f"packets may wait at the destination: {error}"
        finally:
            if marker:
                marker.stop()
        self._answered(batch, event, reason)

    async def _recall(self, batch: Sequence[FlowRecord]) -> None:
        """Behind the last packet that the switch has steered to the destination."""
        marker = Marker(self._destination, self._services, self._counts)
        self._counts.southbound_calls += 1
        event, reason = Event.RECALLED, ""
        self._services.journal.flush()
        try:
            frames = await self._destination.southbound.recall(
                [record.flow for record in batch], marker=marker.number
            )
        except SouthboundError as error:
            event, reason = Event.NOT_RECALLED, f"packets may be lost at the destination: {error}"
        else:
            for record in batch:
                for frame in frames.get(record.flow, ()):
                    self._give_back(record, frame)
        finally:
            marker.stop()
        self._answered(batch, event, reason)

    def _answered(self, batch: Sequence[FlowRecord], event: Event, reason: str) -> None:
        self.pending -= len(batch)
        self._tell(batch, event, reason)
        self._on_answer()

    def _tell(self, batch: Sequence[FlowRecord], event: Event, reason: str) -> None:
        for record in batch:
            self._dispatch(record, event, reason)
