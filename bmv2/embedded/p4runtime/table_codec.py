"""Keys and actions of table entries, from P4Runtime messages and back.

Reading back gives what was written: a field that matches anything is left out, every
value is canonical (specification, sections 8.5 and 9.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from finsy.proto import p4r

from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary
from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.errors import denied, invalid, unimplemented
from bmv2.embedded.p4runtime.schema import Action, MatchField, MatchType, Table

Key: TypeAlias = tuple[Match, ...]
"""One match a field of the table, in their order."""


def decode_key(table: Table, matches: Sequence[p4r.FieldMatch]) -> Key:
    """The key of an entry. Raises P4RuntimeError."""
    if table.is_exact and (key := _decode_exact_key(table, matches)):
        return key
    given = {match.field_id: match for match in matches}
    if len(given) != len(matches):
        raise invalid("a match field is given twice")
    key = tuple(_decode_field(field, given.pop(field.id, None)) for field in table.fields)
    if given:
        raise invalid(f"no match field with id {min(given)}")
    return key


def _decode_exact_key(table: Table, matches: Sequence[p4r.FieldMatch]) -> Key | None:
    """The key that has each field in its place, as it mostly is; none if anything is odd."""
    if len(matches) != len(table.fields):
        return None
    key: list[Match] = []
    for field, match in zip(table.fields, matches, strict=True):
        data = match.exact.value
        value = int.from_bytes(data, "big")
        if not data or value > field.maximum or match.field_id != field.id:
            return None
        key.append(Exact(value))
    return tuple(key)


def _decode_field(field: MatchField, message: p4r.FieldMatch | None) -> Match:
    if message is None:
        return _anything(field)
    kind = message.WhichOneof("field_match_type")
    if kind != field.match_type.value:
        raise invalid(f"field {field.name}: {kind or 'nothing'} is given, it is {_kind(field)}")
    what = f"field {field.name}"
    match field.match_type:
        case MatchType.EXACT:
            return Exact(bitstring.decode(message.exact.value, field.width, what))
        case MatchType.LPM:
            return _decode_lpm(field, message.lpm)
        case MatchType.TERNARY:
            return _decode_ternary(field, message.ternary)
        case MatchType.RANGE:
            return _decode_range(field, message.range)
        case MatchType.OPTIONAL:
            value = bitstring.decode(message.optional.value, field.width, what)
            return Ternary(value, field.maximum)


def _kind(field: MatchField) -> str:
    return field.match_type.value


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
    value = bitstring.decode(message.value, field.width, f"field {field.name}")
    prefix = message.prefix_len
    if not 0 < prefix <= field.width:
        raise invalid(f"field {field.name}: prefix length {prefix} is not 1 … {field.width}")
    if value & ((1 << (field.width - prefix)) - 1):
        raise invalid(f"field {field.name}: 0x{value:x} has bits beyond its prefix /{prefix}")
    return Lpm(value, prefix)


def _decode_ternary(field: MatchField, message: p4r.FieldMatch.Ternary) -> Ternary:
    value = bitstring.decode(message.value, field.width, f"field {field.name}")
    mask = bitstring.decode(message.mask, field.width, f"field {field.name} (mask)")
    if mask == 0:
        raise invalid(
            f"field {field.name}: an empty mask; a field that may be anything is left out"
        )
    if value & ~mask:
        raise invalid(f"field {field.name}: 0x{value:x} has bits outside of its mask 0x{mask:x}")
    return Ternary(value, mask)


def _decode_range(field: MatchField, message: p4r.FieldMatch.Range) -> Range:
    low = bitstring.decode(message.low, field.width, f"field {field.name} (low)")
    high = bitstring.decode(message.high, field.width, f"field {field.name} (high)")
    if low > high:
        raise invalid(f"field {field.name}: the range {low} … {high} is empty")
    if low == 0 and high == field.maximum:
        raise invalid(f"field {field.name}: a full range; a field that may be anything is left out")
    return Range(low, high)


def encode_key(table: Table, key: Key, message: p4r.TableEntry) -> None:
    """Adds the match fields of a key to `message`, without those that match anything."""
    for field, match in zip(table.fields, key, strict=True):
        match match:
            case Exact():
                message.match.add(field_id=field.id).exact.value = bitstring.encode(match.value)
            case Lpm() if match.prefix:
                message.match.add(field_id=field.id).lpm.MergeFrom(
                    p4r.FieldMatch.LPM(value=bitstring.encode(match.value), prefix_len=match.prefix)
                )
            case Ternary() if match.mask:
                value = bitstring.encode(match.value)
                if field.match_type is MatchType.OPTIONAL:
                    message.match.add(field_id=field.id).optional.value = value
                else:
                    ternary = message.match.add(field_id=field.id).ternary
                    ternary.value = value
                    ternary.mask = bitstring.encode(match.mask)
            case Range() if (match.low, match.high) != (0, field.maximum):
                message.match.add(field_id=field.id).range.MergeFrom(
                    p4r.FieldMatch.Range(
                        low=bitstring.encode(match.low), high=bitstring.encode(match.high)
                    )
                )
            case _:
                pass  # it matches anything


def decode_priority(table: Table, priority: int) -> int:
    """The priority of an entry. Raises P4RuntimeError."""
    if table.needs_priority:
        if priority <= 0:
            raise invalid("a priority above 0 is needed")
    elif priority:
        raise invalid(f"priority {priority} in a table without priorities")
    return priority


def decode_action(
    table: Table, message: p4r.TableAction, *, is_default: bool
) -> tuple[Action, tuple[int, ...]]:
    """An action of the table and its arguments in their order. Raises P4RuntimeError."""
    kind = message.WhichOneof("type")
    if kind is None:
        raise invalid("the action is missing")
    if kind != "action":
        raise unimplemented(f"{kind}: action profiles")
    action = table.actions.get(message.action.action_id)
    if action is None:
        raise invalid(f"no action of the table has id {message.action.action_id}")
    if action.id in (table.table_only if is_default else table.default_only):
        place = "the default entry" if is_default else "an entry"
        raise denied(f"action {action.name} cannot be that of {place}")
    given = {param.param_id: param.value for param in message.action.params}
    if len(given) != len(message.action.params):
        raise invalid(f"action {action.name}: a parameter is given twice")
    arguments: list[int] = []
    for param in action.params:
        data = given.pop(param.id, None)
        if data is None:
            raise invalid(f"action {action.name}: parameter {param.name} is missing")
        what = f"action {action.name}: parameter {param.name}"
        arguments.append(bitstring.decode(data, param.width, what))
    if given:
        raise invalid(f"action {action.name}: no parameter with id {min(given)}")
    return action, tuple(arguments)


def encode_action(action: Action, arguments: Sequence[int], message: p4r.TableAction) -> None:
    """Writes an action and its arguments into `message`."""
    message.action.action_id = action.id
    for param, argument in zip(action.params, arguments, strict=True):
        message.action.params.add(param_id=param.id, value=bitstring.encode(argument))
