"""How a key lies in 64-bit words: the generated C builds it so, and entries are packed so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from bmv2.embedded.codegen.storage import word_count
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.model import KeyField


class KeyKind(Enum):
    """The structure that finds an entry, by its name in C."""

    EXACT = "TABLE_EXACT"
    LPM = "TABLE_LPM"
    TERNARY = "TABLE_TERNARY"


@dataclass(frozen=True, slots=True)
class KeyLayout:
    """The fields of a key, one after the other, each with its lowest word first."""

    kind: KeyKind
    fields: tuple[KeyField, ...]

    @property
    def words(self) -> int:
        """The words of a key."""
        return sum(word_count(field.width) for field in self.fields)

    @property
    def range_words(self) -> tuple[int, ...]:
        """For each word where a range starts the count of its words, elsewhere zero."""
        return tuple(
            word_count(field.width) if field.match_kind == "range" and word == 0 else 0
            for field in self.fields
            for word in range(word_count(field.width))
        )


def key_layout(name: str, key: Sequence[KeyField]) -> KeyLayout:
    """The layout of a table's key. Raises UnsupportedProgram, with the table's name."""
    kinds = [field.match_kind for field in key]
    if kinds.count("lpm") > 1:
        raise UnsupportedProgram(f"table {name}: more than one lpm field in its key")
    if any(kind in ("ternary", "range", "optional") for kind in kinds):
        return KeyLayout(KeyKind.TERNARY, tuple(key))
    return KeyLayout(KeyKind.LPM if "lpm" in kinds else KeyKind.EXACT, tuple(key))
