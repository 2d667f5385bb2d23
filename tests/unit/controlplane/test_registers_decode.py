"""Decoding register cells: `cells.c` gives what protobuf gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from finsy.proto import p4d, p4r
from hypothesis import given
from hypothesis import strategies as st

from controlplane.registers.decode import Run, decode, decode_generic, decode_plain

Cell = tuple[int, int, int]
"""Register id, index, value."""

REGISTER_IDS = st.integers(0x16000000, 0x16FFFFFF)
cells = st.lists(
    st.tuples(REGISTER_IDS, st.integers(0, (1 << 21) - 1), st.integers(0, (1 << 64) - 1)),
    min_size=1,
    max_size=40,
)


def bitstring(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def entity(cell: Cell) -> p4r.Entity:
    register_id, index, value = cell
    return p4r.Entity(
        register_entry=p4r.RegisterEntry(
            register_id=register_id,
            index=p4r.Index(index=index),
            data=p4d.P4Data(bitstring=bitstring(value)),
        )
    )


def serialized(wanted: Sequence[Cell]) -> bytes:
    return p4r.ReadResponse(entities=[entity(cell) for cell in wanted]).SerializeToString()


def flat(runs: Sequence[Run]) -> list[Cell]:
    return [
        (run.register_id, index, value)
        for run in runs
        for index, value in zip(run.indices.tolist(), run.values.tolist(), strict=True)
    ]


@given(cells)
def test_cells_come_back(wanted: list[Cell]) -> None:
    runs = decode_plain(serialized(wanted))
    assert runs is not None
    assert flat(runs) == wanted


@given(st.lists(cells, min_size=1, max_size=4))
def test_messages_one_after_the_other_are_one(messages: list[list[Cell]]) -> None:
    runs = decode(b"".join(serialized(message) for message in messages))
    assert flat(runs) == [cell for message in messages for cell in message]


@given(cells, st.data())
def test_damaged_bytes_decode_as_protobuf_does(wanted: list[Cell], data: st.DataObject) -> None:
    octets = bytearray(serialized(wanted))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    runs = decode_plain(bytes(octets))
    if runs is not None:
        assert flat(runs) == flat(decode_generic(bytes(octets)))


@given(st.integers(2, 4), st.integers(0, 255), st.binary(min_size=7, max_size=7))
def test_values_that_look_like_entities(length: int, index: int, rest: bytes) -> None:
    value = int.from_bytes(bytes([0x0A, length, 0x5A, length - 2, 0x08])) << 24
    wanted = [(0x16000001, index, value), (0x16000001, 1, int.from_bytes(rest))]
    assert flat(decode(serialized(wanted))) == wanted


@pytest.mark.parametrize(
    ("case", "response"),
    [
        ("an entity of another kind", p4r.Entity(counter_entry=p4r.CounterEntry(counter_id=1))),
        ("a very large index", entity((0x16000001, 1 << 40, 5))),
        ("a negative index", entity((0x16000001, -1, 5))),
        (
            "a padded value",
            p4r.Entity(
                register_entry=p4r.RegisterEntry(
                    register_id=0x16000001,
                    index=p4r.Index(index=1),
                    data=p4d.P4Data(bitstring=b"\0" * 20 + b"\1"),
                )
            ),
        ),
    ],
)
def test_other_encodings_are_decoded_by_protobuf(case: str, response: p4r.Entity) -> None:
    octets = (
        serialized([(0x16000001, 4, 9)]) + p4r.ReadResponse(entities=[response]).SerializeToString()
    )
    assert decode_plain(octets) is None, case
    assert flat(decode(octets)) == flat(decode_generic(octets))
    assert flat(decode(octets))[0] == (0x16000001, 4, 9)


@pytest.mark.parametrize(
    "entry",
    [
        p4r.RegisterEntry(),
        p4r.RegisterEntry(register_id=7, data=p4d.P4Data(bitstring=b"\1")),
        p4r.RegisterEntry(index=p4r.Index(), data=p4d.P4Data(bitstring=b"")),
        p4r.RegisterEntry(register_id=0xFFFFFFFF, index=p4r.Index(index=1 << 34)),
    ],
)
def test_what_is_left_out_is_zero(entry: p4r.RegisterEntry) -> None:
    entities = [p4r.Entity(), p4r.Entity(register_entry=entry)]
    octets = p4r.ReadResponse(entities=entities).SerializeToString()
    runs = decode_plain(octets)
    assert runs is not None
    assert flat(runs) == flat(decode_generic(octets))


@given(st.binary(max_size=60))
def test_any_bytes_decode_as_protobuf_does(octets: bytes) -> None:
    """Among them such as look like parts of messages."""
    for message in (octets, b"\x0a" + bytes([len(octets)]) + octets):
        runs = decode_plain(message)
        if runs is not None:
            assert flat(runs) == flat(decode_generic(message))


def test_it_is_compiled() -> None:
    assert decode_plain(b"") == [], "run `make setup`"


def test_nothing() -> None:
    assert decode(b"") == []


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="no ReadResponse"):
        decode(b"\x0a\xff nonsense")


def test_a_cell_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        decode(serialized([(0x16000001, 0, 1 << 64)]))


def test_a_whole_register() -> None:
    values = np.random.default_rng(5).integers(0, 1 << 56, 8192)
    wanted = [(0x16000001, index, value) for index, value in enumerate(values.tolist())]
    (run,) = decode(serialized(wanted))
    assert (run.values == values).all()
    assert (run.indices == np.arange(8192)).all()
