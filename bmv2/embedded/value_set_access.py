"""The parser value sets of a running program."""

from __future__ import annotations

import ctypes
import itertools
import os
from collections.abc import Iterator, Sequence

from bmv2.embedded.codegen.storage import word_count
from bmv2.embedded.codegen.value_sets import number_value_sets
from bmv2.embedded.errors import TableFull
from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary
from bmv2.embedded.program.model import Program
from bmv2.embedded.table_keys import WORD_BYTES

_MOST_PREFIXES = 1 << 16


class ValueSets:
    """All of them; a set is written as a whole."""

    def __init__(self, call: ctypes.CDLL, program: Program) -> None:
        self._call = call
        self._sets = program.value_sets
        self._numbers = number_value_sets(program)

    def write(self, name: str, members: Sequence[Sequence[Match]]) -> None:
        """Replaces the members, each with one match a field.

        Raises KeyError, ValueError for a wrong number of fields, TableFull.
        """
        numbers, size = self._numbers[name], self._sets[name].size
        if len(members) > size:
            raise TableFull(f"value set {name} is full: {size} members")
        keys, masks, count = bytearray(), bytearray(), 0
        for member in members:
            if len(member) != len(numbers.widths):
                raise ValueError(f"value set {name} has {len(numbers.widths)} fields")
            fields = zip(member, numbers.widths, strict=True)
            for parts in itertools.product(*(list(_ternaries(*field)) for field in fields)):
                count += 1
                if count > _MOST_PREFIXES:
                    raise TableFull(f"value set {name}: its ranges make too many prefixes")
                for part, width in zip(parts, numbers.widths, strict=True):
                    room = WORD_BYTES * word_count(width)
                    keys += (part.value & part.mask).to_bytes(room, "little")
                    masks += part.mask.to_bytes(room, "little")
        error: int = self._call.switch_value_set_write(
            numbers.number, count, bytes(keys), bytes(masks)
        )
        if error:
            raise OSError(error, f"value set {name}: {os.strerror(error)}")


def _ternaries(match: Match, width: int) -> Iterator[Ternary]:
    """Values and masks that together are a match."""
    every_bit = (1 << width) - 1
    match match:
        case Exact(value):
            yield Ternary(value, every_bit)
        case Lpm(value, prefix):
            yield Ternary(value, every_bit >> (width - prefix) << (width - prefix))
        case Ternary():
            yield match
        case Range(low, high):
            yield from _prefixes(low, high, every_bit)


def _prefixes(low: int, high: int, every_bit: int) -> Iterator[Ternary]:
    """The fewest prefixes that together are `low` … `high`."""
    while low <= high:
        # The largest aligned block that starts at `low` and does not reach beyond `high`.
        size = low & -low or every_bit + 1
        while low + size - 1 > high:
            size >>= 1
        yield Ternary(low, every_bit & ~(size - 1))
        low += size
