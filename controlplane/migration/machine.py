"""What happens to one flow while its state moves: a pure state machine.

`TABLE` is the whole protocol: each row says what a flow in a phase does on an event.
`step` looks the row up and returns the next state and the actions; it knows neither
packets nor sockets, and time is passed in. `docs/moving-flows.md` argues from the
table that no packet is lost and none processed twice.

A flow rolls back (to the source) until it *commits*, which is when its held packets
are released to the destination; from then on the newer state is at the destination,
and it rolls forward.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from controlplane.migration.phases import Action, Event, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the flows of a move are moved."""

    holds: bool = True
    """Packets are held (loss-free), as opposed to no guarantee."""

    parallelize: bool = True
    """Each state is put as it is got, instead of all gets first."""

    early_release: bool = True
    """Each flow is released when its own state is in place, instead of when all are."""

    export_timeout_s: float = 5.0
    """How long the source may take to read the marker and export a state."""

    import_timeout_s: float = 5.0
    """How long the destination may take to import a state."""


@dataclass(frozen=True, slots=True)
class State:
    """One flow's state. Only `step` makes new ones."""

    rules: Rules = field(default_factory=Rules)
    phase: Phase = Phase.WAITING
    deadline_s: float | None = None
    """When the phase times out."""
    kept: int = 0
    """Packets in the buffer."""
    passed: int = 0
    """Packets that the destination has been sent by the controller."""
    put: bool = False
    """A put was issued: the destination may have a copy."""
    absent: bool = False
    """The source had no state."""
    reason: str = ""
    """Why the flow was rolled back, or what did not work out."""


