"""Takes the state of one pipeline over into another (RECONCILE_AND_COMMIT)."""

from __future__ import annotations

import numpy as np
from finsy.proto import p4r

from bmv2.embedded.p4runtime.errors import P4RuntimeError, invalid
from bmv2.embedded.p4runtime.pipeline import Pipeline
from bmv2.embedded.p4runtime.schema import Table
from bmv2.embedded.p4runtime.table_state import TableState


def carry_over(old: Pipeline, new: Pipeline) -> None:
    """Writes the entries, groups, counters and registers of `old` into `new`, not yet started.

    Counters and registers follow where the new program has one of the same name and
    shape. Raises P4RuntimeError (INVALID_ARGUMENT) when an entry has no place.
    """
    for state in old.states.values():
        if state.entries or state.default is not state.initial_default:
            _carry_table(old, new, state)
    for entry in old.replication.entries():
        _write(new, p4r.Update.INSERT, p4r.Entity(packet_replication_engine_entry=entry))
    for array in old.schema.counters.values():
        if new.schema.counters.get(array.id) == array:
            for index in range(array.size):
                packets, byte_count = old.backend.counter_read(array.name, index)
                if packets or byte_count:
                    new.backend.counter_write(array.name, index, packets, byte_count)
    for array in old.schema.registers.values():
        if new.schema.registers.get(array.id) == array:
            cells = old.backend.register_read(array.name)
            for index in np.flatnonzero(cells).tolist():
                new.backend.register_write(array.name, index, int(cells[index]))


def _carry_table(old: Pipeline, new: Pipeline, state: TableState) -> None:
    table = state.table
    successor = new.schema.tables.get(table.id)
    if successor is None or (successor.name, successor.fields) != (table.name, table.fields):
        raise invalid(f"table {table.name} has entries, the new program has no such table")
    for entry in state.entries.values():
        if not entry.is_const:
            message = state.message(entry)
            if table.direct_counter_id and successor.direct_counter_id:
                _add_counter(old, table, entry.handle, message)
            _write(new, p4r.Update.INSERT, p4r.Entity(table_entry=message))
    if state.default is not None and state.default is not state.initial_default:
        message = state.default_message(state.default)
        if table.direct_counter_id and successor.direct_counter_id:
            _add_counter(old, table, None, message)
        _write(new, p4r.Update.MODIFY, p4r.Entity(table_entry=message))


def _add_counter(old: Pipeline, table: Table, handle: int | None, message: p4r.TableEntry) -> None:
    packets, byte_count = old.backend.entry_counter(table.name, handle)
    message.counter_data.packet_count = packets
    message.counter_data.byte_count = byte_count


def _write(new: Pipeline, kind: p4r.Update.Type.ValueType, entity: p4r.Entity) -> None:
    try:
        new.write(p4r.Update(type=kind, entity=entity))
    except P4RuntimeError as error:
        raise invalid(f"an entry has no place in the new program: {error.message}") from error
