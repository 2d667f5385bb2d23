"""Key values and short names of STF files.

Run: pytest tests/unit/stf/test_stf_values.py
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary
from bmv2.embedded.p4runtime.schema import MatchField, MatchType
from bmv2.stf.errors import StfError
from bmv2.stf.names import find
from bmv2.stf.values import parse_match


def field(match_type: MatchType, width: int = 16) -> MatchField:
    return MatchField(id=1, name="a", width=width, match_type=match_type)


@pytest.mark.parametrize(
    ("match_type", "text", "wanted"),
    [
        (MatchType.EXACT, "0x10", Exact(16)),
        (MatchType.EXACT, "0b101", Exact(5)),
        (MatchType.EXACT, "0o17", Exact(15)),
        (MatchType.EXACT, "65535", Exact(65535)),
        (MatchType.OPTIONAL, "7", Exact(7)),
        (MatchType.OPTIONAL, "*", None),
        (MatchType.OPTIONAL, "0x****", None),
        (MatchType.RANGE, "3..0x10", Range(3, 16)),
        (MatchType.RANGE, "3", Range(3, 3)),
        (MatchType.RANGE, "0..65535", None),
        (MatchType.LPM, "0x0a00/8", Lpm(0x0A00, 8)),
        (MatchType.LPM, "0x0aff/8", Lpm(0x0A00, 8)),
        (MatchType.LPM, "0x0a**", Lpm(0x0A00, 8)),
        (MatchType.LPM, "0x0a01", Lpm(0x0A01, 16)),
        (MatchType.LPM, "258", Lpm(258, 16)),
        (MatchType.LPM, "0/0", None),
        (MatchType.LPM, "0x****", None),
        (MatchType.TERNARY, "0x*1*2", Ternary(0x0102, 0x0F0F)),
        (MatchType.TERNARY, "0b1*", Ternary(2, 2)),
        (MatchType.TERNARY, "0x12", Ternary(0x12, 0xFF)),
        (MatchType.TERNARY, "0x1234&&&0xff0f", Ternary(0x1204, 0xFF0F)),
        (MatchType.TERNARY, "18", Ternary(18, 0xFFFF)),
        (MatchType.TERNARY, "0x****", None),
    ],
)
def test_a_value_is_a_match(match_type: MatchType, text: str, wanted: Match | None) -> None:
    assert parse_match(field(match_type), text) == wanted


def test_digits_cover_a_width_that_is_no_multiple_of_theirs() -> None:
    assert parse_match(field(MatchType.TERNARY, 9), "0x1f*") == Ternary(0x1F0, 0x1F0)
    assert parse_match(field(MatchType.LPM, 9), "0x1ff") == Lpm(0x1FF, 9)


@pytest.mark.parametrize(
    ("match_type", "text", "complaint"),
    [
        (MatchType.EXACT, "65536", "does not fit into the 16 bits of a"),
        (MatchType.EXACT, "-1", "does not fit"),
        (MatchType.EXACT, "0x*1", "is no number"),
        (MatchType.LPM, "1/17", "a prefix of 17 bits, a has 16"),
        (MatchType.LPM, "1/x", "'x' is no number"),
        (MatchType.TERNARY, "1*", "need a prefix such as 0x"),
        (MatchType.TERNARY, "0x1&&&0x10000", "does not fit"),
    ],
)
def test_a_wrong_value_is_refused(match_type: MatchType, text: str, complaint: str) -> None:
    with pytest.raises(StfError, match=complaint):
        parse_match(field(match_type), text)


class Named(NamedTuple):
    name: str


NAMES = [Named("ingress.t1"), Named("egress.t11"), Named("egress.t2"), Named("ingress.t2")]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ingress.t1", "ingress.t1"),
        ("t1", "ingress.t1"),
        ("t11", "egress.t11"),
        ("11", "egress.t11"),
    ],
)
def test_a_short_name_is_found(name: str, found: str) -> None:
    assert find(NAMES, "table", name).name == found


def test_a_name_of_several_is_refused() -> None:
    with pytest.raises(StfError, match=r"more than one table 't2': egress\.t2, ingress\.t2"):
        find(NAMES, "table", "t2")
