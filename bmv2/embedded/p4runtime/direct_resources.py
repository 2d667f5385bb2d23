"""The counters and meters of table entries (specification, sections 9.1.7, 9.3.1 and 9.4.1)."""

from __future__ import annotations

from collections.abc import Callable, Generator

from finsy.proto import p4r

from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.counter_data import counter_data
from bmv2.embedded.p4runtime.errors import (
    P4RuntimeError,
    invalid,
    not_found,
    unimplemented,
)
from bmv2.embedded.p4runtime.meter_config import decode_config, encode_config
from bmv2.embedded.p4runtime.schema import Table
from bmv2.embedded.p4runtime.table_state import TableStates


class DirectResources:
    """Reads and writes them, with an entry or by themselves."""

    def __init__(self, states: TableStates, backend: Backend) -> None:
        self._states = states
        self._backend = backend

    # --- with an entry -----------------------------------------------------------

    @staticmethod
    def check(table: Table, message: p4r.TableEntry) -> None:
        """Raises P4RuntimeError when a message, written or read, asks for what is not there."""
        if message.HasField("counter_data"):
            if table.direct_counter_id is None:
                raise _no_counter()
            _check_counter(message.counter_data)
        if message.HasField("meter_config"):
            if table.direct_meter is None:
                raise _no_meter()
            decode_config(table.direct_meter, message.meter_config)
        if message.HasField("meter_counter_data"):
            raise _no_colour_counters()

    def write_with(self, table: Table, handle: int | None, message: p4r.TableEntry) -> None:
        """Sets what `message`, which has been checked, says of an entry's resources.

        A meter without config is set to none, a counter without data stays as it is.
        """
        if table.direct_counter_id is not None and message.HasField("counter_data"):
            data = message.counter_data
            self._backend.set_entry_counter(table.name, handle, data.packet_count, data.byte_count)
        if table.direct_meter is not None:
            has_config = message.HasField("meter_config")
            rates = decode_config(table.direct_meter, message.meter_config) if has_config else None
            self._backend.set_entry_meter(table.name, handle, rates)

    def reset(self, table: Table, handle: int | None) -> None:
        """Sets the resources of an entry to what they are at first."""
        if table.direct_counter_id is not None:
            self._backend.set_entry_counter(table.name, handle, 0, 0)
        if table.direct_meter is not None:
            self._backend.set_entry_meter(table.name, handle, None)

    def add_to(
        self, message: p4r.TableEntry, table: Table, handle: int | None, query: p4r.TableEntry
    ) -> None:
        """Adds those resources of an entry to `message` that `query` asks for and it has."""
        if query.HasField("counter_data") and table.direct_counter_id is not None:
            message.counter_data.CopyFrom(self._counter(table, handle))
        if query.HasField("meter_config") and table.direct_meter is not None:
            config = self._meter_config(table, handle)
            if config is not None:
                message.meter_config.CopyFrom(config)

    def add_all_to(self, message: p4r.TableEntry, table: Table, handle: int | None) -> None:
        """Adds all resources of an entry to `message`."""
        everything = p4r.TableEntry(counter_data=p4r.CounterData(), meter_config=p4r.MeterConfig())
        self.add_to(message, table, handle, everything)

    # --- by themselves -----------------------------------------------------------

    def write_counter(
        self, kind: p4r.Update.Type.ValueType, message: p4r.DirectCounterEntry
    ) -> None:
        """Sets the direct counter of an entry. Raises P4RuntimeError."""
        with_data = message.HasField("data")

        def write(table: Table, handle: int | None) -> None:
            if table.direct_counter_id is None:
                raise _no_counter()
            if with_data:
                _check_counter(message.data)
                packets, byte_count = message.data.packet_count, message.data.byte_count
                self._backend.set_entry_counter(table.name, handle, packets, byte_count)

        self._write(kind, message.table_entry, write)

    def write_meter(self, kind: p4r.Update.Type.ValueType, message: p4r.DirectMeterEntry) -> None:
        """Sets the direct meter of an entry. Raises P4RuntimeError."""

        def write(table: Table, handle: int | None) -> None:
            if table.direct_meter is None:
                raise _no_meter()
            if message.HasField("counter_data"):
                raise _no_colour_counters()
            has_config = message.HasField("config")
            rates = decode_config(table.direct_meter, message.config) if has_config else None
            self._backend.set_entry_meter(table.name, handle, rates)

        self._write(kind, message.table_entry, write)

    def _write(
        self,
        kind: p4r.Update.Type.ValueType,
        key: p4r.TableEntry,
        write: Callable[[Table, int | None], None],
    ) -> None:
        state = self._states.of(key.table_id)
        try:
            if kind != p4r.Update.MODIFY:
                raise invalid("a direct resource can only be modified")
            write(state.table, state.find_handle(key))
        except P4RuntimeError as error:
            raise state.table.refusal(error) from error

    def read_counters(self, query: p4r.DirectCounterEntry) -> Generator[p4r.Entity]:
        """The direct counters of the entries that a query selects. Raises P4RuntimeError."""
        for table, handle, key in self._selected(query.table_entry, _has_counter, _no_counter):
            entry = p4r.DirectCounterEntry(table_entry=key, data=self._counter(table, handle))
            yield p4r.Entity(direct_counter_entry=entry)

    def read_meters(self, query: p4r.DirectMeterEntry) -> Generator[p4r.Entity]:
        """The direct meters of the entries that a query selects. Raises P4RuntimeError."""
        if query.HasField("counter_data"):
            raise _no_colour_counters()
        for table, handle, key in self._selected(query.table_entry, _has_meter, _no_meter):
            config = self._meter_config(table, handle)
            entry = p4r.DirectMeterEntry(table_entry=key, config=config)
            yield p4r.Entity(direct_meter_entry=entry)

    def _selected(
        self,
        query: p4r.TableEntry,
        has_resource: Callable[[Table], bool],
        refusal: Callable[[], P4RuntimeError],
    ) -> Generator[tuple[Table, int | None, p4r.TableEntry]]:
        """Table, handle and key of the entries whose resource is asked for."""
        states = self._states.all()
        if query.table_id:
            states = [self._states.of(query.table_id)]
            table = states[0].table
            if not has_resource(table):
                raise table.refusal(refusal())
        for state in states:
            if not has_resource(state.table):
                continue
            if query.is_default_action:
                key = p4r.TableEntry(table_id=state.table.id, is_default_action=True)
                yield state.table, None, key
                continue
            try:
                entries = state.select(query)
                if query.table_id and query.match and not entries:
                    raise not_found("there is no such entry")
            except P4RuntimeError as error:
                raise state.table.refusal(error) from error
            for entry in entries:
                yield state.table, entry.handle, state.key_message(entry)

    def _counter(self, table: Table, handle: int | None) -> p4r.CounterData:
        packets, byte_count = self._backend.entry_counter(table.name, handle)
        return counter_data(packets, byte_count)

    def _meter_config(self, table: Table, handle: int | None) -> p4r.MeterConfig | None:
        rates = self._backend.entry_meter(table.name, handle)
        return None if rates is None else encode_config(rates)


