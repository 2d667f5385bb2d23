"""The protocol: what a flow in a phase does on an event.

`docs/moving-flows.md` argues from this table that no packet is lost and none processed twice.

A flow rolls back (to the source) until it *commits*, which is when its held packets
are released to the destination; from then on the newer state is at the destination,
and it rolls forward.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from controlplane.migration.phases import COMMITTED, Action, Event, Phase
from controlplane.migration.state import State


class Guard(NamedTuple):
    """When a row applies: every field that is not None equals the state's."""

    holds: bool | None = None
    diverts: bool | None = None
    aside: bool | None = None
    parallelize: bool | None = None
    early_release: bool | None = None
    absent: bool | None = None
    put: bool | None = None
    passed: bool | None = None
    ruled: bool | None = None

    def admits(self, state: State) -> bool:
        """Whether the row applies to this state."""
        rules = state.rules
        return (
            (self.holds is None or self.holds == rules.holds)
            and (self.diverts is None or self.diverts == rules.diverts)
            and (self.aside is None or self.aside == rules.aside)
            and (self.parallelize is None or self.parallelize == rules.parallelize)
            and (self.early_release is None or self.early_release == rules.early_release)
            and (self.absent is None or self.absent == state.absent)
            and (self.put is None or self.put == state.put)
            and (self.passed is None or self.passed == (state.passed > 0))
            and (self.ruled is None or self.ruled == state.ruled)
        )

    def __str__(self) -> str:
        """`holds, not absent`."""
        return ", ".join(
            name.replace("_", " ") if value else f"not {name.replace('_', ' ')}"
            for name, value in self._asdict().items()
            if value is not None
        )


class Row(NamedTuple):
    """One row of the table: in `phase`, on `event`, `when`: `actions`, and on to `then`."""

    phase: Phase
    event: Event
    when: Guard
    then: Phase
    actions: tuple[Action, ...]


_ANY = Guard()
_HELD = Guard(holds=True)
_DIVERTED = Guard(diverts=True)
_LOOSE = Guard(holds=False, diverts=False)
_DIRECT = Guard(aside=False)
_ASIDE = Guard(aside=True)


def _table() -> tuple[Row, ...]:
    return (*_forth(), *_doubtful_steering(), *_back(), *_late(), *_taken_over())


