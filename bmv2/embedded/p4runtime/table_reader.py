"""Read table entries."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from finsy.proto import p4r

from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.direct_resources import DirectResources
from bmv2.embedded.p4runtime.errors import P4RuntimeError, invalid
from bmv2.embedded.p4runtime.table_state import Entry, TableState, TableStates


class TableReader:
    """Reads the tables of one program."""

    def __init__(
        self,
        states: TableStates,
        direct: DirectResources,
        backend: Backend,
    ) -> None:
        self._states = states
        self._direct = direct
        self._backend = backend

    def read(self, query: p4r.TableEntry) -> Generator[p4r.Entity]:
        """The entries that a query selects (specification, 9.1.6 "Wildcard Reads").

        Raises P4RuntimeError.
        """
        for state in self._tables(query):
            table = state.table
            if query.is_default_action:
                if state.default is not None:
                    message = state.default_message(state.default)
                    self._direct.add_to(message, table, None, query)
                    yield p4r.Entity(table_entry=message)
                continue
            try:
                entries = state.select(query)
            except P4RuntimeError as error:
                raise table.refusal(error) from error
            for entry in entries:
                message = state.message(entry)
                self._direct.add_to(message, table, entry.handle, query)
                if query.HasField("time_since_last_hit") and table.supports_idle_timeout:
                    idle_ns = self._backend.entry_idle_ns(table.name, entry.handle)
                    message.time_since_last_hit.elapsed_ns = idle_ns
                yield p4r.Entity(table_entry=message)

    def whole(self, state: TableState, entry: Entry) -> p4r.TableEntry:
        """The message that would make an entry what it is, its direct resources included."""
        message = state.message(entry)
        message.is_const = False
        if entry.is_const:
            message.ClearField("action")
        self._direct.add_all_to(message, state.table, entry.handle)
        return message

    def whole_default(self, state: TableState) -> p4r.TableEntry:
        """The same for the default entry."""
        message = p4r.TableEntry(table_id=state.table.id, is_default_action=True)
        if state.default is not None:
            message = state.default_message(state.default)
            message.is_const = False
        self._direct.add_all_to(message, state.table, None)
        return message

    def _tables(self, query: p4r.TableEntry) -> Iterable[TableState]:
        if query.table_id == 0:
            return self._states.all()
        state = self._states.of(query.table_id)
        table = state.table
        try:
            self._direct.check(table, query)
            if query.HasField("time_since_last_hit"):
                if not table.supports_idle_timeout:
                    raise invalid("the table supports no idle timeout")
                if query.is_default_action:
                    raise invalid("a default entry has no idle timeout")
        except P4RuntimeError as error:
            raise table.refusal(error) from error
        return [state]
