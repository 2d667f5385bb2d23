"""Table keys and action arguments as the 64-bit words of the compiled program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bmv2.embedded.codegen.storage import WORD, word_count
from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary
from bmv2.embedded.program.model import Action, KeyField, KeyMatch, Table

_WORD_MASK = (1 << WORD) - 1


@dataclass(frozen=True, slots=True)
class KeyWords:
    """A key: its words, the upper ends of its ranges, its mask, the bits of its lpm prefix."""

    low: list[int]
    high: list[int]
    mask: list[int]
    prefix: int


def _words(value: int, width: int) -> list[int]:
    return [value >> WORD * place & _WORD_MASK for place in range(word_count(width))]


def _field_words(field: KeyField, match: Match) -> tuple[int, int, int]:
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


def key_words(table: Table, key: Sequence[Match]) -> KeyWords:
    """A key of a table, one match for each of its fields. Raises ValueError."""
    words = KeyWords([], [], [], sum(match.prefix for match in key if isinstance(match, Lpm)))
    for field, match in zip(table.key, key, strict=True):
        low, high, mask = _field_words(field, match)
        words.low.extend(_words(low, field.width))
        words.high.extend(_words(high, field.width))
        words.mask.extend(_words(mask, field.width))
    return words


def has_priority(table: Table) -> bool:
    """Whether entries are ordered by the priority that they are given."""
    return any(field.match_kind in ("ternary", "range", "optional") for field in table.key)


def argument_words(action: Action, arguments: Sequence[int], count: int) -> list[int]:
    """The arguments of an action, filled up to `count` words. Raises ValueError."""
    words: list[int] = []
    for parameter, argument in zip(action.parameters, arguments, strict=True):
        words += _words(argument, parameter.width)
    return words + [0] * (count - len(words))


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