def counter_of(entry: p4r.TableEntry) -> p4r.Entity:
    """The direct counter of an entry that is read with all its resources."""
    message = p4r.DirectCounterEntry(table_entry=_key_of(entry), data=entry.counter_data)
    return p4r.Entity(direct_counter_entry=message)


def meter_of(entry: p4r.TableEntry) -> p4r.Entity:
    """The direct meter of an entry that is read with all its resources."""
    config = entry.meter_config if entry.HasField("meter_config") else None
    message = p4r.DirectMeterEntry(table_entry=_key_of(entry), config=config)
    return p4r.Entity(direct_meter_entry=message)


def _key_of(entry: p4r.TableEntry) -> p4r.TableEntry:
    return p4r.TableEntry(
        table_id=entry.table_id,
        match=entry.match,
        priority=entry.priority,
        is_default_action=entry.is_default_action,
    )


def _has_counter(table: Table) -> bool:
    return table.direct_counter_id is not None


def _has_meter(table: Table) -> bool:
    return table.direct_meter is not None


def _no_counter() -> P4RuntimeError:
    return invalid("the table has no direct counter")


def _no_meter() -> P4RuntimeError:
    return invalid("the table has no direct meter")


def _no_colour_counters() -> P4RuntimeError:
    return unimplemented("counters by meter colour")


def _check_counter(data: p4r.CounterData) -> None:
    if data.packet_count < 0 or data.byte_count < 0:
        raise invalid("a counter cannot be negative")
