"""What came out is compared with what was expected.

Run: pytest tests/unit/stf/test_stf_outputs.py
"""

from __future__ import annotations

import pytest

from bmv2.stf.commands import Condition, Expect
from bmv2.stf.outputs import Mismatch, mismatches
from bmv2.stf.script import parse_script


def expected(text: str) -> list[Expect]:
    return [command for command in parse_script(text) if isinstance(command, Expect)]


SCRIPT = "expect 1 aa**\nexpect 2 bb $\nexpect 1 cc $\nexpect 3"
GOOD = [(2, b"\xbb"), (1, b"\xaa\x01\x02"), (3, b"any"), (1, b"\xcc"), (3, b"thing")]


def test_the_packets_of_a_port_are_compared_in_order() -> None:
    assert mismatches(expected(SCRIPT), GOOD) == []


def test_each_difference_is_named() -> None:
    bad = [(1, b"\xaa"), (1, b"\xcc\xcc"), (2, b"\xbb"), (2, b"\xbb"), (4, b"\x04")]
    assert mismatches(expected(SCRIPT), bad) == [
        Mismatch(1, "port 1: expected AA**…, got AA"),
        Mismatch(3, "port 1: expected CC$, got CCCC"),
        Mismatch(None, "port 2: expected nothing more, got BB"),
        Mismatch(None, "port 4: expected nothing more, got 04"),
    ]


def test_a_missing_packet_is_named() -> None:
    assert mismatches(expected(SCRIPT), GOOD[1:]) == [
        Mismatch(2, "port 2: expected BB$, got nothing")
    ]


def test_an_empty_packet_can_be_expected() -> None:
    assert mismatches(expected("expect 1 $"), [(1, b"")]) == []
    assert mismatches(expected("expect 1 $"), [(1, b"\x00")]) != []


@pytest.mark.parametrize(
    ("comparison", "holds"),
    [
        ("==", (False, True, False)),
        ("!=", (True, False, True)),
        ("<", (True, False, False)),
        ("<=", (True, True, False)),
        (">", (False, False, True)),
        (">=", (False, True, True)),
    ],
)
def test_conditions_compare(comparison: str, holds: tuple[bool, bool, bool]) -> None:
    condition = Condition(comparison, 5)
    assert tuple(condition.holds(number) for number in (4, 5, 6)) == holds