class Guard(NamedTuple):
    """When a row applies: every field that is not None equals the state's."""

    holds: bool | None = None
    parallelize: bool | None = None
    early_release: bool | None = None
    absent: bool | None = None
    put: bool | None = None
    passed: bool | None = None

    def admits(self, state: State) -> bool:
        """Whether the row applies to this state."""
        rules = state.rules
        return (
            (self.holds is None or self.holds == rules.holds)
            and (self.parallelize is None or self.parallelize == rules.parallelize)
            and (self.early_release is None or self.early_release == rules.early_release)
            and (self.absent is None or self.absent == state.absent)
            and (self.put is None or self.put == state.put)
            and (self.passed is None or self.passed == (state.passed > 0))
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


class IllegalEventError(Exception):
    """An event that cannot happen in the phase the flow is in: a defect."""

    def __init__(self, phase: Phase, event: Event) -> None:
        super().__init__(f"a flow that is {phase.value} cannot take {event.name}")
        self.phase = phase
        self.event = event


ENDS = frozenset({Phase.MOVED, Phase.FORWARDING, Phase.ROLLED_BACK, Phase.RETURNING})
"""Phases that a flow does not leave."""

STRANDED = frozenset({Phase.FORWARDING, Phase.RETURNING})
"""Ends in which packets still come through the controller."""

_ANY = Guard()
_HELD = Guard(holds=True)
_LOOSE = Guard(holds=False)


def _table() -> tuple[Row, ...]:
    p, e, a = Phase, Event, Action
    rows = [
        Row(p.WAITING, e.START, _HELD, p.HOLDING, (a.HOLD,)),
        Row(p.WAITING, e.START, _LOOSE, p.EXPORTING, (a.EXPORT,)),
        Row(p.WAITING, e.CANCEL, _ANY, p.ROLLED_BACK, ()),
        # Hold.
        Row(p.HOLDING, e.HELD, _ANY, p.HOLDING, (a.KEEP,)),
        Row(p.HOLDING, e.WRITTEN, _ANY, p.EXPORTING, (a.EXPORT,)),
        Row(p.HOLDING, e.REFUSED, _ANY, p.ROLLED_BACK, (a.RELEASE_TO_SOURCE,)),
        Row(p.HOLDING, e.UNANSWERED, _ANY, p.RESTORING, (a.RELEASE_TO_SOURCE, a.RESTORE)),
        Row(p.HOLDING, e.CANCEL, _ANY, p.ABANDONING, (a.RELEASE_TO_SOURCE,)),
        Row(p.HOLDING, e.FULL, _ANY, p.ABANDONING, (a.RELEASE_TO_SOURCE,)),
        # Get.
        Row(p.EXPORTING, e.STATE, Guard(parallelize=True), p.IMPORTING, (a.IMPORT,)),
        Row(p.EXPORTING, e.STATE, Guard(parallelize=False), p.EXPORTED, ()),
        Row(p.EXPORTING, e.ABSENT, _HELD, p.STEERING, (a.RELEASE_TO_DESTINATION, a.STEER)),
        Row(p.EXPORTING, e.ABSENT, _LOOSE, p.STEERING, (a.STEER,)),
        Row(p.EXPORTED, e.PROCEED, _ANY, p.IMPORTING, (a.IMPORT,)),
        # Put.
        Row(p.IMPORTING, e.IN_PLACE, Guard(early_release=False), p.IMPORTED, ()),
        Row(
            p.IMPORTING,
            e.IN_PLACE,
            Guard(holds=True, early_release=True),
            p.STEERING,
            (a.RELEASE_TO_DESTINATION, a.STEER),
        ),
        Row(
            p.IMPORTING,
            e.IN_PLACE,
            Guard(holds=False, early_release=True),
            p.STEERING,
            (a.STEER,),
        ),
        Row(p.IMPORTED, e.PROCEED, _HELD, p.STEERING, (a.RELEASE_TO_DESTINATION, a.STEER)),
        Row(p.IMPORTED, e.PROCEED, _LOOSE, p.STEERING, (a.STEER,)),
        # Steer.
        Row(p.STEERING, e.HELD, _ANY, p.STEERING, (a.PASS_TO_DESTINATION,)),
        Row(p.STEERING, e.WRITTEN, Guard(absent=False), p.DELETING, (a.DELETE_AT_SOURCE,)),
        Row(p.STEERING, e.WRITTEN, Guard(holds=True, absent=True), p.SETTLING, (a.BARRIER,)),
        Row(p.STEERING, e.WRITTEN, Guard(holds=False, absent=True), p.MOVED, ()),
        Row(
            p.STEERING,
            e.REFUSED,
            Guard(holds=False, put=True),
            p.CLEARING,
            (a.DELETE_AT_DESTINATION,),
        ),
        Row(p.STEERING, e.REFUSED, Guard(holds=False, put=False), p.ROLLED_BACK, ()),
        Row(p.STEERING, e.UNANSWERED, _LOOSE, p.RESTORING, (a.RESTORE,)),
        Row(p.DELETING, e.HELD, _ANY, p.DELETING, (a.PASS_TO_DESTINATION,)),
        Row(p.SETTLING, e.HELD, _ANY, p.SETTLING, (a.PASS_TO_DESTINATION,)),
        Row(p.SETTLING, e.SETTLED, _ANY, p.MOVED, ()),
        Row(p.MOVED, e.HELD, _ANY, p.MOVED, (a.PASS_TO_DESTINATION,)),
        Row(p.FORWARDING, e.HELD, _ANY, p.FORWARDING, (a.PASS_TO_DESTINATION,)),
        # Roll back.
        Row(p.ABANDONING, e.HELD, _ANY, p.ABANDONING, (a.PASS_TO_SOURCE,)),
        Row(p.ABANDONING, e.WRITTEN, _ANY, p.RESTORING, (a.RESTORE,)),
        Row(p.ABANDONING, e.UNANSWERED, _ANY, p.RESTORING, (a.RESTORE,)),
        Row(p.ABANDONING, e.REFUSED, _ANY, p.ROLLED_BACK, ()),
        Row(p.RESTORING, e.HELD, _ANY, p.RESTORING, (a.PASS_TO_SOURCE,)),
        Row(p.RESTORING, e.WRITTEN, Guard(put=True), p.CLEARING, (a.DELETE_AT_DESTINATION,)),
        Row(p.RESTORING, e.WRITTEN, Guard(holds=True, put=False), p.UNWINDING, (a.BARRIER,)),
        Row(p.RESTORING, e.WRITTEN, Guard(holds=False, put=False), p.ROLLED_BACK, ()),
        Row(p.CLEARING, e.HELD, _ANY, p.CLEARING, (a.PASS_TO_SOURCE,)),
        Row(p.UNWINDING, e.HELD, _ANY, p.UNWINDING, (a.PASS_TO_SOURCE,)),
        Row(p.UNWINDING, e.SETTLED, _ANY, p.ROLLED_BACK, ()),
        Row(p.ROLLED_BACK, e.HELD, _ANY, p.ROLLED_BACK, (a.PASS_TO_SOURCE,)),
        Row(p.RETURNING, e.HELD, _ANY, p.RETURNING, (a.PASS_TO_SOURCE,)),
    ]
    back = (a.RELEASE_TO_SOURCE, a.RESTORE)
    for phase in (p.EXPORTING, p.EXPORTED, p.IMPORTING, p.IMPORTED):
        rows.append(Row(phase, e.HELD, _ANY, phase, (a.KEEP,)))
        asked = phase in (p.EXPORTING, p.IMPORTING)
        events = (e.FAILED, e.TIMEOUT, e.CANCEL, e.FULL) if asked else (e.CANCEL, e.FULL)
        for event in events:
            rows.append(Row(phase, event, _HELD, p.RESTORING, back))
            if phase in (p.EXPORTING, p.EXPORTED):
                rows.append(Row(phase, event, _LOOSE, p.ROLLED_BACK, ()))
            else:
                rows.append(Row(phase, event, _LOOSE, p.CLEARING, (a.DELETE_AT_DESTINATION,)))
    # A refused rule means that no packet has gone round the controller either. An
    # unanswered one may be in force, and packets at the destination.
    rows += [
        Row(
            p.STEERING,
            e.REFUSED,
            Guard(holds=True, absent=False, passed=False),
            p.RESTORING,
            (a.RESTORE,),
        ),
        Row(
            p.STEERING,
            e.REFUSED,
            Guard(holds=True, absent=False, passed=True),
            p.FORWARDING,
            (a.DELETE_AT_SOURCE,),
        ),
        Row(
            p.STEERING,
            e.UNANSWERED,
            Guard(holds=True, absent=False),
            p.FORWARDING,
            (a.DELETE_AT_SOURCE,),
        ),
    ]
    for event in (e.REFUSED, e.UNANSWERED):
        rows += [
            Row(p.STEERING, event, Guard(holds=True, absent=True), p.FORWARDING, ()),
            Row(
                p.RESTORING,
                event,
                Guard(put=True),
                p.RETURNING,
                (a.DELETE_AT_DESTINATION,),
            ),
            Row(p.RESTORING, event, Guard(put=False), p.RETURNING, ()),
        ]
    for event in (e.DELETED, e.NOT_DELETED):
        rows += [
            Row(p.DELETING, event, _HELD, p.SETTLING, (a.BARRIER,)),
            Row(p.DELETING, event, _LOOSE, p.MOVED, ()),
            Row(p.CLEARING, event, _HELD, p.UNWINDING, (a.BARRIER,)),
            Row(p.CLEARING, event, _LOOSE, p.ROLLED_BACK, ()),
        ]
    # A put that was under way when the flow rolled back may arrive behind the delete.
    rows.append(Row(p.RESTORING, e.IN_PLACE, _ANY, p.RESTORING, ()))
    for phase in (p.CLEARING, p.UNWINDING, p.ROLLED_BACK, p.RETURNING):
        rows.append(Row(phase, e.IN_PLACE, _ANY, phase, (a.DELETE_AT_DESTINATION,)))
    return tuple(rows)


TABLE: tuple[Row, ...] = _table()
"""The protocol. Of two rows for a phase and an event, the guards exclude each other."""

_BACK = frozenset(
    {
        Phase.ABANDONING,
        Phase.RESTORING,
        Phase.CLEARING,
        Phase.UNWINDING,
        Phase.ROLLED_BACK,
        Phase.RETURNING,
    }
)
_FORTH = frozenset({Phase.STEERING, Phase.DELETING, Phase.SETTLING, Phase.MOVED, Phase.FORWARDING})

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
    | {(phase, event) for phase in _FORTH for event in (Event.CANCEL, Event.TIMEOUT, Event.PROCEED)}
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
)

