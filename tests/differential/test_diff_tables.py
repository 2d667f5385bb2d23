"""Entries drawn at random, good ones and bad ones, into the tables of both switches.

Compared are the status of each update, what becomes of packets, and the direct counters.

Run: python -m testbed.sandbox pytest tests/differential/test_diff_tables.py
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from diff_entities import DELETE, INSERT, MODIFY, Entities, encode
from diff_pair import SwitchPair, drawn, seeded
from finsy.proto import p4i, p4r
from hypothesis import given
from hypothesis import strategies as st

_KIND = p4i.MatchField.MatchType

_TABLES = ("prefixes", "masks", "ranges", "optionals", "validity", "switched", "no_key")
_ADDRESSES = [0x0A010203, 0x0A010200, 0x0A010300, 0x0A000000, 0x0B010203, 0, 0xFFFFFFFF]
_SMALL = [0, 1, 2, 3, 80, 255]


class Drawn(NamedTuple):
    """What an example does: batches of updates, then frames."""

    batches: list[list[p4r.Update]]
    frames: list[bytes]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwitchPair]:
    with ExitStack() as stack:
        yield SwitchPair(stack, "match", tmp_path_factory.mktemp("switches"))


def value(width: int) -> st.SearchStrategy[int]:
    """Few different values, so that entries meet each other and the frames."""
    some = _ADDRESSES if width == 32 else _SMALL
    return st.sampled_from([each & (1 << width) - 1 for each in some])


@st.composite
def field_match(draw: st.DrawFn, field: p4i.MatchField) -> p4r.FieldMatch | None:
    """What a key says of a field; none for anything."""
    width, found = field.bitwidth, p4r.FieldMatch(field_id=field.id)
    every_bit = (1 << width) - 1
    number = draw(value(width))
    match field.match_type:
        case _KIND.EXACT:
            found.exact.value = encode(number)
            return found
        case _KIND.LPM:
            length = draw(st.sampled_from([0, 8, 16, 24, width]))
            mask = every_bit >> (width - length) << (width - length) if length else 0
            found.lpm.value, found.lpm.prefix_len = encode(number & mask), length
            return found if length else None
        case _KIND.RANGE:
            low, high = sorted((number, draw(value(width))))
            low += high == 0xFF and low == 0  # simple_switch_grpc takes 0..255 for everything
            found.range.low, found.range.high = encode(low), encode(high)
            return None if (low, high) == (0, every_bit) else found
        case _KIND.OPTIONAL:
            found.optional.value = encode(number)
            return found if draw(st.booleans()) else None
        case _:
            mask = draw(st.sampled_from([0, every_bit, every_bit >> 4, every_bit & ~0xFF, 1]))
            found.ternary.value, found.ternary.mask = encode(number & mask), encode(mask)
            return found if mask else None


@st.composite
def update(draw: st.DrawFn, entities: Entities) -> p4r.Update:
    """An update, some of which are wrong in one of many ways."""
    table: p4i.Table = entities.named("tables", draw(st.sampled_from(_TABLES)))
    fields = [draw(field_match(field)) for field in table.match_fields]
    name = draw(st.sampled_from(["answer", "answer", "missed"]))
    number = draw(st.integers(1, 0xFFFF))
    is_default = draw(st.integers(0, 9)) == 0 or not table.match_fields
    entry = p4r.TableEntry(
        table_id=table.preamble.id,
        match=() if is_default else [each for each in fields if each is not None],
        action=p4r.TableAction(action=entities.action(name, {"number": number})),
        is_default_action=is_default,
    )
    ordered = {_KIND.TERNARY, _KIND.RANGE, _KIND.OPTIONAL}
    if not is_default and ordered & {field.match_type for field in table.match_fields}:
        entry.priority = draw(st.integers(1, 1000))
    kind = MODIFY if is_default else draw(st.sampled_from([INSERT, INSERT, INSERT, MODIFY, DELETE]))
    if draw(st.integers(0, 7)) == 0:
        _spoil(entry, draw(st.sampled_from(_WRONG)))
    return p4r.Update(type=kind, entity=p4r.Entity(table_entry=entry))


_WRONG = ("table", "action", "argument", "wide argument", "field", "twice", "priority")


def _spoil(entry: p4r.TableEntry, how: str) -> None:
    """Makes an entry wrong, where it has what is to be spoilt."""
    action = entry.action.action
    match how:
        case "table":
            entry.table_id += 0x1000
        case "action":
            action.action_id += 0x1000
        case "argument":
            del action.params[:]
        case "wide argument":
            for param in action.params:
                param.value = encode(1 << 16)
        case "field":
            for match in entry.match:
                match.field_id = 99
        case "twice":
            entry.match.extend(entry.match[:1])
        case _:
            entry.priority = 0 if entry.priority else 5


@st.composite
def frame(draw: st.DrawFn) -> bytes:
    """A frame that asks one of the tables."""
    which, hit = draw(st.integers(0, 6)), 0
    address, port, small = draw(value(32)), draw(value(16)), draw(value(8))
    asked = bytes([which]) + address.to_bytes(4) + port.to_bytes(2) + bytes([small, hit, 0, 0])
    return bytes(14) + asked + draw(st.binary(max_size=3))


@st.composite
def example(draw: st.DrawFn, entities: Entities) -> Drawn:
    batches = st.lists(st.lists(update(entities), min_size=1, max_size=6), min_size=1, max_size=5)
    return Drawn(draw(batches), draw(st.lists(frame(), min_size=1, max_size=20)))


def _clear(pair: SwitchPair, batches: list[list[p4r.Update]]) -> None:
    """Deletes every entry that may be there. The codes are compared, too."""
    entries = [each.entity.table_entry for batch in batches for each in batch]
    deletes = [
        p4r.Update(type=DELETE, entity=p4r.Entity(table_entry=each))
        for each in entries
        if not each.is_default_action
    ]
    pair.write(deletes)


@seeded
@drawn(examples=60)
@given(data=st.data())
def test_the_same_becomes_of_entries_and_packets(pair: SwitchPair, data: st.DataObject) -> None:
    drawn_example = data.draw(example(Entities(pair.p4info)))
    for batch in drawn_example.batches:
        pair.write(batch)
    pair.process(0, *drawn_example.frames)
    pair.compare_state()
    _clear(pair, drawn_example.batches)
