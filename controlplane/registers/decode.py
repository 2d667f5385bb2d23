"""Register cells out of serialised P4Runtime ReadResponse messages.

A message object a cell would take far longer than reading itself, so the bytes are
decoded by numpy, all cells at a time. That works for the encoding that protobuf
libraries produce (known fields, ascending, one-byte lengths). Every byte of it is
checked; what differs in any way goes to the generic decoder.

One entity of that encoding, where L is the length of what follows it:

    0a L  5a L  08 ID(5)  12 L [08 INDEX(1…3)]  1a L 0a L VALUE(1…8)
"""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from finsy.proto import p4r
from google.protobuf.message import DecodeError

_Integers: TypeAlias = npt.NDArray[np.int64]
_Words: TypeAlias = npt.NDArray[np.uint64]


def _table(*words: int) -> _Words:
    return np.array(words, np.uint64)


_SHORTEST = 17  # bytes of an entity: index 0, a value of one byte

_HEAD_MASK = np.uint64(0xFF00_FF80_8080_8080)
_HEAD = np.uint64(0x5A00_0880_8080_8000)
"""5a, L, 08 and a varint of five bytes, as the ids of all registers are."""

# By length of the index's message: what is constant in tag, length, tag and varint.
# A message of one byte is impossible.
_INDEX_MASKS = _table(
    0xFFFF_0000_0000_0000,
    0xFFFF_FFFF_FFFF_FFFF,
    0xFFFF_FF80_0000_0000,
    0xFFFF_FF80_8000_0000,
    0xFFFF_FF80_8080_0000,
)
_INDEX_HEADS = _table(
    0x1200_0000_0000_0000,
    0x0000_0000_0000_0000,
    0x1202_0800_0000_0000,
    0x1203_0880_0000_0000,
    0x1204_0880_8000_0000,
)
# Each byte of the varint, shifted to where it belongs in the index.
_INDEX_PARTS = (
    _table(0, 0, 0x7F, 0x7F, 0x7F),
    _table(0, 0, 0, 0x7F << 7, 0x7F << 7),
    _table(0, 0, 0, 0, 0x7F << 14),
)

_VALUE_MASKS = _table(*((1 << 8 * size) - 1 for size in range(9)))


class Run(NamedTuple):
    """Cells of one register, in the order they came."""

    register_id: int
    indices: _Integers
    values: _Words


def decode(response: bytes) -> list[Run]:
    """The cells of a serialised ReadResponse. Raises ValueError when it is none.

    Several serialised messages one after the other are one message with the entities of
    all of them: that is how protobuf merges.
    """
    runs = decode_canonical(response)
    return decode_generic(response) if runs is None else runs


def decode_generic(response: bytes) -> list[Run]:
    """The same by protobuf, for any valid encoding. Entities of other kinds are left out."""
    try:
        entities: Any = p4r.ReadResponse.FromString(response).entities
    except DecodeError as error:
        raise ValueError(f"no ReadResponse: {error}") from error
    entries = [each.register_entry for each in entities if each.HasField("register_entry")]
    runs: list[Run] = []
    for register_id, run in groupby(entries, lambda entry: entry.register_id):
        cells = list(run)
        values = [int.from_bytes(cell.data.bitstring) for cell in cells]
        if max(values) >> 64:
            raise ValueError("a register cell has more than 64 bits")
        indices = np.array([cell.index.index for cell in cells], np.int64)
        runs.append(Run(register_id, indices, np.array(values, np.uint64)))
    return runs


def decode_canonical(response: bytes) -> list[Run] | None:
    """The same by numpy; none when the encoding is not the expected one."""
    size = len(response)
    if size < _SHORTEST:
        return None
    padded = response + bytes(8)
    octets = np.frombuffer(padded, np.uint8)
    # words[i] are the eight bytes from i on, unaligned.
    words: npt.NDArray[Any] = np.ndarray((size + 1,), ">u8", padded, 0, (1,))

    # Where entities might start. A value can look like a start as well, but then the
    # chain of lengths does not fit.
    last = size - _SHORTEST + 1
    starts = np.flatnonzero((octets[:last] == 0x0A) & (octets[2 : last + 2] == 0x5A))
    heads = words[starts + 2].astype(np.uint64)
    lengths = octets[starts + 1]
    is_start = (heads & _HEAD_MASK) == _HEAD
    is_start &= octets[starts + 3] == lengths - np.uint8(2)
    is_start &= lengths < 0x80
    starts, heads, lengths = starts[is_start], heads[is_start], lengths[is_start]
    ends = starts + 2 + lengths
    if not len(starts) or starts[0] != 0 or ends[-1] != size or (ends[:-1] != starts[1:]).any():
        return None

    found = _decode_indices(words[starts + 10].astype(np.uint64))
    if found is None:
        return None
    indices, index_lengths = found
    data_starts = starts + 12 + index_lengths
    value_starts = data_starts + 4
    if (value_starts >= ends).any():
        return None
    data = words[data_starts].astype(np.uint64)
    value_lengths = ends - value_starts
    # 1a, L + 2, 0a, L
    expected = value_lengths * 0x00010001 + 0x1A020A00
    if value_lengths.max() > 8 or ((data >> np.uint64(32)).astype(np.int64) != expected).any():
        return None
    values = words[ends - 8].astype(np.uint64) & _VALUE_MASKS[value_lengths]

    encoded_ids = heads & np.uint64(0xFF_FFFF_FFFF)
    changes = np.flatnonzero(encoded_ids[1:] != encoded_ids[:-1]) + 1
    bounds = [0, *changes.tolist(), len(starts)]
    return [
        Run(_decode_id(int(encoded_ids[first])), indices[first:end], values[first:end])
        for first, end in pairwise(bounds)
    ]


def _decode_id(encoded: int) -> int:
    """The register id of a varint of five bytes; they are the low ones of `encoded`."""
    value = 0
    for position, octet in enumerate(encoded.to_bytes(5, "big")):
        value |= (octet & 0x7F) << (7 * position)
    return value & 0xFFFF_FFFF  # of 35 bits, protobuf drops the highest three


def _decode_indices(words: _Words) -> tuple[_Integers, _Integers] | None:
    """The indices, and the lengths of their messages; `words` start at the tag."""
    lengths = (words >> np.uint64(48)).astype(np.uint8)
    if lengths.max() > 4:
        return None
    if ((words & _INDEX_MASKS[lengths]) != _INDEX_HEADS[lengths]).any():
        return None
    first, second, third = (
        (words >> np.uint64(shift)) & _INDEX_PARTS[part][lengths]
        for part, shift in enumerate((32, 24 - 7, 16 - 14))
    )
    return (first | second | third).astype(np.int64), lengths.astype(np.int64)