_ROWS: dict[tuple[Phase, Event], tuple[Row, ...]] = {}
for _row in TABLE:
    _ROWS[_row.phase, _row.event] = (*_ROWS.get((_row.phase, _row.event), ()), _row)

_NOTED = frozenset(
    {
        Event.REFUSED,
        Event.UNANSWERED,
        Event.FAILED,
        Event.FULL,
        Event.CANCEL,
        Event.TIMEOUT,
        Event.NOT_DELETED,
    }
)


def step(
    state: State, event: Event, now_s: float, reason: str = ""
) -> tuple[State, tuple[Action, ...]]:
    """The flow's next state on an event, and what is to be done, in this order.

    `reason` says why, for the events that are failures; the first one stays.
    Raises IllegalEventError.
    """
    for row in _ROWS.get((state.phase, event), ()):
        if row.when.admits(state):
            return _next(state, row, now_s, reason), row.actions
    if (state.phase, event) in IGNORED:
        return state, ()
    raise IllegalEventError(state.phase, event)


def _next(state: State, row: Row, now_s: float, reason: str) -> State:
    kept = state.kept
    passed = state.passed
    put = state.put
    for action in row.actions:
        match action:
            case Action.KEEP:
                kept += 1
            case Action.PASS_TO_DESTINATION:
                passed += 1
            case Action.RELEASE_TO_DESTINATION:
                passed += kept
                kept = 0
            case Action.RELEASE_TO_SOURCE:
                kept = 0
            case Action.IMPORT:
                put = True
            case _:
                pass
    deadline_s = state.deadline_s
    if row.then is not state.phase:
        deadline_s = None
        if row.then is Phase.EXPORTING:
            deadline_s = now_s + state.rules.export_timeout_s
        elif row.then is Phase.IMPORTING:
            deadline_s = now_s + state.rules.import_timeout_s
    return State(
        rules=state.rules,
        phase=row.then,
        deadline_s=deadline_s,
        kept=kept,
        passed=passed,
        put=put,
        absent=state.absent or row.event is Event.ABSENT,
        reason=state.reason or (reason if row.event in _NOTED else ""),
    )
