"""Table keys and action arguments as the compiled program wants them: 64-bit words, as bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from bmv2.embedded.codegen.storage import word_count
from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary, exact_key
from bmv2.embedded.program.model import Action, KeyMatch

WORD_BYTES = 8


class KeyPart(NamedTuple):
    """A field of a key."""

    name: str
    width: int
    match_kind: str
    """As the compiler and P4Runtime call it: exact, lpm, ternary, range, optional."""
    mask: int | None = None
    """Of the bits that count; none where all of them do."""


class KeyBytes(NamedTuple):
    """A key: its words, the upper ends of its ranges, its mask."""

    low: bytes
    high: bytes
    mask: bytes


def _size(width: int) -> int:
    return word_count(width) * WORD_BYTES


class _Words:
    """Values side by side, each in whole words, and zeros after them."""

    def __init__(self, widths: Iterable[int], filling: int = 0) -> None:
        """`filling` is the number of zero bytes."""
        self._sizes = [_size(width) for width in widths]
        self._filling = bytes(filling)
        # Most values have a word; packing each by itself would take longer than all the rest.
        is_short = all(size == WORD_BYTES for size in self._sizes)
        words = struct.Struct(f"<{len(self._sizes)}Q{filling}x") if is_short else None
        self._pack = words.pack if words else None
        self._unpack = words.unpack if words else None

    def pack(self, values: Sequence[int]) -> bytes:
        """The values. Raises ValueError when their number is wrong."""
        if self._pack is not None:
            try:
                return self._pack(*values)
            except struct.error as error:
                raise ValueError(f"{values} cannot be {len(self._sizes)} words") from error
        parts = zip(values, self._sizes, strict=True)
        return b"".join([value.to_bytes(size, "little") for value, size in parts]) + self._filling

    def unpack(self, packed: bytes) -> tuple[int, ...]:
        """The values that were packed."""
        if self._unpack is not None:
            return self._unpack(packed)
        ends = list(accumulate(self._sizes))
        parts = zip(ends, self._sizes, strict=True)
        return tuple(int.from_bytes(packed[end - size : end], "little") for end, size in parts)


class KeyFormat:
    """The keys of one table."""

    def __init__(self, parts: Sequence[KeyPart]) -> None:
        """`parts` are the fields in their order, which lie in the key one after the other."""
        self._parts = tuple(parts)
        self._words = _Words(part.width for part in parts)
        self._every_bit = self._words.pack([(1 << part.width) - 1 for part in parts])
        self.size_bytes = len(self._every_bit)
        """The size of each part of KeyBytes."""
        self._zeros = bytes(self.size_bytes)
        self._is_exact = all(part.match_kind == "exact" and part.mask is None for part in parts)

    def pack(self, key: Sequence[Match]) -> KeyBytes:
        """A key, one match for each field. Raises ValueError."""
        if self._is_exact:  # most keys; half of the cost of an entry would be here
            low = self._words.pack([match[0] for match in key])
            return KeyBytes(low, self._zeros, self._every_bit)
        parts = [_field_parts(*pair) for pair in zip(self._parts, key, strict=True)]
        low, high, mask = (self._words.pack(column) for column in zip(*parts, strict=True))
        return KeyBytes(low, high, mask)

    def unpack(self, key: KeyBytes) -> tuple[Match, ...]:
        """What was packed."""
        low = self._words.unpack(key.low)
        if self._is_exact:
            return exact_key(low)
        columns = zip(
            self._parts,
            low,
            self._words.unpack(key.high),
            self._words.unpack(key.mask),
            strict=True,
        )
        return tuple(_match(*column) for column in columns)


class ArgumentFormat:
    """The arguments of one action in one table."""

    def __init__(self, action: Action, data_words: int) -> None:
        """`data_words` is the room that the table has for the arguments of any action."""
        widths = [parameter.width for parameter in action.parameters]
        used = sum(_size(width) for width in widths)
        self._words = _Words(widths, data_words * WORD_BYTES - used)

    def pack(self, arguments: Sequence[int]) -> bytes:
        """The arguments. Raises ValueError when their number is wrong."""
        return self._words.pack(arguments)


def _match(part: KeyPart, low: int, high: int, mask: int) -> Match:
    match part.match_kind:
        case "exact":
            return Exact(low)
        case "lpm":
            return Lpm(low, mask.bit_count())
        case "range":
            return Range(low, high)
        case _:
            return Ternary(low, mask)


def _field_parts(field: KeyPart, match: Match) -> tuple[int, int, int]:
    """A field's value (or lower end), upper end, and mask."""
    every_bit = (1 << field.width) - 1
    if field.match_kind == "range":
        match match:
            case Range(low, high):
                return low, high, 0
            case Exact(value):
                return value, value, 0
            case _:
                return 0, every_bit, 0
    match match:
        case Exact(value):
            mask = every_bit
        case Lpm(value, prefix):
            mask = every_bit >> (field.width - prefix) << (field.width - prefix)
        case Ternary(value, mask):
            pass
        case Range():
            raise ValueError(f"key field {field.name} takes no range")
    value &= mask if field.mask is None else mask & field.mask
    return value, 0, mask


def constant_match(match: KeyMatch) -> Match:
    """What a constant entry wants of a key field."""
    match match.match_kind:
        case "exact":
            return Exact(match.first)
        case "lpm":
            return Lpm(match.first, match.second)
        case "range":
            return Range(match.first, match.second)
        case _:
            return Ternary(match.first, match.second)
