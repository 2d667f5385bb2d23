"""Counters and registers: arrays of cells in the data plane."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from finsy.proto import p4d, p4r

from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.errors import Code, P4RuntimeError, invalid
from bmv2.embedded.p4runtime.schema import Array, Schema

_CELLS_A_MESSAGE = 8192


def _index_of(message: p4r.Index, array: Array) -> int:
    index = message.index
    if index < 0:
        raise invalid(f"{array.name}: the index {index} is negative")
    if index >= array.size:
        raise P4RuntimeError(
            Code.OUT_OF_RANGE, f"{array.name}: index {index} is not below its size {array.size}"
        )
    return index


def _check_modify(kind: p4r.Update.Type.ValueType, array: Array) -> None:
    if kind != p4r.Update.MODIFY:
        raise invalid(f"{array.name}: a cell can only be modified")


class Arrays:
    """Reads and writes the counters and registers of one program."""

    def __init__(self, schema: Schema, backend: Backend) -> None:
        self._schema = schema
        self._backend = backend

    def write_counter(self, kind: p4r.Update.Type.ValueType, message: p4r.CounterEntry) -> None:
        """Sets one cell, or all of them where no index is given. Raises P4RuntimeError."""
        array = self._schema.counter(message.counter_id)
        _check_modify(kind, array)
        if not message.HasField("data"):
            return
        packets, byte_count = message.data.packet_count, message.data.byte_count
        if packets < 0 or byte_count < 0:
            raise invalid(f"{array.name}: a counter cannot be negative")
        for index in self._indices(array, message.index if message.HasField("index") else None):
            self._backend.counter_write(array.name, index, packets, byte_count)

    def read_counters(self, query: p4r.CounterEntry) -> Generator[p4r.Entity]:
        """The cells that a query selects. Raises P4RuntimeError."""
        arrays: Iterable[Array] = (
            [self._schema.counter(query.counter_id)]
            if query.counter_id
            else self._schema.counters.values()
        )
        for array in arrays:
            for index in self._indices(array, query.index if query.HasField("index") else None):
                packets, byte_count = self._backend.counter_read(array.name, index)
                entry = p4r.CounterEntry(
                    counter_id=array.id,
                    index=p4r.Index(index=index),
                    data=p4r.CounterData(packet_count=packets, byte_count=byte_count),
                )
                yield p4r.Entity(counter_entry=entry)

    def write_register(self, kind: p4r.Update.Type.ValueType, message: p4r.RegisterEntry) -> None:
        """Sets one cell, or all of them where no index is given. Raises P4RuntimeError."""
        array = self._schema.register(message.register_id)
        _check_modify(kind, array)
        value = self._register_value(array, message.data)
        for index in self._indices(array, message.index if message.HasField("index") else None):
            self._backend.register_write(array.name, index, value)

    def read_registers(self, query: p4r.RegisterEntry) -> Generator[bytes]:
        """The cells that a query selects, as serialised ReadResponse messages.

        Raises P4RuntimeError.
        """
        arrays: Iterable[Array] = (
            [self._schema.register(query.register_id)]
            if query.register_id
            else self._schema.registers.values()
        )
        for array in arrays:
            if query.HasField("index"):
                index = _index_of(query.index, array)
                yield self._backend.register_messages(array.name, array.id, index, 1)
                continue
            for first in range(0, array.size, _CELLS_A_MESSAGE):
                count = min(_CELLS_A_MESSAGE, array.size - first)
                yield self._backend.register_messages(array.name, array.id, first, count)

    @staticmethod
    def _indices(array: Array, index: p4r.Index | None) -> Iterable[int]:
        return range(array.size) if index is None else (_index_of(index, array),)

    @staticmethod
    def _register_value(array: Array, data: p4d.P4Data) -> int:
        kind = data.WhichOneof("data")
        if kind != "bitstring":
            raise invalid(f"{array.name}: {kind or 'nothing'} is given, its cells are bitstrings")
        return bitstring.decode(data.bitstring, array.width, array.name)