def _forth() -> Iterator[Row]:
    """The way of a flow with which nothing goes wrong."""
    p, e, a = Phase, Event, Action
    yield Row(p.WAITING, e.START, Guard(holds=True, aside=False), p.HOLDING, (a.HOLD,))
    yield Row(p.WAITING, e.START, _ASIDE, p.ANNOUNCING, (a.SET_ASIDE,))
    yield Row(p.WAITING, e.START, _LOOSE, p.EXPORTING, (a.EXPORT,))
    yield Row(p.ANNOUNCING, e.ANNOUNCED, _HELD, p.HOLDING, (a.HOLD,))
    yield Row(p.ANNOUNCING, e.ANNOUNCED, _DIVERTED, p.DIVERTING, (a.STEER,))
    yield Row(p.HOLDING, e.HELD, _ANY, p.HOLDING, (a.KEEP,))
    yield Row(p.HOLDING, e.WRITTEN, _ANY, p.EXPORTING, (a.EXPORT,))
    yield Row(p.DIVERTING, e.WRITTEN, _ANY, p.EXPORTING, (a.EXPORT,))
    # Get.
    for phase in (p.EXPORTING, p.EXPORTED, p.IMPORTING, p.IMPORTED):
        yield Row(phase, e.HELD, _ANY, phase, (a.KEEP,))
    yield Row(p.EXPORTING, e.STATE, Guard(parallelize=True), p.IMPORTING, (a.IMPORT,))
    yield Row(p.EXPORTING, e.STATE, Guard(parallelize=False), p.EXPORTED, ())
    yield Row(p.EXPORTED, e.PROCEED, _ANY, p.IMPORTING, (a.IMPORT,))
    # Put.
    yield Row(p.IMPORTING, e.IN_PLACE, Guard(early_release=False), p.IMPORTED, ())
    # Commit.
    for phase, event, early in (
        (p.EXPORTING, e.ABSENT, None),
        (p.IMPORTING, e.IN_PLACE, True),
        (p.IMPORTED, e.PROCEED, None),
    ):
        held = Guard(holds=True, early_release=early)
        yield Row(phase, event, held, p.STEERING, (a.RELEASE_TO_DESTINATION, a.STEER))
        yield Row(phase, event, Guard(diverts=True, early_release=early), p.ADMITTING, (a.ADMIT,))
        loose = Guard(holds=False, diverts=False, early_release=early)
        yield Row(phase, event, loose, p.STEERING, (a.STEER,))
    # Steer.
    for phase in (p.STEERING, p.DELETING, p.SETTLING, p.ADMITTING, p.MOVED, p.FORWARDING):
        yield Row(phase, e.HELD, _ANY, phase, (a.PASS_TO_DESTINATION,))
    present = Guard(aside=False, absent=False)
    yield Row(p.STEERING, e.WRITTEN, present, p.DELETING, (a.DELETE_AT_SOURCE,))
    gone = Guard(holds=True, aside=False, absent=True)
    yield Row(p.STEERING, e.WRITTEN, gone, p.SETTLING, (a.BARRIER,))
    gone = Guard(holds=False, diverts=False, absent=True)
    yield Row(p.STEERING, e.WRITTEN, gone, p.MOVED, ())
    yield Row(p.STEERING, e.WRITTEN, _ASIDE, p.SETTLING, (a.BARRIER,))
    yield Row(p.SETTLING, e.SETTLED, _DIRECT, p.MOVED, ())
    yield Row(p.SETTLING, e.SETTLED, _ASIDE, p.ADMITTING, (a.ADMIT,))
    # A destination that fails now is one that fails with its flows, as without a move.
    for event in (e.ADMITTED, e.FAILED):
        yield Row(p.ADMITTING, event, Guard(absent=False), p.DELETING, (a.DELETE_AT_SOURCE,))
        yield Row(p.ADMITTING, event, Guard(absent=True), p.MOVED, ())
    for event in (e.DELETED, e.NOT_DELETED):
        held = Guard(holds=True, aside=False)
        yield Row(p.DELETING, event, held, p.SETTLING, (a.BARRIER,))
        yield Row(p.DELETING, event, _ASIDE, p.MOVED, ())
        yield Row(p.DELETING, event, _LOOSE, p.MOVED, ())


def _doubtful_steering() -> Iterator[Row]:
    """The switch does not take the rule to the destination.

    Without a guarantee a refused rule means that no packet has gone there. An
    unanswered one may be in force, and packets at the destination. Of a flow that was taken
    over (it counts as passed on) the destination may have the only state.
    """
    p, e, a = Phase, Event, Action
    copied = Guard(holds=False, put=True, passed=False)
    yield Row(p.STEERING, e.REFUSED, copied, p.CLEARING, (a.DELETE_AT_DESTINATION,))
    none = Guard(holds=False, put=False, passed=False)
    yield Row(p.STEERING, e.REFUSED, none, p.ROLLED_BACK, ())
    fresh = Guard(holds=False, diverts=False, passed=False)
    yield Row(p.STEERING, e.UNANSWERED, fresh, p.RESTORING, (a.RESTORE,))
    for event in (e.REFUSED, e.UNANSWERED):
        present = Guard(holds=False, absent=False, passed=True)
        yield Row(p.STEERING, event, present, p.FORWARDING, (a.DELETE_AT_SOURCE,))
        gone = Guard(holds=False, absent=True, passed=True)
        yield Row(p.STEERING, event, gone, p.FORWARDING, ())
    unread = Guard(holds=True, absent=False, passed=False)
    yield Row(p.STEERING, e.REFUSED, unread, p.RESTORING, (a.RESTORE,))
    for aside, admit in ((False, ()), (True, (a.ADMIT,))):
        stranded = (*admit, a.DELETE_AT_SOURCE)
        passed = Guard(holds=True, aside=aside, absent=False, passed=True)
        yield Row(p.STEERING, e.REFUSED, passed, p.FORWARDING, stranded)
        present = Guard(holds=True, aside=aside, absent=False)
        yield Row(p.STEERING, e.UNANSWERED, present, p.FORWARDING, stranded)
        for event in (e.REFUSED, e.UNANSWERED):
            gone = Guard(holds=True, aside=aside, absent=True)
            yield Row(p.STEERING, event, gone, p.FORWARDING, admit)


