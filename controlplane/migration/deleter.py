"""Deletes: states that are elsewhere now, several flows in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controlplane.migration.batcher import Batcher
from controlplane.migration.counts import ControlCounts
from controlplane.migration.peers import Member
from controlplane.migration.phases import Event
from controlplane.migration.record import FlowRecord
from controlplane.migration.services import Services
from nf.southbound.client import SouthboundError


class Deleter:
    """Deletes flows' states at one instance."""

    def __init__(
        self,
        instance: Member,
        services: Services,
        counts: ControlCounts,
        dispatch: Callable[[FlowRecord, Event, str], None],
        on_answer: Callable[[], None],
    ) -> None:
        """`on_answer` is called when flows have learnt what became of their deletes."""
        self._instance = instance
        self._services = services
        self._counts = counts
        self._dispatch = dispatch
        self._on_answer = on_answer
        self._batches: Batcher[FlowRecord] = Batcher(
            self._delete, max_batch=services.limits.delete_batch
        )
        self.pending = 0
        """Deletes that are not answered."""

    def add(self, record: FlowRecord) -> None:
        """The state of a flow is to be deleted."""
        self.pending += 1
        self._batches.add(record)

    async def run(self) -> None:
        """Deletes states until cancelled."""
        await self._batches.run()

    async def _delete(self, batch: Sequence[FlowRecord]) -> None:
        self._counts.southbound_calls += 1
        event, reason = Event.DELETED, ""
        journal = self._services.journal
        journal.flush()
        flows = [record.flow for record in batch]
        try:
            await self._instance.southbound.delete_perflow(flows)
        except SouthboundError as error:
            event, reason = Event.NOT_DELETED, f"its copy may remain: {error}"
            journal.leave_copies(self._instance.id, flows)
        else:
            journal.forget_copies(self._instance.id, flows)
        self.pending -= len(batch)
        for record in batch:
            self._dispatch(record, event, reason)
        self._on_answer()
