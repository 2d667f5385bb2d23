"""What happens to one flow while its state moves: a pure state machine.

`step` looks a row of the table up and returns the next state and the actions; it knows
neither packets nor sockets, and time is passed in.
"""

from __future__ import annotations

from typing import NamedTuple

from controlplane.migration.phases import Action, Event, Phase
from controlplane.migration.state import State
from controlplane.migration.transitions import IGNORED, TABLE, Row


class IllegalEventError(Exception):
    """An event that cannot happen in the phase the flow is in: a defect."""

    def __init__(self, phase: Phase, event: Event) -> None:
        super().__init__(f"a flow that is {phase.value} cannot take {event.name}")
        self.phase = phase
        self.event = event


_ROWS: dict[tuple[Phase, Event], tuple[Row, ...]] = {}
for _row in TABLE:
    _ROWS[_row.phase, _row.event] = (*_ROWS.get((_row.phase, _row.event), ()), _row)

_NOTED = frozenset(
    {
        Event.UNDO,
        Event.REFUSED,
        Event.UNANSWERED,
        Event.FAILED,
        Event.FULL,
        Event.CANCEL,
        Event.TIMEOUT,
        Event.NOT_DELETED,
        Event.NOT_RECALLED,
        Event.SETTLED,  # where the barrier has not come back
        Event.WRITTEN,  # where it has not for a flow that was stranded
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


class _Effect(NamedTuple):
    """What actions change in the state, worked out once for each row: a step is often taken."""

    keeps: bool
    passes: bool
    releases: bool
    delivers: bool
    puts: bool
    rules: bool

    @classmethod
    def of(cls, actions: tuple[Action, ...]) -> _Effect:
        return cls(
            keeps=Action.KEEP in actions,
            passes=Action.PASS_TO_DESTINATION in actions,
            releases=not {Action.RELEASE_TO_DESTINATION, Action.RELEASE_TO_SOURCE}.isdisjoint(
                actions
            ),
            delivers=Action.RELEASE_TO_DESTINATION in actions,
            puts=Action.IMPORT in actions,
            rules=not {Action.HOLD, Action.STEER}.isdisjoint(actions),
        )


_EFFECTS = {row.actions: _Effect.of(row.actions) for row in TABLE}


def _next(state: State, row: Row, now_s: float, reason: str) -> State:
    effect = _EFFECTS[row.actions]
    kept = state.kept + effect.keeps
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
        kept=0 if effect.releases else kept,
        passed=state.passed + effect.passes + (kept if effect.delivers else 0),
        put=state.put or effect.puts,
        ruled=state.ruled or effect.rules,
        absent=state.absent or row.event is Event.ABSENT,
        reason=state.reason or (reason if row.event in _NOTED else ""),
    )
