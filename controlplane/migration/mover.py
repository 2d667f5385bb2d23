"""Performs what the machine says, for the flows of one move."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from controlplane.migration.aside import SetAsides
from controlplane.migration.batcher import Batcher
from controlplane.migration.counts import BufferCounts, ControlCounts
from controlplane.migration.deleter import Deleter
from controlplane.migration.exporter import Exporter
from controlplane.migration.importer import Importer
from controlplane.migration.journal import OpenFlow
from controlplane.migration.machine import step
from controlplane.migration.peers import (
    HoldRule,
    InstanceRule,
    Member,
    UpdateOutcome,
    WriteResult,
)
from controlplane.migration.phases import ENDS, Action, Event, Phase
from controlplane.migration.record import FlowRecord
from controlplane.migration.services import Services
from controlplane.migration.state import Rules, Stage, State, stage, taken_over
from controlplane.p4_constants import PACKET_OUT_RELEASE
from controlplane.switch.packets import PacketOut
from nf.southbound.flow import FiveTuple
from nf.southbound.inband import detoured

_YIELD_EVERY = 64  # flows handled before the loop gets its turn
_WRITTEN_AT_ONCE = 256  # flows in one transaction of the journal: a few milliseconds
_TICK_S = 0.1
_NO_BARRIER = "the switch has returned no barrier: packets may still come, and are passed on"
_NOT_STARTED = frozenset({Phase.WAITING})
_BEFORE_EXPORTED = frozenset(
    {Phase.WAITING, Phase.ANNOUNCING, Phase.DIVERTING, Phase.HOLDING, Phase.EXPORTING}
)
_BEFORE_IMPORTED = _BEFORE_EXPORTED | {Phase.EXPORTED, Phase.IMPORTING}
_TAKES_SLOT = (_BEFORE_IMPORTED | {Phase.IMPORTED, Phase.STEERING, Phase.ADMITTING}) - _NOT_STARTED
_SET_ASIDE = (_BEFORE_IMPORTED - {Phase.WAITING, Phase.ANNOUNCING}) | {
    Phase.IMPORTED,
    Phase.STEERING,
    Phase.SETTLING,
    Phase.ABANDONING,
    Phase.RESTORING,
}
_RENEWAL_S = 10.0  # a third of what an instance waits for
_RULE_REPLACED = frozenset(
    {
        Phase.DELETING,
        Phase.SETTLING,
        Phase.ADMITTING,
        Phase.MOVED,
        Phase.RECALLING,
        Phase.CLEARING,
        Phase.UNWINDING,
        Phase.ROLLED_BACK,
    }
)
_WRITE_EVENTS = {
    WriteResult.WRITTEN: Event.WRITTEN,
    WriteResult.REFUSED: Event.REFUSED,
    WriteResult.UNANSWERED: Event.UNANSWERED,
}


class Mover:
    """Moves flows from a source to a destination, all under the same rules."""

    def __init__(
        self, number: int, source: Member, destination: Member, rules: Rules, services: Services
    ) -> None:
        """`number` is the move's in the journal."""
        self._number = number
        self._name = f"m{number}"
        self._source = source
        self._destination = destination
        self._rules = rules
        self._services = services
        self.control = ControlCounts()
        self.buffered = BufferCounts()
        self.records: list[FlowRecord] = []
        """The flows, in the order they are moved."""
        self.population: Counter[Phase] = Counter()
        """Flows in each phase."""
        self._set_asides = SetAsides(
            destination,
            services,
            self.control,
            self.dispatch,
            give_back=self._give_back,
            on_answer=self._answered,
        )
        limits = services.limits
        exporter = Exporter(source, destination, services, self.control, self.dispatch)
        self._exports: Batcher[FlowRecord] = Batcher(
            exporter.export, max_batch=limits.export_batch, at_once=limits.exports_at_once
        )
        self._imports = Importer(destination, services, self.control, self.dispatch, self._answered)
        self._source_deletes, self._destination_deletes = (
            Deleter(instance, services, self.control, self.dispatch, self._answered)
            for instance in (source, destination)
        )
        self._settlings: Batcher[FlowRecord] = Batcher(
            self._settle, max_batch=limits.in_flight, at_once=2
        )
        self._lettings_go: Batcher[FlowRecord] = Batcher(
            self._let_go_stranded, max_batch=limits.in_flight, at_once=2
        )
        self._late_puts: list[FlowRecord] = []
        """Flows that an earlier controller had put, and may put still."""
        self._exported_s = 0.0
        """When the source has answered last."""
        self._imported_s = 0.0
        """When the destination has."""
        self._changed = asyncio.Event()
        self._cancel_reason: str | None = None
        # KEEP and PASS_TO_… concern one packet: `held` does them.
        self._perform: dict[Action, Callable[[FlowRecord], None]] = {
            Action.RELEASE_TO_DESTINATION: self._release_to_destination,
            Action.RELEASE_TO_SOURCE: self._release_to_source,
            Action.SET_ASIDE: self._set_asides.announcements.add,
            Action.ADMIT: self._set_asides.admit,
            Action.RECALL: self._set_asides.recall,
            Action.HOLD: self._hold,
            Action.STEER: self._steer,
            Action.RESTORE: self._restore,
            Action.EXPORT: self._exports.add,
            Action.IMPORT: self._imports.add,
            Action.DELETE_AT_SOURCE: self._source_deletes.add,
            Action.DELETE_AT_DESTINATION: self._destination_deletes.add,
            Action.BARRIER: self._settlings.add,
        }

    # --- the move ---------------------------------------------------------------

    async def run(self, flows: Sequence[FiveTuple]) -> None:
        """Moves the flows; returns when each of them is at an end of the machine.

        What went wrong is in the records; nothing is raised but JournalError, in a group.
        """
        for number, flow in enumerate(flows):
            self._add(FlowRecord(flow, self._services.numbers.next(), State(self._rules)))
            if number % _YIELD_EVERY == _YIELD_EVERY - 1:
                await asyncio.sleep(0)
        for first in range(0, len(self.records), _WRITTEN_AT_ONCE):
            piece = self.records[first : first + _WRITTEN_AT_ONCE]
            self._services.journal.add(
                self._number, ((record.migration, record.flow) for record in piece)
            )
            await asyncio.sleep(0)
        await self._drive()

    def take_over(self, flows: Sequence[OpenFlow]) -> None:
        """Takes over flows from an earlier controller: their packets may come at once.

        To be called once; `finish` is to follow.
        """
        for flow in flows:
            state, event = taken_over(self._rules, flow.stage)
            record = FlowRecord(flow.flow, flow.migration, state)
            self._add(record)
            if flow.stage is Stage.PUT:
                self._late_puts.append(record)
            self.buffered.adopt(*self._services.buffer.waiting(flow.migration))
            self.dispatch(record, event, "an earlier controller has ended")

    async def finish(self) -> None:
        """Returns when each of the flows that were taken over is at an end of the machine."""
        await self._drive()

    def _add(self, record: FlowRecord) -> None:
        self.records.append(record)
        self._services.registry.add(record, self)
        self.population[record.state.phase] += 1

    async def _drive(self) -> None:
        if not self.records:
            return
        async with asyncio.TaskGroup() as tasks:
            helpers = [
                tasks.create_task(work, name=f"mover {name}")
                for name, work in (
                    ("announcements", self._set_asides.announcements.run()),
                    ("admissions", self._set_asides.admissions.run()),
                    ("recalls", self._set_asides.recalls.run()),
                    ("exports", self._exports.run()),
                    ("imports", self._imports.run()),
                    ("source deletes", self._source_deletes.run()),
                    ("destination deletes", self._destination_deletes.run()),
                    ("settlings", self._settlings.run()),
                    ("strandings", self._lettings_go.run()),
                    ("deadlines", self._watch_deadlines()),
                    ("cancel", self._watch_cancel()),
                    ("renewals", self._renew()),
                )
            ]
            await self._start_all()
            if not self._rules.parallelize:
                await self._until(lambda: not self._any_in(_BEFORE_EXPORTED))
                await self._tell_all(Phase.EXPORTED, Event.PROCEED)
            if not self._rules.early_release:
                await self._until(lambda: not self._any_in(_BEFORE_IMPORTED))
                await self._commit_all()
            await self._until(lambda: self._ended() == len(self.records))
            await self._until(
                lambda: not self._imports.pending, self._services.limits.import_timeout_s
            )
            await self._until(
                lambda: (
                    not (
                        self._source_deletes.pending
                        or self._destination_deletes.pending
                        or self._set_asides.pending
                    )
                )
            )
            self._leave_copies()
            for helper in helpers:
                helper.cancel()

    def _leave_copies(self) -> None:
        """A put may yet arrive behind its delete: one that is not answered, or another's."""
        left = [record.flow for record in self._imports.pending]
        left += [each.flow for each in self._late_puts if each.state.phase is not Phase.MOVED]
        if left:
            self._services.journal.leave_copies(self._destination.id, left)

    def cancel(self, reason: str) -> None:
        """Rolls back every flow that is not committed, and starts no more."""
        if self._cancel_reason is None:
            self._cancel_reason = reason
            self._changed.set()

    def held(self, record: FlowRecord, frame: bytes) -> None:
        """A packet of a held flow has come from the switch."""
        services = self._services
        self.control.packet_ins += 1
        now_s = services.clock()
        state, actions = step(record.state, Event.HELD, now_s)
        if Action.KEEP in actions and not services.buffer.keep(record.migration, frame):
            self.dispatch(record, Event.FULL, "the controller's packet buffer is full")
            state, actions = step(record.state, Event.HELD, now_s)
        record.state = state
        if Action.KEEP in actions:
            record.buffered_packets += 1
            record.buffered_bytes += len(frame)
            self.buffered.keep(len(frame))
            return
        to = self._destination if Action.PASS_TO_DESTINATION in actions else self._source
        if state.phase in _RULE_REPLACED:
            record.late_packets += 1
            self.buffered.late_packets += 1
        record.passed_packets += 1
        self.buffered.passed_packets += 1
        self._release(to, frame)

    def led_to(self, record: FlowRecord) -> int:
        """The instance that packets of a stranded flow are passed on to."""
        to = self._destination if record.state.phase is Phase.FORWARDING else self._source
        return to.id

    def dispatch(self, record: FlowRecord, event: Event, reason: str = "") -> None:
        """An event for a flow: takes the step and begins what it says."""
        now_s = self._services.clock()
        if event in (Event.STATE, Event.ABSENT):
            self._exported_s = now_s
        elif event is Event.IN_PLACE:
            self._imported_s = now_s
        before, reached = record.state.phase, stage(record.state)
        record.state, actions = step(record.state, event, now_s, reason)
        phase = record.state.phase
        if stage(record.state) is not reached:
            self._services.journal.reach(record.migration, stage(record.state))
        if phase is not before:
            record.entered_s.setdefault(phase, now_s)
            self._services.events.flow(self._name, record.flow, phase.value, record.state.reason)
            self.population[before] -= 1
            self.population[phase] += 1
            if phase in ENDS:
                record.chunk = None
                if phase is Phase.MOVED:
                    # At another end something may still be asked: a put may arrive, a delete
                    # may be missing. Those are forgotten when the move has waited for that.
                    self._services.journal.end_flow(self._number, record.migration)
                self._services.registry.end(
                    record,
                    stray=bool(record.state.reason),
                    stranded=phase in (Phase.FORWARDING, Phase.RETURNING),
                )
            self._changed.set()
        for action in actions:
            self._perform[action](record)

    # --- pace -------------------------------------------------------------------

    async def _start_all(self) -> None:
        """Starts flows as slots become free; all at once unless each is released alone."""
        pipelined = self._rules.parallelize and self._rules.early_release
        slots = self._services.limits.in_flight if pipelined else len(self.records)
        for number, record in enumerate(self.records):
            if self._cancel_reason is not None:
                return
            if self._slots_taken() >= slots:
                await self._until(
                    lambda: self._cancel_reason is not None or self._slots_taken() < slots
                )
            if record.state.phase is Phase.WAITING:
                self.dispatch(record, Event.START)
            if number % _YIELD_EVERY == _YIELD_EVERY - 1:
                await asyncio.sleep(0)

    async def _tell_all(self, phase: Phase, event: Event, reason: str = "") -> None:
        for number, record in enumerate(self.records):
            if record.state.phase is phase:
                self.dispatch(record, event, reason)
            if number % _YIELD_EVERY == _YIELD_EVERY - 1:
                await asyncio.sleep(0)

    async def _commit_all(self) -> None:
        """What is imported goes on, unless the destination has died with it, or begun anew."""
        lost = self._imports.lost
        if lost is None:
            await self._tell_all(Phase.IMPORTED, Event.PROCEED)
        else:
            await self._tell_all(Phase.IMPORTED, Event.FAILED, str(lost))

    async def _watch_cancel(self) -> None:
        await self._until(lambda: self._cancel_reason is not None)
        for number, record in enumerate(self.records):
            if record.state.phase not in ENDS:
                self.dispatch(record, Event.CANCEL, self._cancel_reason or "")
            if number % _YIELD_EVERY == _YIELD_EVERY - 1:
                await asyncio.sleep(0)

    async def _watch_deadlines(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            for number, record in enumerate(self.records):
                if self._is_overdue(record):
                    self.dispatch(record, Event.TIMEOUT, self._silence(record.state.phase))
                if number % _YIELD_EVERY == _YIELD_EVERY - 1:
                    await asyncio.sleep(0)

    async def _renew(self) -> None:
        """The destination takes flows for forgotten that it has set aside for too long."""
        while self._rules.aside:
            await asyncio.sleep(_RENEWAL_S)
            waiting = [record for record in self.records if record.state.phase in _SET_ASIDE]
            await self._set_asides.renew(waiting)

    def _is_overdue(self, record: FlowRecord) -> bool:
        """Whether its instance is silent: one that answers others has not come to it yet."""
        deadline_s, rules = record.state.deadline_s, self._rules
        if deadline_s is None:
            return False
        if record.state.phase is Phase.EXPORTING:
            deadline_s = max(deadline_s, self._exported_s + rules.export_timeout_s)
        else:
            deadline_s = max(deadline_s, self._imported_s + rules.import_timeout_s)
        return self._services.clock() >= deadline_s

    def _silence(self, phase: Phase) -> str:
        if phase is Phase.EXPORTING:
            return f"{self._source.name}: has not exported the state in time"
        return f"{self._destination.name}: has not imported the state in time"

    def _any_in(self, phases: frozenset[Phase]) -> bool:
        return any(self.population[phase] for phase in phases)

    def _slots_taken(self) -> int:
        return sum(self.population[phase] for phase in _TAKES_SLOT)

    def _ended(self) -> int:
        return sum(self.population[phase] for phase in ENDS)

    async def _until(self, condition: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Waits until the condition holds, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    changed = self._changed
                    if changed.is_set():
                        self._changed = changed = asyncio.Event()
                    await changed.wait()
        except TimeoutError:
            pass

    def _answered(self) -> None:
        self._changed.set()

    # --- actions ----------------------------------------------------------------

    def _release(self, to: Member, frame: bytes) -> None:
        self.control.packet_outs += 1
        if self._rules.aside and to is self._destination:
            frame = detoured(frame)
        self._services.outbox.add(PacketOut(PACKET_OUT_RELEASE, frame, to.id))

    def _release_all(self, record: FlowRecord, to: Member) -> None:
        frames = self._services.buffer.take(record.migration)
        self.buffered.take(len(frames), sum(map(len, frames)))
        for frame in frames:
            self._release(to, frame)

        def sent() -> None:
            record.released_s = self._services.clock()

        self._services.outbox.when_sent(sent)

    def _give_back(self, record: FlowRecord, frame: bytes) -> None:
        """A packet that had waited at the destination goes to the source after all."""
        record.passed_packets += 1
        self.buffered.passed_packets += 1
        self._release(self._source, frame)

    def _release_to_destination(self, record: FlowRecord) -> None:
        self._release_all(record, self._destination)

    def _release_to_source(self, record: FlowRecord) -> None:
        self._release_all(record, self._source)

    def _write(self, record: FlowRecord, rule: HoldRule | InstanceRule) -> None:
        def done(outcome: UpdateOutcome) -> None:
            if outcome.result is WriteResult.WRITTEN and self._services.registry.is_stranded(
                record.flow
            ):
                self._lettings_go.add(record)
                return
            event, reason = _WRITE_EVENTS[outcome.result], ""
            if event is not Event.WRITTEN:
                reason = f"the switch did not take the flow's rule: {outcome.reason}"
            self.dispatch(record, event, reason)

        self._services.writer.put(record.flow, rule, self.control, done)

    def _hold(self, record: FlowRecord) -> None:
        self._write(record, HoldRule(record.migration))

    def _steer(self, record: FlowRecord) -> None:
        self._write(record, InstanceRule(self._destination.id))

    def _restore(self, record: FlowRecord) -> None:
        self._write(record, InstanceRule(self._source.id))

    async def _let_go_stranded(self, batch: Sequence[FlowRecord]) -> None:
        """The packets of stranded flows that bear their old number have been passed on."""
        came = await self._services.barriers.wait(self.control)
        for record in batch:
            self._services.registry.forget(record.flow, stray=not came)
            self.dispatch(record, Event.WRITTEN, "" if came else _NO_BARRIER)

    async def _settle(self, batch: Sequence[FlowRecord]) -> None:
        came = await self._services.barriers.wait(self.control)
        for record in batch:
            self.dispatch(record, Event.SETTLED, "" if came else _NO_BARRIER)
