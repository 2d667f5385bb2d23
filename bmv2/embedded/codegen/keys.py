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
class KeyPart:
    """A field at its place in the key: which one it is, its words, and their order."""

    place: int
    field: KeyField
    words: int
    is_highest_first: bool


@dataclass(frozen=True, slots=True)
class KeyLayout:
    """The parts of a key in the order of their words."""

    kind: KeyKind
    parts: tuple[KeyPart, ...]

    @property
    def words(self) -> int:
        """The words of a key."""
        return sum(part.words for part in self.parts)

    @property
    def exact_words(self) -> int:
        """The words before those of an lpm field."""
        return sum(part.words for part in self.parts if not part.is_highest_first)

    @property
    def range_words(self) -> tuple[int, ...]:
        """For each word where a range starts the count of its words, elsewhere zero."""
        return tuple(
            part.words if part.field.match_kind == "range" and word == 0 else 0
            for part in self.parts
            for word in range(part.words)
        )


def key_layout(name: str, key: Sequence[KeyField]) -> KeyLayout:
    """The layout of a table's key. Raises UnsupportedProgram, with the table's name."""
    kinds = [field.match_kind for field in key]
    if kinds.count("lpm") > 1:
        raise UnsupportedProgram(f"table {name}: more than one lpm field in its key")
    if any(kind in ("ternary", "range", "optional") for kind in kinds):
        kind = KeyKind.TERNARY
    else:
        kind = KeyKind.LPM if "lpm" in kinds else KeyKind.EXACT
    parts = [
        KeyPart(
            place,
            field,
            word_count(field.width),
            kind is KeyKind.LPM and field.match_kind == "lpm",
        )
        for place, field in enumerate(key)
    ]
    # The prefix of a key with an lpm field ends within that field: it has to come last.
    return KeyLayout(kind, tuple(sorted(parts, key=lambda part: part.is_highest_first)))
