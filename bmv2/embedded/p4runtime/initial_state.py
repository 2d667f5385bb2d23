"""What the tables of a program are before a controller writes to them.

P4Info does not tell default actions with their arguments; the device config does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bmv2.embedded.p4runtime.errors import invalid
from bmv2.embedded.p4runtime.schema import Schema
from bmv2.embedded.p4runtime.table_state import DefaultEntry, TableState


def initial_tables(schema: Schema, device_config: bytes) -> dict[int, TableState]:
    """The tables of a program with their default entries, by id.

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
    states: dict[int, TableState] = {}
    for table in schema.tables.values():
        if table.name not in tables:
            if not table.fields:  # one without effect, which the compiler has left out
                continue
            raise invalid(f"table {table.name} is in P4Info, but not in the device config")
        state = states[table.id] = TableState(table)
        state.default = state.initial_default = _default(state, tables[table.name], action_names)
    return states


def _default(
    state: TableState, message: Mapping[str, Any], action_names: Mapping[int, str]
) -> DefaultEntry | None:
    entry = message.get("default_entry")
    if entry is None:
        return None
    name = action_names.get(entry["action_id"])
    arguments = tuple(int(data, 16) for data in entry["action_data"])
    for action in state.table.actions.values():
        if action.name == name and len(arguments) == len(action.params):
            return DefaultEntry(action, arguments)
    return None