def _back() -> Iterator[Row]:
    """The way of a flow that is not moved after all."""
    p, e, a = Phase, Event, Action
    yield Row(p.WAITING, e.CANCEL, _ANY, p.ROLLED_BACK, ())
    yield Row(p.ANNOUNCING, e.FAILED, _ANY, p.RECALLING, (a.RECALL,))
    yield Row(p.ANNOUNCING, e.CANCEL, _ANY, p.WITHDRAWING, ())
    for event in (e.ANNOUNCED, e.FAILED):
        yield Row(p.WITHDRAWING, event, _ANY, p.RECALLING, (a.RECALL,))
    # The first rule.
    yield Row(p.HOLDING, e.REFUSED, _DIRECT, p.ROLLED_BACK, (a.RELEASE_TO_SOURCE,))
    yield Row(p.HOLDING, e.REFUSED, _ASIDE, p.RECALLING, (a.RELEASE_TO_SOURCE, a.RECALL))
    yield Row(p.HOLDING, e.UNANSWERED, _ANY, p.RESTORING, (a.RELEASE_TO_SOURCE, a.RESTORE))
    for event in (e.CANCEL, e.FULL):
        yield Row(p.HOLDING, event, _ANY, p.ABANDONING, (a.RELEASE_TO_SOURCE,))
    yield Row(p.DIVERTING, e.REFUSED, _ANY, p.RECALLING, (a.RECALL,))
    yield Row(p.DIVERTING, e.UNANSWERED, _ANY, p.RESTORING, (a.RESTORE,))
    yield Row(p.DIVERTING, e.CANCEL, _ANY, p.ABANDONING, ())
    for event in (e.WRITTEN, e.UNANSWERED):
        yield Row(p.ABANDONING, event, _ANY, p.RESTORING, (a.RESTORE,))
    yield Row(p.ABANDONING, e.REFUSED, _DIRECT, p.ROLLED_BACK, ())
    yield Row(p.ABANDONING, e.REFUSED, _ASIDE, p.RECALLING, (a.RECALL,))
    # Get and put.
    for phase in (p.EXPORTING, p.EXPORTED, p.IMPORTING, p.IMPORTED):
        events = [e.CANCEL, e.FULL]
        if phase in (p.EXPORTING, p.IMPORTING):
            events += [e.FAILED, e.TIMEOUT]
        elif phase is p.IMPORTED:  # the destination has died
            events.append(e.FAILED)
        for event in events:
            yield Row(phase, event, _HELD, p.RESTORING, (a.RELEASE_TO_SOURCE, a.RESTORE))
            yield Row(phase, event, _DIVERTED, p.RESTORING, (a.RESTORE,))
            if phase in (p.EXPORTING, p.EXPORTED):
                yield Row(phase, event, _LOOSE, p.ROLLED_BACK, ())
            else:
                yield Row(phase, event, _LOOSE, p.CLEARING, (a.DELETE_AT_DESTINATION,))
    # The rule to the source.
    yield Row(p.RESTORING, e.WRITTEN, _ASIDE, p.RECALLING, (a.RECALL,))
    copied = Guard(aside=False, put=True)
    yield Row(p.RESTORING, e.WRITTEN, copied, p.CLEARING, (a.DELETE_AT_DESTINATION,))
    held = Guard(holds=True, aside=False, put=False)
    yield Row(p.RESTORING, e.WRITTEN, held, p.UNWINDING, (a.BARRIER,))
    loose = Guard(holds=False, aside=False, put=False)
    yield Row(p.RESTORING, e.WRITTEN, loose, p.ROLLED_BACK, ())
    for event in (e.REFUSED, e.UNANSWERED):
        for aside, recall in ((False, ()), (True, (a.RECALL,))):
            copied = Guard(aside=aside, put=True)
            actions = (*recall, a.DELETE_AT_DESTINATION)
            yield Row(p.RESTORING, event, copied, p.RETURNING, actions)
            yield Row(p.RESTORING, event, Guard(aside=aside, put=False), p.RETURNING, recall)
    # What the destination has of it.
    for event in (e.RECALLED, e.NOT_RECALLED):
        copied = Guard(put=True)
        yield Row(p.RECALLING, event, copied, p.CLEARING, (a.DELETE_AT_DESTINATION,))
        held = Guard(holds=True, put=False, ruled=True)
        yield Row(p.RECALLING, event, held, p.UNWINDING, (a.BARRIER,))
        diverted = Guard(diverts=True, put=False, ruled=True)
        yield Row(p.RECALLING, event, diverted, p.ROLLED_BACK, ())
        yield Row(p.RECALLING, event, Guard(put=False, ruled=False), p.ROLLED_BACK, ())
    for event in (e.DELETED, e.NOT_DELETED):
        yield Row(p.CLEARING, event, _HELD, p.UNWINDING, (a.BARRIER,))
        yield Row(p.CLEARING, event, Guard(holds=False), p.ROLLED_BACK, ())
    yield Row(p.UNWINDING, e.SETTLED, _ANY, p.ROLLED_BACK, ())
    for phase in (
        *(p.WITHDRAWING, p.ABANDONING, p.RESTORING, p.RECALLING, p.CLEARING, p.UNWINDING),
        *(p.ROLLED_BACK, p.RETURNING),
    ):
        yield Row(phase, e.HELD, _ANY, phase, (a.PASS_TO_SOURCE,))


