"""What the tables of a program are before a controller writes to them.

P4Info tells neither default actions with their arguments nor entries; the device config does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary
from bmv2.embedded.p4runtime.action_codec import Call
from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.errors import P4RuntimeError, invalid
from bmv2.embedded.p4runtime.schema import MatchField, MatchType, Schema, Table
from bmv2.embedded.p4runtime.table_state import DefaultEntry, Entry, TableState, TableStates

_NO_ACTION = "NoAction"


def initial_tables(schema: Schema, device_config: bytes, backend: Backend) -> TableStates:
    """The tables of a program with the entries that it has itself.

    Raises P4RuntimeError (INVALID_ARGUMENT) when P4Info and device config are not of the
    same program.
    """
    try:
        program: dict[str, Any] = json.loads(device_config)
        action_names: dict[int, str] = {each["id"]: each["name"] for each in program["actions"]}
        tables: dict[str, dict[str, Any]] = {
            each["name"]: each for part in program["pipelines"] for each in part["tables"]
        }
    except (ValueError, KeyError, TypeError) as error:
        raise invalid(f"the device config is no BMv2 JSON ({error})") from error
    keyed = [table.name for table in schema.tables.values() if table.fields]
    if keyed and tables.keys().isdisjoint(keyed):
        raise invalid(f"no table of P4Info is in the device config, {keyed[0]} is not")
    states: dict[int, TableState] = {}
    for table in schema.tables.values():
        message = tables.get(table.name)
        if message is None:
            continue  # without effect, or never applied: the compiler has left it out
        state = states[table.id] = TableState.of(table)
        try:
            state.default = state.initial_default = _default(table, message, action_names)
            _add_entries(state, message.get("entries", ()), action_names, backend)
        except P4RuntimeError as error:
            raise table.refusal(error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise table.refusal(invalid(f"its device config is odd ({error!r})")) from error
    return TableStates(schema, states)


def _call(table: Table, entry: Mapping[str, Any], action_names: Mapping[int, str]) -> Call | None:
    """What an entry does; none where P4Info does not have it."""
    name = action_names.get(entry["action_id"])
    arguments = tuple(int(data, 16) for data in entry["action_data"])
    for action in table.actions.values():
        if action.name == name and len(arguments) == len(action.params):
            return Call(action, arguments)
    return None


def _default(
    table: Table, message: Mapping[str, Any], action_names: Mapping[int, str]
) -> DefaultEntry | None:
    if table.implementation_id:  # the device config has no default entry of it
        names = {action.name: action for action in table.actions.values()}
        action = names.get(_NO_ACTION)
        return None if action is None else DefaultEntry(Call(action, ()))
    entry = message.get("default_entry")
    call = None if entry is None else _call(table, entry, action_names)
    return None if call is None else DefaultEntry(call)


def _add_entries(
    state: TableState,
    messages: Sequence[Mapping[str, Any]],
    action_names: Mapping[int, str],
    backend: Backend,
) -> None:
    table = state.table
    handles = backend.initial_entries(table.name)
    if len(handles) != len(messages):
        raise invalid(f"{len(messages)} entries, of which the data plane has {len(handles)}")
    # The smallest number is tried first in the device config, the largest in P4Runtime.
    top = 1 + max((each["priority"] for each in messages), default=0)
    for message, handle in zip(messages, handles, strict=True):
        parts = zip(table.fields, message["match_key"], strict=True)
        key = tuple(_match(field, part) for field, part in parts)
        priority = top - message["priority"] if table.needs_priority else 0
        call = _call(table, message["action_entry"], action_names)
        if call is None:
            raise invalid("an entry with an action that P4Info does not have")
        place = state.places.pack(key, priority)
        state.entries[place] = Entry(handle, place, call, is_const=table.is_const)


def _match(field: MatchField, message: Mapping[str, Any]) -> Match:
    match field.match_type:
        case MatchType.EXACT:
            return Exact(int(message["key"], 16))
        case MatchType.LPM:
            prefix: int = message["prefix_length"]
            beyond = (1 << (field.width - prefix)) - 1
            return Lpm(int(message["key"], 16) & ~beyond, prefix)
        case MatchType.TERNARY | MatchType.OPTIONAL:
            mask = int(message["mask"], 16)
            return Ternary(int(message["key"], 16) & mask, mask)
        case MatchType.RANGE:
            return Range(int(message["start"], 16), int(message["end"], 16))
