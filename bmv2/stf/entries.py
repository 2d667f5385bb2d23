"""Entries of STF files as P4Runtime messages."""

from __future__ import annotations

from finsy.proto import p4r

from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary
from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.schema import MatchField, MatchType, Table
from bmv2.stf.commands import Add, Call, SetDefault
from bmv2.stf.names import find, find_action, find_field
from bmv2.stf.values import parse_bits, parse_match


def entry(table: Table, command: Add) -> p4r.TableEntry:
    """The entry that is to be added. Raises StfError."""
    message = p4r.TableEntry(table_id=table.id, action=_action(table, command.call))
    if table.needs_priority:
        message.priority = command.priority + 1  # 0 is no priority in P4Runtime
    # An exact field that is not given is 0, as in p4c's own harness.
    wanted: dict[MatchField, Match | None] = {
        field: Exact(0) for field in table.fields if field.match_type is MatchType.EXACT
    }
    for name, value in command.key:
        field = find_field(table, name)
        wanted[field] = parse_match(field, value)
    message.match.extend(
        _field_match(field, match) for field, match in wanted.items() if match is not None
    )
    return message


def default_entry(table: Table, command: SetDefault) -> p4r.TableEntry:
    """The default entry that is to be set. Raises StfError."""
    return p4r.TableEntry(
        table_id=table.id, is_default_action=True, action=_action(table, command.call)
    )


def _action(table: Table, call: Call) -> p4r.TableAction:
    action = find_action(table, call.action)
    message = p4r.Action(action_id=action.id)
    for name, text in call.arguments:
        param = find(action.params, f"argument of {action.name}", name)
        message.params.add(param_id=param.id, value=bitstring.encode(parse_bits(param, text)))
    return p4r.TableAction(action=message)


def _field_match(field: MatchField, match: Match) -> p4r.FieldMatch:
    message = p4r.FieldMatch(field_id=field.id)
    match match:
        case Exact(value) if field.match_type is MatchType.OPTIONAL:
            message.optional.value = bitstring.encode(value)
        case Exact(value):
            message.exact.value = bitstring.encode(value)
        case Lpm(value, prefix):
            message.lpm.value, message.lpm.prefix_len = bitstring.encode(value), prefix
        case Ternary(value, mask):
            message.ternary.value = bitstring.encode(value)
            message.ternary.mask = bitstring.encode(mask)
        case Range(low, high):
            message.range.low, message.range.high = bitstring.encode(low), bitstring.encode(high)
    return message
