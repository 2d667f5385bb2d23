"""Where an entry is in its table: key and priority, as bytes.

They are what the data plane reads from a Write, so that thousands of entries can be kept
without taking the messages apart; a key is made of them when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from bmv2.embedded.match import Match
from bmv2.embedded.p4runtime.schema import MatchField
from bmv2.embedded.table_keys import WORD_BYTES, KeyBytes, KeyFormat, KeyPart

Place: TypeAlias = bytes
"""KeyBytes without their names, and the priority in a word."""


class PlaceFormat:
    """The places of one table."""

    def __init__(self, fields: Sequence[MatchField]) -> None:
        self._keys = KeyFormat(
            [KeyPart(field.name, field.width, field.match_type.value) for field in fields]
        )

    def pack(self, key: Sequence[Match], priority: int) -> Place:
        """The place of a key and a priority, 0 where the table knows none."""
        return b"".join(
            (*self._keys.pack(key), priority.to_bytes(WORD_BYTES, "little", signed=True))
        )

    def key(self, place: Place) -> tuple[Match, ...]:
        """The key of a place."""
        size = self._keys.size_bytes
        low, high, mask = (place[part * size : (part + 1) * size] for part in range(3))
        return self._keys.unpack(KeyBytes(low, high, mask))


def priority(place: Place) -> int:
    """The priority of a place."""
    return int.from_bytes(place[-WORD_BYTES:], "little", signed=True)


def has_key_of(place: Place, other: Place) -> bool:
    """Whether two places of a table differ in their priorities at most."""
    return place[:-WORD_BYTES] == other[:-WORD_BYTES]
