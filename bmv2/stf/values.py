"""Numbers of STF files, and what they want of a key field."""

from __future__ import annotations

from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary
from bmv2.embedded.p4runtime.schema import Bits, MatchField, MatchType
from bmv2.stf.errors import StfError

_DIGIT_BITS = {"0x": 4, "0o": 3, "0b": 1}


def parse_number(text: str) -> int:
    """A number in any notation. Raises StfError."""
    try:
        return int(text, 0)
    except ValueError:
        raise StfError(f"{text!r} is no number") from None


def parse_bits(field: Bits, text: str) -> int:
    """A number that fits into a field. Raises StfError."""
    value = parse_number(text)
    if not 0 <= value <= field.maximum:
        raise StfError(f"{text} does not fit into the {field.width} bits of {field.name}")
    return value


def parse_match(field: MatchField, text: str) -> Match | None:
    """What a key field has to be; None where it may be anything. Raises StfError.

    As p4c's own harness has it, `*` is a digit that may be anything, and so are the digits
    of a ternary field that are not written; the prefix of an lpm field has as many bits as
    there are digits other than `*`, or as `/` says.
    """
    match field.match_type:
        case MatchType.EXACT:
            return Exact(parse_bits(field, text))
        case MatchType.OPTIONAL:
            return None if text.strip("*") in ("", "0x", "0b", "0o") else _exact(field, text)
        case MatchType.RANGE:
            return _range(field, text)
        case MatchType.LPM:
            return _lpm(field, text)
        case MatchType.TERNARY:
            return _ternary(field, text)


def _exact(field: MatchField, text: str) -> Match:
    return Exact(parse_bits(field, text))


def _range(field: MatchField, text: str) -> Match | None:
    low, _, high = text.partition("..")
    match = Range(parse_bits(field, low), parse_bits(field, high or low))
    return None if match == (0, field.maximum) else match


def _lpm(field: MatchField, text: str) -> Match | None:
    digits, slash, length = text.partition("/")
    value, mask = _digits(field, digits)
    prefix = parse_number(length) if slash else mask.bit_count()
    if not 0 <= prefix <= field.width:
        raise StfError(f"{text}: a prefix of {prefix} bits, {field.name} has {field.width}")
    rest = field.width - prefix
    return Lpm(value >> rest << rest, prefix) if prefix else None


def _ternary(field: MatchField, text: str) -> Match | None:
    digits, ampersands, masked = text.partition("&&&")
    value, mask = _digits(field, digits)
    if ampersands:
        mask = parse_bits(field, masked)
    return Ternary(value & mask, mask) if mask else None


def _digits(field: MatchField, text: str) -> tuple[int, int]:
    """The value of some digits, and the mask of those that are not `*`."""
    bits = _DIGIT_BITS.get(text[:2].lower())
    if bits is None:
        if "*" in text:
            raise StfError(f"{text!r}: digits that may be anything need a prefix such as 0x")
        return parse_bits(field, text), field.maximum
    value = parse_bits(field, text.replace("*", "0"))
    every = "1" * bits
    mask = int("".join("0" * bits if each == "*" else every for each in text[2:]), 2)
    return value, mask & field.maximum
