"""Parser value sets."""

from __future__ import annotations

import pytest
from small_program import Load, SmallProgram, ethernet

from bmv2.embedded import value_set_access
from bmv2.embedded.errors import TableFull
from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary

KINDS, PAIRS = "Parse.kinds", "Parse.pairs"


def taken(program: SmallProgram, kind: int, last: int = 0) -> int:
    """Which state took a frame: 1 by its kind, 2 by the pair, 0 neither."""
    ((port, frame),) = program.run(ethernet(0, last, kind, bytes(4)))
    result = int.from_bytes(frame[16:18], "big")
    assert port == (1 if result else 2)
    return result


@pytest.mark.parametrize(
    ("match", "inside", "outside"),
    [
        (Exact(0x800), [0x800], [0, 0x801]),
        (Range(3, 9), [3, 8, 9], [2, 10]),
        (Range(0, 0x7FFF), [0, 0x7FFF], [0x8000]),
        (Ternary(0x0010, 0x00F0), [0x10, 0xFF1F], [0x20]),
        (Lpm(0x8100, 8), [0x8100, 0x81FF], [0x8000]),
    ],
)
def test_a_member_is_a_match(
    load: Load, match: Match, inside: list[int], outside: list[int]
) -> None:
    program = load("value_set")
    program.dataplane.value_set_write(KINDS, [[match]])
    assert [taken(program, kind) for kind in inside] == [1] * len(inside)
    assert [taken(program, kind) for kind in outside] == [0] * len(outside)


def test_a_member_of_several_fields_matches_all_of_them(load: Load) -> None:
    program = load("value_set")
    program.dataplane.value_set_write(PAIRS, [[Range(1, 2), Exact(7)], [Exact(9), Exact(9)]])
    rows = [(1, 7, 2), (2, 7, 2), (9, 9, 2), (3, 7, 0), (1, 9, 0), (9, 7, 0)]
    assert [(kind, last, taken(program, kind, last)) for kind, last, _ in rows] == rows


def test_a_write_replaces_all_members(load: Load) -> None:
    program = load("value_set")
    program.dataplane.value_set_write(KINDS, [[Exact(1)], [Exact(2)], [Exact(1)]])
    assert [taken(program, kind) for kind in (1, 2, 3)] == [1, 1, 0]
    program.dataplane.value_set_write(KINDS, [[Exact(3)]])
    assert [taken(program, kind) for kind in (1, 2, 3)] == [0, 0, 1]
    program.dataplane.value_set_write(KINDS, [])
    assert [taken(program, kind) for kind in (1, 2, 3)] == [0, 0, 0]


def test_a_refused_write_changes_nothing(load: Load) -> None:
    program = load("value_set")
    program.dataplane.value_set_write(KINDS, [[Exact(1)]])
    with pytest.raises(TableFull, match="4 members"):
        program.dataplane.value_set_write(KINDS, [[Exact(each)] for each in range(5)])
    with pytest.raises(ValueError, match="has 1 fields"):
        program.dataplane.value_set_write(KINDS, [[Exact(1), Exact(2)]])
    assert [taken(program, kind) for kind in (1, 2)] == [1, 0]


def test_ranges_that_are_very_many_prefixes_are_refused(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(value_set_access, "_MOST_PREFIXES", 30 * 14 - 1)
    program = load("value_set")
    program.dataplane.value_set_write(PAIRS, [[Range(1, 0xFFFE), Exact(1)]])
    with pytest.raises(TableFull, match="too many prefixes"):
        program.dataplane.value_set_write(PAIRS, [[Range(1, 0xFFFE), Range(1, 0xFE)]])
    assert [taken(program, 2, last) for last in (1, 2)] == [2, 0]
