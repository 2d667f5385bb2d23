"""What undoes an update, to be found out before it is done."""

from __future__ import annotations

from collections.abc import Iterable

from finsy.proto import p4r

from bmv2.embedded.p4runtime.direct_resources import counter_of, meter_of
from bmv2.embedded.p4runtime.entities import Entities
from bmv2.embedded.p4runtime.errors import P4RuntimeError


def undo_of(entities: Entities, update: p4r.Update) -> list[p4r.Update]:
    """The updates that make good an update that will have succeeded.

    Empty where there is nothing to undo, since the update cannot succeed.
    """
    if update.type == p4r.Update.INSERT:
        return [p4r.Update(type=p4r.Update.DELETE, entity=update.entity)]
    kind = p4r.Update.INSERT if update.type == p4r.Update.DELETE else p4r.Update.MODIFY
    try:
        return [p4r.Update(type=kind, entity=each) for each in _former(entities, update.entity)]
    except P4RuntimeError:
        return []


def _former(entities: Entities, entity: p4r.Entity) -> Iterable[p4r.Entity]:
    """What is written to, as it is now. Raises P4RuntimeError when it is not there."""
    match entity.WhichOneof("entity"):
        case "table_entry":
            return [p4r.Entity(table_entry=_former_entry(entities, entity.table_entry))]
        case "direct_counter_entry":
            return [counter_of(_former_entry(entities, entity.direct_counter_entry.table_entry))]
        case "direct_meter_entry":
            return [meter_of(_former_entry(entities, entity.direct_meter_entry.table_entry))]
        case _:
            return list(entities.select(entity))


def _former_entry(entities: Entities, message: p4r.TableEntry) -> p4r.TableEntry:
    # Not by a query: that for one entry may be one for all entries.
    state = entities.states.of(message.table_id)
    if message.is_default_action:
        return entities.tables.whole_default(state)
    return entities.tables.whole(state, state.find(message))
