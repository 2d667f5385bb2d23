"""Entries of STF files as P4Runtime messages."""

from __future__ import annotations

from finsy.proto import p4r

from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.schema import MatchField, MatchType, Table
from bmv2.stf.errors import StfError
from bmv2.stf.names import find, find_action, find_field
from bmv2.stf.script import Add, Call, SetDefault, parse_number

_DIGIT_BITS = {"0x": 4, "0o": 3, "0b": 1}


def entry(table: Table, command: Add) -> p4r.TableEntry:
    """The entry that is to be added. Raises StfError."""
    message = p4r.TableEntry(table_id=table.id, action=_action(table, command.call))
    if table.needs_priority:
        message.priority = command.priority + 1  # 0 is no priority in P4Runtime
    for name, value in command.key:
        match = _match(find_field(table, name), value)
        if match is not None:
            message.match.append(match)
    return message


def default_entry(table: Table, command: SetDefault) -> p4r.TableEntry:
    """The default entry that is to be set. Raises StfError."""
    return p4r.TableEntry(
        table_id=table.id, is_default_action=True, action=_action(table, command.call)
    )


def _action(table: Table, call: Call) -> p4r.TableAction:
    action = find_action(table, call.action)
    message = p4r.Action(action_id=action.id)
    for name, value in call.arguments:
        param = find(action.params, f"argument of {action.name}", name)
        message.params.add(
            param_id=param.id, value=bitstring.encode(parse_number(value) & param.maximum)
        )
    return p4r.TableAction(action=message)


def _match(field: MatchField, text: str) -> p4r.FieldMatch | None:
    """What a field has to be; None where it may be anything."""
    if field.match_type is MatchType.RANGE:
        return _range(field, text)
    value, mask, prefix = _parse_value(field, text)
    encoded = bitstring.encode(value)
    message = p4r.FieldMatch(field_id=field.id)
    match field.match_type:
        case MatchType.EXACT:
            message.exact.value = encoded
        case MatchType.OPTIONAL:
            message.optional.value = encoded
        case MatchType.LPM:
            if prefix == 0:
                return None
            message.lpm.value, message.lpm.prefix_len = encoded, prefix
        case MatchType.TERNARY:
            if mask == 0:
                return None
            message.ternary.value, message.ternary.mask = encoded, bitstring.encode(mask)
    return message


def _range(field: MatchField, text: str) -> p4r.FieldMatch | None:
    """Numbers from `low..high`, or one number."""
    low, _, high = text.partition("..")
    least, most = parse_number(low), parse_number(high or low)
    if least == 0 and most >= field.maximum:
        return None
    message = p4r.FieldMatch(field_id=field.id)
    message.range.low, message.range.high = bitstring.encode(least), bitstring.encode(most)
    return message


def _parse_value(field: MatchField, text: str) -> tuple[int, int, int]:
    """Value, mask and prefix length of a field in an entry."""
    if "/" in text:
        value, _, length = text.partition("/")
        prefix = parse_number(length)
        mask = field.maximum >> (field.width - prefix) << (field.width - prefix)
        return parse_number(value) & mask, mask, prefix
    if "&&&" in text:
        value, _, masked = text.partition("&&&")
        mask = parse_number(masked) & field.maximum
        return parse_number(value) & mask, mask, field.width
    bits = _DIGIT_BITS.get(text[:2])
    if bits is None:
        if "*" in text:
            raise StfError(f"{text!r}: digits that may be anything need a prefix such as 0x")
        return parse_number(text) & field.maximum, field.maximum, field.width
    every = "1" * bits
    mask = int("".join("0" * bits if each == "*" else every for each in text[2:]), 2)
    value = parse_number(text.replace("*", "0"))
    return value & field.maximum, mask & field.maximum, min(field.width, mask.bit_count())
