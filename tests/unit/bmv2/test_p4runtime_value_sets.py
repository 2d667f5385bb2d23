"""Parser value sets: pytest tests/unit/bmv2/test_p4runtime_value_sets.py"""

from __future__ import annotations

from typing import Any

import pytest
from finsy.proto import p4r
from p4rt_client import DELETE, INSERT, MODIFY, entity, exact
from p4rt_desk import EXHAUSTED, EXISTS, INVALID, NOT_FOUND, FakeDesk

from bmv2.embedded.match import Exact


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk("value_set")


def value_set(desk: FakeDesk, name: str, *members: tuple[int, ...]) -> Any:
    return p4r.ValueSetEntry(
        value_set_id=desk.ids.value_set[name],
        members=[p4r.ValueSetMember(match=exact(*values)) for values in members],
    )


def test_the_members_are_replaced(desk: FakeDesk) -> None:
    desk.modify(value_set(desk, "pairs", (1, 2), (3, 4)), value_set(desk, "kinds", (7,)))
    desk.modify(value_set(desk, "pairs", (5, 6)))
    assert desk.backend.value_sets == {
        "Parse.pairs": [[Exact(5), Exact(6)]],
        "Parse.kinds": [[Exact(7)]],
    }
    kinds, pairs = value_set(desk, "kinds", (7,)), value_set(desk, "pairs", (5, 6))
    assert desk.read(p4r.ValueSetEntry()) == [entity(kinds), entity(pairs)]
    assert desk.read(value_set(desk, "pairs")) == [entity(pairs)]
    desk.modify(value_set(desk, "pairs"))
    assert desk.backend.value_sets["Parse.pairs"] == []


@pytest.mark.parametrize(
    ("kind", "members", "code", "words"),
    [
        (INSERT, [(1,)], INVALID, "can only be modified"),
        (DELETE, [], INVALID, "can only be modified"),
        (MODIFY, [(1,)] * 2, EXISTS, "given twice"),
        (MODIFY, [(1,), (2,), (3,), (4,), (5,)], EXHAUSTED, "room for 4"),
        (MODIFY, [()], INVALID, "an exact match is missing"),
        (MODIFY, [(1 << 16,)], INVALID, "16 bits"),
        (MODIFY, [(1, 2)], INVALID, "no match field with id 2"),
    ],
)
def test_a_bad_update_says_what_and_why(
    desk: FakeDesk,
    kind: p4r.Update.Type.ValueType,
    members: list[tuple[int, ...]],
    code: int,
    words: str,
) -> None:
    desk.modify(value_set(desk, "kinds", (9,)))
    found = desk.refusal(kind, value_set(desk, "kinds", *members))
    assert (found[0], words in found[1]) == (code, True), found
    assert found[1].startswith("value set Parse.kinds: ")
    assert desk.backend.value_sets == {"Parse.kinds": [[Exact(9)]]}


def test_an_unknown_value_set(desk: FakeDesk) -> None:
    assert desk.refusal(MODIFY, p4r.ValueSetEntry(value_set_id=5))[0] == NOT_FOUND
    assert desk.read_refusal(p4r.ValueSetEntry(value_set_id=5))[0] == NOT_FOUND
