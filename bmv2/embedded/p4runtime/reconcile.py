"""Takes the state of one pipeline over into another (RECONCILE_AND_COMMIT)."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from finsy.proto import p4r

from bmv2.embedded.p4runtime.direct_resources import counter_of, meter_of
from bmv2.embedded.p4runtime.errors import P4RuntimeError, invalid
from bmv2.embedded.p4runtime.pipeline import Pipeline
from bmv2.embedded.p4runtime.schema import MatchField, Table
from bmv2.embedded.p4runtime.table_state import TableState

_INSERTED_BEFORE = (
    p4r.Entity(action_profile_member=p4r.ActionProfileMember()),
    p4r.Entity(action_profile_group=p4r.ActionProfileGroup()),
    p4r.Entity(
        packet_replication_engine_entry=p4r.PacketReplicationEngineEntry(
            multicast_group_entry=p4r.MulticastGroupEntry()
        )
    ),
    p4r.Entity(
        packet_replication_engine_entry=p4r.PacketReplicationEngineEntry(
            clone_session_entry=p4r.CloneSessionEntry()
        )
    ),
    p4r.Entity(digest_entry=p4r.DigestEntry()),
)
"""Queries for all that is inserted, but table entries: those point to members and groups."""


def carry_over(old: Pipeline, new: Pipeline) -> None:
    """Writes the state of `old` into `new`, which is not yet started.

    Counters, meters and registers follow where the new program has one of the same name
    and shape. Raises P4RuntimeError (INVALID_ARGUMENT) when an entity has no place.
    """
    for update in _updates(old, new):
        try:
            new.entities.write(update)
        except P4RuntimeError as error:
            raise invalid(f"an entry has no place in the new program: {error.message}") from error
    _carry_cells(old, new)


def _updates(old: Pipeline, new: Pipeline) -> Generator[p4r.Update]:
    for query in _INSERTED_BEFORE:
        for entity in old.entities.select(query):
            yield p4r.Update(type=p4r.Update.INSERT, entity=entity)
    for entity in old.entities.select(p4r.Entity(value_set_entry=p4r.ValueSetEntry())):
        if entity.value_set_entry.members:
            yield p4r.Update(type=p4r.Update.MODIFY, entity=entity)
    for state in old.entities.states.all():
        yield from _table_updates(old, new, state)


def _table_updates(old: Pipeline, new: Pipeline, state: TableState) -> Generator[p4r.Update]:
    table = state.table
    written = [entry for entry in state.entries.values() if not entry.is_const]
    has_own_default = state.default != state.initial_default
    new_state = new.entities.states.find(table.id)
    if new_state is None or _shape(new_state.table) != _shape(table):
        if written or has_own_default:
            raise invalid(f"table {table.name} has entries, the new program has no such table")
        return
    successor = new_state.table
    whole = old.entities.tables.whole
    for entry in list(new_state.entries.values()):
        if not entry.is_const:  # the program's own, which the controller may have changed
            key = p4r.Entity(table_entry=new_state.key_message(entry))
            yield p4r.Update(type=p4r.Update.DELETE, entity=key)
        elif (former := state.entries.get(entry.place)) is not None and former.is_const:
            yield from _direct_updates(_fitting(whole(state, former), successor))
    for entry in written:
        message = _fitting(whole(state, entry), successor)
        yield p4r.Update(type=p4r.Update.INSERT, entity=p4r.Entity(table_entry=message))
    message = _fitting(old.entities.tables.whole_default(state), successor)
    if has_own_default:
        yield p4r.Update(type=p4r.Update.MODIFY, entity=p4r.Entity(table_entry=message))
    else:
        yield from _direct_updates(message)


def _direct_updates(entry: p4r.TableEntry) -> Generator[p4r.Update]:
    """Carries the direct resources of an entry that the new program has by itself."""
    if entry.HasField("counter_data"):
        yield p4r.Update(type=p4r.Update.MODIFY, entity=counter_of(entry))
    if entry.HasField("meter_config"):
        yield p4r.Update(type=p4r.Update.MODIFY, entity=meter_of(entry))


def _shape(table: Table) -> tuple[str, tuple[MatchField, ...]]:
    return table.name, table.fields


def _fitting(message: p4r.TableEntry, table: Table) -> p4r.TableEntry:
    """The message without direct resources that a table does not have."""
    if table.direct_counter_id is None:
        message.ClearField("counter_data")
    if table.direct_meter is None:
        message.ClearField("meter_config")
    return message


def _carry_cells(old: Pipeline, new: Pipeline) -> None:
    for array in old.schema.counters.values():
        if new.schema.counters.get(array.id) == array:
            for index in range(array.size):
                packets, byte_count = old.backend.counter_read(array.name, index)
                if packets or byte_count:
                    new.backend.counter_write(array.name, index, packets, byte_count)
    for meter in old.schema.meters.values():
        if new.schema.meters.get(meter.id) == meter:
            for index in range(meter.size):
                rates = old.backend.meter_read(meter.name, index)
                if rates is not None:
                    new.backend.meter_write(meter.name, index, rates)
    for array in old.schema.registers.values():
        if new.schema.registers.get(array.id) == array:
            cells = old.backend.register_read(array.name)
            words = cells.reshape(len(cells), -1)
            for index in np.flatnonzero(words.any(axis=1)).tolist():
                value = int.from_bytes(words[index].tobytes(), "little")
                new.backend.register_write(array.name, index, value)