def _late() -> Iterator[Row]:
    """A put that was under way when the flow rolled back may arrive behind the delete."""
    p, e, a = Phase, Event, Action
    for phase in (p.RESTORING, p.RECALLING):
        yield Row(phase, e.IN_PLACE, _ANY, phase, ())
    for phase in (p.CLEARING, p.UNWINDING, p.ROLLED_BACK, p.RETURNING):
        yield Row(phase, e.IN_PLACE, _ANY, phase, (a.DELETE_AT_DESTINATION,))


def _taken_over() -> Iterator[Row]:
    """The way of a flow that an earlier controller had begun to move."""
    p, e, a = Phase, Event, Action
    yield Row(p.WAITING, e.UNDO, _HELD, p.RESTORING, (a.RELEASE_TO_SOURCE, a.RESTORE))
    # The rule may lead to the destination, without any guarantee as well: the switch had not
    # answered when it was asked for.
    yield Row(p.WAITING, e.UNDO, Guard(holds=False), p.RESTORING, (a.RESTORE,))
    yield Row(p.WAITING, e.FINISH, _HELD, p.STEERING, (a.RELEASE_TO_DESTINATION, a.STEER))
    yield Row(p.WAITING, e.FINISH, _DIVERTED, p.ADMITTING, (a.ADMIT,))
    yield Row(p.WAITING, e.FINISH, _LOOSE, p.STEERING, (a.STEER,))


TABLE: tuple[Row, ...] = _table()
"""The protocol. Of two rows for a phase and an event, the guards exclude each other."""

_BACK = frozenset(
    {
        Phase.ABANDONING,
        Phase.RESTORING,
        Phase.RECALLING,
        Phase.CLEARING,
        Phase.UNWINDING,
        Phase.ROLLED_BACK,
        Phase.RETURNING,
    }
)

IGNORED: frozenset[tuple[Phase, Event]] = frozenset(
    # Too late to change anything: an answer to what has been given up, a cancel after
    # the commitment or on the way back, an answer to the delete at an end.
    {
        (phase, event)
        for phase in _BACK
        for event in (
            Event.STATE,
            Event.ABSENT,
            Event.FAILED,
            Event.CANCEL,
            Event.FULL,
            Event.TIMEOUT,
            Event.PROCEED,
        )
    }
    | {
        (phase, event)
        for phase in COMMITTED
        for event in (Event.CANCEL, Event.TIMEOUT, Event.PROCEED)
    }
    | {
        (phase, event)
        for phase in (
            Phase.FORWARDING,
            Phase.RETURNING,
            Phase.UNWINDING,
            Phase.ROLLED_BACK,
        )
        for event in (Event.DELETED, Event.NOT_DELETED)
    }
    | {(Phase.FORWARDING, event) for event in (Event.ADMITTED, Event.FAILED)}
    | {(Phase.WITHDRAWING, Event.CANCEL)}
    | {(Phase.RETURNING, event) for event in (Event.RECALLED, Event.NOT_RECALLED)}
)
