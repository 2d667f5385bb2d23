"""Insert, modify and delete table entries and their direct counters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from finsy.proto import p4r

from bmv2.embedded.errors import DuplicateEntry, TableFull
from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.errors import Code, P4RuntimeError, denied, invalid, not_found
from bmv2.embedded.p4runtime.schema import Schema, Table
from bmv2.embedded.p4runtime.table_codec import (
    decode_action,
    decode_key,
    decode_priority,
)
from bmv2.embedded.p4runtime.table_state import Cookie, DefaultEntry, Entry, TableState, state_of


class TableWriter:
    """Writes to the tables of one program."""

    def __init__(
        self,
        schema: Schema,
        states: Mapping[int, TableState],
        backend: Backend,
        on_timeout_set: Callable[[TableState, Entry], None],
    ) -> None:
        """`on_timeout_set` hears of each entry that can expire from now on."""
        self._schema = schema
        self._states = states
        self._backend = backend
        self._on_timeout_set = on_timeout_set

    def write(self, kind: p4r.Update.Type.ValueType, message: p4r.TableEntry) -> None:
        """Does one update. Raises P4RuntimeError, with nothing changed."""
        table = self._schema.table(message.table_id)
        try:
            self._check(table, kind, message)
            state = state_of(self._states, table)
            if message.is_default_action:
                self._write_default(state, kind, message)
            elif kind == p4r.Update.INSERT:
                self._insert(state, message)
            elif kind == p4r.Update.MODIFY:
                self._modify(state, message)
            else:
                self._delete(state, message)
        except P4RuntimeError as error:
            raise table.refusal(error) from error

    def write_counter(
        self, kind: p4r.Update.Type.ValueType, message: p4r.DirectCounterEntry
    ) -> None:
        """Sets the direct counter of an entry. Raises P4RuntimeError."""
        if kind != p4r.Update.MODIFY:
            raise invalid("direct counter: it can only be modified")
        table = self._schema.table(message.table_entry.table_id)
        try:
            if table.direct_counter_id is None:
                raise invalid("the table has no direct counter")
            handle = self.find_handle(state_of(self._states, table), message.table_entry)
            if message.HasField("data"):
                self._set_counter(table, handle, message.data)
        except P4RuntimeError as error:
            raise table.refusal(error) from error

    def find_handle(self, state: TableState, message: p4r.TableEntry) -> int | None:
        """The handle of the entry that a message names; none for the default entry.

        Raises P4RuntimeError (NOT_FOUND).
        """
        if message.is_default_action:
            if message.match or message.priority:
                raise invalid("a default entry has neither match nor priority")
            return None
        return self._find(state, message).handle

    def _check(
        self, table: Table, kind: p4r.Update.Type.ValueType, message: p4r.TableEntry
    ) -> None:
        if table.implementation_id:
            raise P4RuntimeError(Code.UNIMPLEMENTED, "tables with an action profile")
        if kind == p4r.Update.DELETE and not message.is_default_action:
            return  # only the key counts
        if message.is_const:
            raise invalid("is_const is not the controller's to set")
        if message.HasField("meter_config") or message.HasField("meter_counter_data"):
            raise P4RuntimeError(Code.UNIMPLEMENTED, "direct meters")
        if message.HasField("counter_data") and table.direct_counter_id is None:
            raise invalid("the table has no direct counter")
        if message.HasField("time_since_last_hit"):
            raise invalid("time_since_last_hit cannot be written")
        if message.idle_timeout_ns < 0:
            raise invalid(f"a negative idle timeout ({message.idle_timeout_ns} ns)")
        if message.idle_timeout_ns and not table.supports_idle_timeout:
            raise invalid("the table supports no idle timeout")

    def _find(self, state: TableState, message: p4r.TableEntry) -> Entry:
        key = decode_key(state.table, message.match)
        priority = decode_priority(state.table, message.priority)
        entry = state.entries.get((key, priority))
        if entry is None:
            raise not_found("there is no such entry")
        return entry

    def _insert(self, state: TableState, message: p4r.TableEntry) -> None:
        table = state.table
        if table.is_const:
            raise denied("its entries are constant")
        if not table.fields:
            raise invalid("a table without key has a default entry only")
        key = decode_key(table, message.match)
        priority = decode_priority(table, message.priority)
        action, arguments = decode_action(table, message.action, is_default=False)
        exists = P4RuntimeError(Code.ALREADY_EXISTS, "the entry exists")
        if (key, priority) in state.entries:
            raise exists
        try:
            handle = self._backend.table_add(table.name, key, priority, action.name, arguments)
        except TableFull as error:
            raise P4RuntimeError(
                Code.RESOURCE_EXHAUSTED, f"it is full ({len(state.entries)} entries)"
            ) from error
        except DuplicateEntry as error:
            raise exists from error
        entry = Entry(
            handle=handle,
            key=key,
            priority=priority,
            action=action,
            arguments=arguments,
            cookie=Cookie.of(message),
            idle_timeout_ns=message.idle_timeout_ns,
        )
        state.entries[key, priority] = entry
        if message.HasField("counter_data"):
            self._set_counter(table, handle, message.counter_data)
        if entry.idle_timeout_ns:
            self._on_timeout_set(state, entry)

    def _modify(self, state: TableState, message: p4r.TableEntry) -> None:
        table = state.table
        entry = self._find(state, message)
        if message.HasField("action"):
            if entry.is_const:
                raise denied("the entry is constant")
            action, arguments = decode_action(table, message.action, is_default=False)
            self._backend.table_modify(table.name, entry.handle, action.name, arguments)
            entry.action, entry.arguments = action, arguments
        if not entry.is_const:
            entry.cookie = Cookie.of(message)
            if entry.idle_timeout_ns != message.idle_timeout_ns:
                entry.idle_timeout_ns = message.idle_timeout_ns
                self._on_timeout_set(state, entry)
        if message.HasField("counter_data"):
            self._set_counter(table, entry.handle, message.counter_data)

    def _delete(self, state: TableState, message: p4r.TableEntry) -> None:
        entry = self._find(state, message)
        if entry.is_const or state.table.is_const:
            raise denied("the entry is constant")
        self._backend.table_delete(state.table.name, entry.handle)
        del state.entries[entry.key, entry.priority]

    def _write_default(
        self, state: TableState, kind: p4r.Update.Type.ValueType, message: p4r.TableEntry
    ) -> None:
        table = state.table
        if kind != p4r.Update.MODIFY:
            raise invalid("the default entry can only be modified")
        if message.match or message.priority:
            raise invalid("a default entry has neither match nor priority")
        if message.idle_timeout_ns:
            raise invalid("a default entry has no idle timeout")
        if table.has_const_default:
            raise denied("its default action is constant")
        if message.HasField("action"):
            action, arguments = decode_action(table, message.action, is_default=True)
            self._backend.table_set_default(table.name, action.name, arguments)
            state.default = DefaultEntry(action, arguments, Cookie.of(message))
            if message.HasField("counter_data"):
                self._set_counter(table, None, message.counter_data)
            return
        self._backend.table_reset_default(table.name)
        state.default = state.initial_default
        if table.direct_counter_id is not None:
            self._backend.set_entry_counter(table.name, None, 0, 0)

    def _set_counter(self, table: Table, handle: int | None, data: p4r.CounterData) -> None:
        if data.packet_count < 0 or data.byte_count < 0:
            raise invalid("a counter cannot be negative")
        self._backend.set_entry_counter(table.name, handle, data.packet_count, data.byte_count)
