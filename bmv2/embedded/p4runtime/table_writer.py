"""Insert, modify and delete table entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from finsy.proto import p4r

from bmv2.embedded.errors import DuplicateEntry, TableFull
from bmv2.embedded.match import Match
from bmv2.embedded.p4runtime.action_codec import Call, decode_table_call
from bmv2.embedded.p4runtime.action_profile import Binding, Profile
from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.direct_resources import DirectResources
from bmv2.embedded.p4runtime.errors import Code, P4RuntimeError, denied, exhausted, invalid
from bmv2.embedded.p4runtime.schema import Table
from bmv2.embedded.p4runtime.table_state import (
    Cookie,
    DefaultEntry,
    Entry,
    TableState,
    TableStates,
    check_default_key,
)


class TableWriter:
    """Writes to the tables of one program."""

    def __init__(
        self,
        states: TableStates,
        profiles: Mapping[int, Profile],
        direct: DirectResources,
        backend: Backend,
        on_timeout_set: Callable[[TableState, Entry], None],
    ) -> None:
        """`profiles` by id; `on_timeout_set` hears of each entry that can expire from now on."""
        self._states = states
        self._profiles = profiles
        self._direct = direct
        self._backend = backend
        self._on_timeout_set = on_timeout_set

    def write(self, kind: p4r.Update.Type.ValueType, message: p4r.TableEntry) -> None:
        """Does one update. Raises P4RuntimeError, with nothing changed."""
        state = self._states.of(message.table_id)
        try:
            if message.is_default_action:
                self._write_default(state, kind, message)
            elif kind == p4r.Update.INSERT:
                self._insert(state, message)
            elif kind == p4r.Update.MODIFY:
                self._modify(state, message)
            else:
                self._delete(state, message)
        except P4RuntimeError as error:
            raise state.table.refusal(error) from error

    def _check(self, table: Table, message: p4r.TableEntry) -> None:
        if message.is_const:
            raise _own_const()
        self._direct.check(table, message)
        if message.HasField("time_since_last_hit"):
            raise invalid("time_since_last_hit cannot be written")
        if message.idle_timeout_ns < 0:
            raise invalid(f"a negative idle timeout ({message.idle_timeout_ns} ns)")
        if message.idle_timeout_ns and not table.supports_idle_timeout:
            raise invalid("the table supports no idle timeout")

    # --- entries -----------------------------------------------------------------

    def _insert(self, state: TableState, message: p4r.TableEntry) -> None:
        table = state.table
        self._check(table, message)
        if table.is_const:
            raise denied("its entries are constant")
        if not table.fields:
            raise invalid("a table without key has a default entry only")
        key, priority = state.decode(message)
        place = state.places.pack(key, priority)
        if place in state.entries:
            raise _exists()
        binding = self._bind(table, message.action)
        try:
            handle = self._add(table, key, priority, binding)
        except (TableFull, DuplicateEntry) as error:
            self._unbind(table, binding)
            if isinstance(error, DuplicateEntry):
                raise _exists() from error
            raise exhausted(f"it is full ({len(state.entries)} entries)") from error
        entry = Entry(handle, place, binding, Cookie.of(message), message.idle_timeout_ns)
        state.entries[place] = entry
        self._direct.write_with(table, handle, message)
        if entry.idle_timeout_ns:
            self._on_timeout_set(state, entry)

    def _modify(self, state: TableState, message: p4r.TableEntry) -> None:
        table = state.table
        self._check(table, message)
        entry = state.find(message)
        if entry.is_const:
            if message.HasField("action"):
                raise denied("the entry is constant")
        else:
            if message.HasField("action"):
                self._change(table, entry, message.action)
            entry.cookie = Cookie.of(message)
            if entry.idle_timeout_ns != message.idle_timeout_ns:
                entry.idle_timeout_ns = message.idle_timeout_ns
                self._on_timeout_set(state, entry)
        self._direct.write_with(table, entry.handle, message)

    def _delete(self, state: TableState, message: p4r.TableEntry) -> None:
        table = state.table
        if message.is_const:
            raise _own_const()
        if table.is_const:
            raise denied("its entries are constant")
        entry = state.find(message)
        self._backend.table_delete(table.name, entry.handle)
        self._unbind(table, entry.binding)
        del state.entries[entry.place]

    # --- what entries do ---------------------------------------------------------

    def _bind(
        self, table: Table, message: p4r.TableAction, former: Binding | None = None
    ) -> Binding:
        if not table.implementation_id:
            return decode_table_call(table, message, is_default=False)
        return self._profiles[table.implementation_id].bind(message, former)

    def _unbind(self, table: Table, binding: Binding) -> None:
        if not isinstance(binding, Call):
            self._profiles[table.implementation_id].unbind(binding)

    def _add(self, table: Table, key: tuple[Match, ...], priority: int, binding: Binding) -> int:
        if isinstance(binding, Call):
            action, arguments = binding
            return self._backend.table_add(table.name, key, priority, action.name, arguments)
        target = self._profiles[table.implementation_id].target(binding)
        return self._backend.table_add_indirect(table.name, key, priority, target)

    def _change(self, table: Table, entry: Entry, message: p4r.TableAction) -> None:
        binding = self._bind(table, message, entry.binding)
        if isinstance(binding, Call):
            action, arguments = binding
            self._backend.table_modify(table.name, entry.handle, action.name, arguments)
        else:
            target = self._profiles[table.implementation_id].target(binding)
            self._backend.table_modify_indirect(table.name, entry.handle, target)
        self._unbind(table, entry.binding)
        entry.binding = binding

    # --- default entries ---------------------------------------------------------

    def _write_default(
        self, state: TableState, kind: p4r.Update.Type.ValueType, message: p4r.TableEntry
    ) -> None:
        table = state.table
        if kind != p4r.Update.MODIFY:
            raise invalid("the default entry can only be modified")
        self._check(table, message)
        check_default_key(message)
        if message.idle_timeout_ns:
            raise invalid("a default entry has no idle timeout")
        if table.has_const_default:
            raise denied("its default action is constant")
        if message.HasField("action"):
            call = decode_table_call(table, message.action, is_default=True)
            self._backend.table_set_default(table.name, call.action.name, call.arguments)
            state.default = DefaultEntry(call, Cookie.of(message))
            self._direct.write_with(table, None, message)
            return
        self._backend.table_reset_default(table.name)
        state.default = state.initial_default
        self._direct.reset(table, None)


def _own_const() -> P4RuntimeError:
    return invalid("is_const is not the controller's to set")


def _exists() -> P4RuntimeError:
    return P4RuntimeError(Code.ALREADY_EXISTS, "the entry exists")
