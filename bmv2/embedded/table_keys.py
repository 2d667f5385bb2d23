"""Table keys and action arguments as the compiled program wants them: 64-bit words, as bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bmv2.embedded.codegen.keys import KeyKind, KeyLayout
from bmv2.embedded.codegen.storage import word_count
from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary
from bmv2.embedded.program.model import Action, KeyField, KeyMatch

WORD_BYTES = 8


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
        self._pack = struct.Struct(f"<{len(self._sizes)}Q{filling}x").pack if is_short else None

    def pack(self, values: Sequence[int]) -> bytes:
        """The values. Raises ValueError when their number is wrong."""
        if self._pack is not None:
            try:
                return self._pack(*values)
            except struct.error as error:
                raise ValueError(f"{values} cannot be {len(self._sizes)} words") from error
        parts = zip(values, self._sizes, strict=True)
        return b"".join([value.to_bytes(size, "little") for value, size in parts]) + self._filling


class KeyFormat:
    """The keys of one table."""

    def __init__(self, layout: KeyLayout) -> None:
        """`layout` says which fields there are, and how they lie in the key."""
        self._fields = layout.fields
        self._words = _Words(field.width for field in layout.fields)
        self._every_bit = self._words.pack([(1 << field.width) - 1 for field in layout.fields])
        self._zeros = bytes(len(self._every_bit))
        self._is_exact = all(
            field.match_kind == "exact" and field.mask is None for field in layout.fields
        )
        self.has_priority = layout.kind is KeyKind.TERNARY
        """Whether entries are ordered by the priority that they are given."""

    def pack(self, key: Sequence[Match]) -> KeyBytes:
        """A key, one match for each field. Raises ValueError."""
        if self._is_exact:  # most keys; half of the cost of an entry would be here
            low = self._words.pack([match[0] for match in key])
            return KeyBytes(low, self._zeros, self._every_bit)
        parts = [_field_parts(*pair) for pair in zip(self._fields, key, strict=True)]
        low, high, mask = (self._words.pack(column) for column in zip(*parts, strict=True))
        return KeyBytes(low, high, mask)


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


def _field_parts(field: KeyField, match: Match) -> tuple[int, int, int]:
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
