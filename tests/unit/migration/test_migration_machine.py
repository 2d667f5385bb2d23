"""The per-flow machine, walked through exhaustively and at random."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machine_world import World, begin, complaint, successors

from controlplane.migration.machine import IllegalEventError, step
from controlplane.migration.phases import ENDS, Action, Event, Phase
from controlplane.migration.state import Rules, Stage, State, taken_over
from controlplane.migration.transitions import IGNORED, TABLE

RULES = [
    *(
        Rules(holds=not diverts, diverts=diverts, aside=True, parallelize=pace, early_release=pace)
        for diverts, pace in itertools.product((True, False), repeat=2)
    ),
    *(
        Rules(holds=holds, parallelize=parallelize, early_release=early_release)
        for holds, parallelize, early_release in itertools.product((True, False), repeat=3)
    ),
]
HOLDING = [rules for rules in RULES if rules.is_loss_free]


def every_state(phase: Phase) -> list[State]:
    return [
        State(rules, phase, put=put, absent=absent, passed=passed, ruled=ruled)
        for rules in RULES
        for put in (True, False)
        for absent in (True, False)
        for passed in (0, 1)
        for ruled in (True, False)
    ]


def test_no_two_rows_apply_at_once() -> None:
    for phase in Phase:
        for event in Event:
            rows = [row for row in TABLE if (row.phase, row.event) == (phase, event)]
            for state in every_state(phase):
                assert sum(row.when.admits(state) for row in rows) <= 1, (phase, event, state)


def test_rows_and_ignored_events_do_not_overlap() -> None:
    assert not IGNORED & {(row.phase, row.event) for row in TABLE}


def test_every_phase_is_reached_and_every_end_is_final() -> None:
    assert {row.then for row in TABLE} | {Phase.WAITING} == set(Phase)
    assert all(row.then is row.phase for row in TABLE if row.phase in ENDS)


@pytest.mark.parametrize(
    ("phase", "event"),
    [
        (Phase.WAITING, Event.HELD),
        (Phase.HOLDING, Event.STATE),
        (Phase.EXPORTING, Event.WRITTEN),
        (Phase.MOVED, Event.WRITTEN),
        (Phase.SETTLING, Event.STATE),
    ],
)
def test_event_that_cannot_happen_is_a_defect(phase: Phase, event: Event) -> None:
    with pytest.raises(IllegalEventError, match=f"{phase.value} cannot take {event.name}"):
        step(State(phase=phase), event, 0.0)


def test_first_reason_stays_and_deadlines_follow_the_phase() -> None:
    state = State(Rules(export_timeout_s=2.0))
    state, _ = step(state, Event.START, 10.0)
    assert state.deadline_s is None
    state, _ = step(state, Event.WRITTEN, 11.0)
    assert state.deadline_s == 13.0
    state, _ = step(state, Event.FAILED, 12.0, "nf1: does not answer")
    state, _ = step(state, Event.REFUSED, 12.0, "table full")
    assert state.reason == "nf1: does not answer"
    assert state.phase is Phase.RETURNING


@pytest.mark.parametrize("refusal", [Event.REFUSED, Event.UNANSWERED])
@pytest.mark.parametrize(
    ("stage", "actions"),
    [(Stage.COMMITTED, (Action.DELETE_AT_SOURCE,)), (Stage.COMMITTED_ABSENT, ())],
)
def test_a_committed_flow_that_is_taken_over_keeps_the_state_that_the_destination_has(
    stage: Stage, actions: tuple[Action, ...], refusal: Event
) -> None:
    state, event = taken_over(Rules(holds=False), stage)
    state, _ = step(state, event, 0.0)
    state, done = step(state, refusal, 0.0)
    assert (state.phase, done) == (Phase.FORWARDING, actions)


@pytest.mark.parametrize("rules", RULES, ids=str)
@pytest.mark.parametrize("stage", [Stage.BEGUN, Stage.PUT])
def test_a_flow_that_is_undone_is_steered_to_the_source_again(stage: Stage, rules: Rules) -> None:
    state, event = taken_over(rules, stage)
    state, actions = step(state, event, 0.0)
    assert (state.phase, actions[-1]) == (Phase.RESTORING, Action.RESTORE)


def explore(first: World, packets: int) -> int:
    """Walks through every world; how many there are."""
    seen = {first}
    stack = [first]
    while stack:
        world = stack.pop()
        following = list(successors(world, packets))
        if not following:
            wrong = complaint(world)
            assert wrong is None, f"{wrong}: {' '.join(world.trace)}"
        for after in following:
            if after not in seen:
                seen.add(after)
                stack.append(after)
    return len(seen)


@pytest.mark.parametrize("rules", HOLDING, ids=str)
@pytest.mark.parametrize(
    ("packets", "faults", "cancels"), [(3, 0, 0), (3, 1, 0), (3, 0, 1), (2, 1, 1), (1, 2, 0)]
)
def test_every_interleaving_loses_nothing(
    rules: Rules, packets: int, faults: int, cancels: int
) -> None:
    worlds = explore(begin(rules, faults=faults, cancels=cancels), packets)
    assert worlds > 50


@pytest.mark.parametrize("rules", HOLDING, ids=str)
@pytest.mark.parametrize(("faults", "cancels"), [(0, 0), (0, 1), (1, 0)])
def test_every_interleaving_of_a_flow_without_state(
    rules: Rules, faults: int, cancels: int
) -> None:
    assert explore(begin(rules, faults=faults, cancels=cancels, absent=True), 2) > 50


@pytest.mark.parametrize("rules", HOLDING, ids=str)
@pytest.mark.parametrize(
    ("packets", "faults", "cancels", "crashes", "absent"),
    [
        (3, 0, 0, 1, False),
        (1, 0, 1, 1, False),
        (1, 1, 0, 1, False),
        (1, 0, 0, 2, False),
        (2, 0, 0, 1, True),
    ],
)
def test_whoever_takes_over_ends_every_flow_and_loses_what_the_other_one_had(
    rules: Rules, packets: int, faults: int, cancels: int, crashes: int, absent: bool
) -> None:
    first = begin(rules, faults=faults, cancels=cancels, crashes=crashes, absent=absent)
    assert explore(first, packets) > 50


@settings(max_examples=400, deadline=None)
@given(
    rules=st.sampled_from(HOLDING),
    packets=st.integers(0, 12),
    faults=st.integers(0, 4),
    cancels=st.integers(0, 2),
    crashes=st.integers(0, 2),
    choices=st.randoms(use_true_random=False),
)
def test_long_runs_lose_nothing(
    rules: Rules, packets: int, faults: int, cancels: int, crashes: int, choices: object
) -> None:
    world = begin(rules, faults=faults, cancels=cancels, crashes=crashes)
    while following := list(successors(world, packets)):
        world = choices.choice(following)  # pyright: ignore[reportAttributeAccessIssue]
    assert complaint(world) is None, world.trace
