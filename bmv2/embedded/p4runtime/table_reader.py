"""Read table entries and their direct counters."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping

from finsy.proto import p4r

from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.errors import P4RuntimeError, invalid, not_found
from bmv2.embedded.p4runtime.schema import Schema
from bmv2.embedded.p4runtime.table_codec import decode_key
from bmv2.embedded.p4runtime.table_state import Cookie, Entry, TableState, state_of


class TableReader:
    """Reads the tables of one program."""

    def __init__(self, schema: Schema, states: Mapping[int, TableState], backend: Backend) -> None:
        self._schema = schema
        self._states = states
        self._backend = backend

    def read(self, query: p4r.TableEntry) -> Generator[p4r.Entity]:
        """The entries that a query selects (specification, 9.1.6 "Wildcard Reads").

        Raises P4RuntimeError.
        """
        for state in self._tables(query):
            if query.is_default_action:
                if state.default is not None:
                    message = state.default_message(state.default)
                    self._add_counter(state, None, query, message)
                    yield p4r.Entity(table_entry=message)
                continue
            # A snapshot: writes may come in while the response is being sent.
            for entry in self._select(state, query):
                message = state.message(entry)
                self._add_counter(state, entry.handle, query, message)
                if query.HasField("time_since_last_hit") and state.table.supports_idle_timeout:
                    message.time_since_last_hit.elapsed_ns = self._backend.entry_idle_ns(
                        state.table.name, entry.handle
                    )
                yield p4r.Entity(table_entry=message)

    def read_counters(self, query: p4r.DirectCounterEntry) -> Generator[p4r.Entity]:
        """The direct counters of the entries that a query selects. Raises P4RuntimeError."""
        key = query.table_entry
        for state in self._tables(key):
            if state.table.direct_counter_id is None:
                if key.table_id:
                    raise state.table.refusal(invalid("the table has no direct counter"))
                continue
            if key.is_default_action:
                message = p4r.TableEntry(table_id=state.table.id, is_default_action=True)
                yield self._counter_entity(state, None, message)
                continue
            for entry in self._select(state, key):
                yield self._counter_entity(state, entry.handle, state.key_message(entry))

    def _tables(self, query: p4r.TableEntry) -> Iterable[TableState]:
        if query.table_id == 0:
            return list(self._states.values())
        table = self._schema.table(query.table_id)
        if query.HasField("time_since_last_hit") and not table.supports_idle_timeout:
            raise table.refusal(invalid("the table supports no idle timeout"))
        return [state_of(self._states, table)]

    def _select(self, state: TableState, query: p4r.TableEntry) -> list[Entry]:
        table = state.table
        if query.table_id == 0:
            return list(state.entries.values())
        try:
            if query.match:
                key = decode_key(table, query.match)
                if table.needs_priority and not query.priority:
                    chosen = [entry for entry in state.entries.values() if entry.key == key]
                else:
                    entry = state.entries.get((key, query.priority))
                    chosen = [entry] if entry else []
            else:
                chosen = list(state.entries.values())
                if query.priority:
                    chosen = [entry for entry in chosen if entry.priority == query.priority]
        except P4RuntimeError as error:
            raise table.refusal(error) from error
        action_id = query.action.action.action_id
        cookie = Cookie.of(query)
        return [
            entry
            for entry in chosen
            if (not action_id or entry.action.id == action_id)
            and entry.cookie.is_selected_by(cookie)
        ]

    def _add_counter(
        self,
        state: TableState,
        handle: int | None,
        query: p4r.TableEntry,
        message: p4r.TableEntry,
    ) -> None:
        if not query.HasField("counter_data"):
            return
        if state.table.direct_counter_id is None:
            if query.table_id:
                raise state.table.refusal(not_found("the table has no direct counter"))
            return
        packets, byte_count = self._backend.entry_counter(state.table.name, handle)
        message.counter_data.packet_count = packets
        message.counter_data.byte_count = byte_count

    def _counter_entity(
        self, state: TableState, handle: int | None, message: p4r.TableEntry
    ) -> p4r.Entity:
        packets, byte_count = self._backend.entry_counter(state.table.name, handle)
        entry = p4r.DirectCounterEntry(
            table_entry=message,
            data=p4r.CounterData(packet_count=packets, byte_count=byte_count),
        )
        return p4r.Entity(direct_counter_entry=entry)
