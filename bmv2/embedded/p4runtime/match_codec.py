"""Keys, from P4Runtime messages and back.

Reading back gives what was written: a field that matches anything is left out, every
value is canonical (specification, sections 8.4 and 9.1.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from finsy.proto import p4r

from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary, exact_key
from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.errors import Code, invalid
from bmv2.embedded.p4runtime.schema import MatchField, MatchType

Key: TypeAlias = tuple[Match, ...]
"""One match a field, in their order."""


class KeyCodec:
    """The keys of one table, or the members of one value set."""

    def __init__(self, fields: Sequence[MatchField]) -> None:
        self._fields = tuple(fields)
        is_exact = all(field.match_type is MatchType.EXACT for field in fields)
        self._exact = [(field.id, field.maximum) for field in fields] if is_exact else []

    def decode(self, matches: Sequence[p4r.FieldMatch]) -> Key:
        """The key in a message. Raises P4RuntimeError (INVALID_ARGUMENT)."""
        if self._exact and (key := self._decode_exact(matches)):
            return key
        given = {match.field_id: match for match in matches}
        if len(given) != len(matches):
            raise invalid("a match field is given twice")
        key = tuple(_decode_field(field, given.pop(field.id, None)) for field in self._fields)
        if given:
            raise invalid(f"no match field with id {min(given)}")
        return key

    def _decode_exact(self, matches: Sequence[p4r.FieldMatch]) -> Key | None:
        """The key that has each field in its place, as it mostly is; none if anything is odd."""
        if len(matches) != len(self._exact):
            return None
        values: list[int] = []
        for match, (number, maximum) in zip(matches, self._exact, strict=True):
            data = match.exact.value
            value = int.from_bytes(data, "big")
            if value > maximum or match.field_id != number or not data:
                return None
            values.append(value)
        return exact_key(values)

    def encode(self, key: Key) -> Iterable[p4r.FieldMatch]:
        """The match fields of a key, without those that match anything."""
        for field, match in zip(self._fields, key, strict=True):
            message = _encode_field(field, match)
            if message is not None:
                yield message


def _decode_field(field: MatchField, message: p4r.FieldMatch | None) -> Match:
    if message is None:
        return _anything(field)
    kind = message.WhichOneof("field_match_type")
    if kind != field.match_type.value:
        raise invalid(
            f"field {field.name}: {kind or 'nothing'} is given, it is {field.match_type.value}"
        )
    match field.match_type:
        case MatchType.EXACT:
            return Exact(_value(field, message.exact.value))
        case MatchType.LPM:
            return _decode_lpm(field, message.lpm)
        case MatchType.TERNARY:
            return _decode_ternary(field, message.ternary)
        case MatchType.RANGE:
            return _decode_range(field, message.range)
        case MatchType.OPTIONAL:
            return Ternary(_value(field, message.optional.value), field.maximum)


def _value(field: MatchField, data: bytes, part: str = "") -> int:
    what = f"field {field.name}{part}"
    return bitstring.decode(data, field.width, what, Code.INVALID_ARGUMENT)


def _anything(field: MatchField) -> Match:
    match field.match_type:
        case MatchType.EXACT:
            raise invalid(f"field {field.name}: an exact match is missing")
        case MatchType.LPM:
            return Lpm(0, 0)
        case MatchType.RANGE:
            return Range(0, field.maximum)
        case MatchType.TERNARY | MatchType.OPTIONAL:
            return Ternary(0, 0)


def _decode_lpm(field: MatchField, message: p4r.FieldMatch.LPM) -> Lpm:
    value = _value(field, message.value)
    prefix = message.prefix_len
    if not 0 < prefix <= field.width:
        raise invalid(f"field {field.name}: prefix length {prefix} is not 1 … {field.width}")
    if value & ((1 << (field.width - prefix)) - 1):
        raise invalid(f"field {field.name}: 0x{value:x} has bits beyond its prefix /{prefix}")
    return Lpm(value, prefix)


def _decode_ternary(field: MatchField, message: p4r.FieldMatch.Ternary) -> Ternary:
    value = _value(field, message.value)
    mask = _value(field, message.mask, " (mask)")
    if mask == 0:
        raise invalid(
            f"field {field.name}: an empty mask; a field that may be anything is left out"
        )
    if value & ~mask:
        raise invalid(f"field {field.name}: 0x{value:x} has bits outside of its mask 0x{mask:x}")
    return Ternary(value, mask)


def _decode_range(field: MatchField, message: p4r.FieldMatch.Range) -> Range:
    low = _value(field, message.low, " (low)")
    high = _value(field, message.high, " (high)")
    if low > high:
        raise invalid(f"field {field.name}: the range {low} … {high} is empty")
    if low == 0 and high == field.maximum:
        raise invalid(f"field {field.name}: a full range; a field that may be anything is left out")
    return Range(low, high)


def _encode_field(field: MatchField, match: Match) -> p4r.FieldMatch | None:
    message = p4r.FieldMatch(field_id=field.id)
    match match:
        case Exact(value):
            message.exact.value = bitstring.encode(value)
        case Lpm(value, prefix) if prefix:
            message.lpm.value, message.lpm.prefix_len = bitstring.encode(value), prefix
        case Ternary(value, mask) if mask:
            if field.match_type is MatchType.OPTIONAL:
                message.optional.value = bitstring.encode(value)
            else:
                message.ternary.value = bitstring.encode(value)
                message.ternary.mask = bitstring.encode(mask)
        case Range(low, high) if (low, high) != (0, field.maximum):
            message.range.low, message.range.high = bitstring.encode(low), bitstring.encode(high)
        case _:
            return None  # it matches anything
    return message
