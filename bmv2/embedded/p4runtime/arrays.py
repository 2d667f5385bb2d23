"""Counters, meters and registers: arrays of cells in the data plane."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TypeAlias

import numpy as np
from finsy.proto import p4r

from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.counter_data import counter_data
from bmv2.embedded.p4runtime.data_type import BitsType
from bmv2.embedded.p4runtime.errors import (
    Code,
    P4RuntimeError,
    invalid,
    unimplemented,
)
from bmv2.embedded.p4runtime.meter_config import decode_config, encode_config
from bmv2.embedded.p4runtime.schema import Counter, Meter, Register, Schema

_CELLS_A_MESSAGE = 8192

_Array: TypeAlias = Counter | Meter | Register
_Entry: TypeAlias = p4r.CounterEntry | p4r.MeterEntry | p4r.RegisterEntry


class Arrays:
    """Reads and writes the counters, meters and registers of one program."""

    def __init__(self, schema: Schema, backend: Backend) -> None:
        self._schema = schema
        self._backend = backend

    # --- counters ----------------------------------------------------------------

    def write_counter(self, kind: p4r.Update.Type.ValueType, message: p4r.CounterEntry) -> None:
        """Sets one cell, or all of them where no index is given. Raises P4RuntimeError."""
        array = self._schema.counter(message.counter_id)
        indices = _written(kind, array, message)
        if not message.HasField("data"):
            return
        packets, byte_count = message.data.packet_count, message.data.byte_count
        if packets < 0 or byte_count < 0:
            raise invalid(f"{array.name}: a counter cannot be negative")
        for index in indices:
            self._backend.counter_write(array.name, index, packets, byte_count)

    def read_counters(self, query: p4r.CounterEntry) -> Generator[p4r.Entity]:
        """The cells that a query selects. Raises P4RuntimeError."""
        arrays: Iterable[Counter] = (
            [self._schema.counter(query.counter_id)]
            if query.counter_id
            else self._schema.counters.values()
        )
        for array in arrays:
            for index in _indices(array, query):
                packets, byte_count = self._backend.counter_read(array.name, index)
                entry = p4r.CounterEntry(
                    counter_id=array.id,
                    index=p4r.Index(index=index),
                    data=counter_data(packets, byte_count),
                )
                yield p4r.Entity(counter_entry=entry)

    # --- meters ------------------------------------------------------------------

    def write_meter(self, kind: p4r.Update.Type.ValueType, message: p4r.MeterEntry) -> None:
        """Sets one meter, or all of them where no index is given. Raises P4RuntimeError."""
        meter = self._schema.meter(message.meter_id)
        indices = _written(kind, meter, message)
        try:
            if message.HasField("counter_data"):
                raise unimplemented("counters by meter colour")
            has_config = message.HasField("config")
            rates = decode_config(meter.type, message.config) if has_config else None
        except P4RuntimeError as error:
            raise error.within(meter.name) from error
        for index in indices:
            self._backend.meter_write(meter.name, index, rates)

    def read_meters(self, query: p4r.MeterEntry) -> Generator[p4r.Entity]:
        """The meters that a query selects. Raises P4RuntimeError."""
        meters: Iterable[Meter] = (
            [self._schema.meter(query.meter_id)] if query.meter_id else self._schema.meters.values()
        )
        if query.HasField("counter_data"):
            raise unimplemented("counters by meter colour")
        for meter in meters:
            for index in _indices(meter, query):
                rates = self._backend.meter_read(meter.name, index)
                entry = p4r.MeterEntry(
                    meter_id=meter.id,
                    index=p4r.Index(index=index),
                    config=None if rates is None else encode_config(rates),
                )
                yield p4r.Entity(meter_entry=entry)

    # --- registers ---------------------------------------------------------------

    def write_register(self, kind: p4r.Update.Type.ValueType, message: p4r.RegisterEntry) -> None:
        """Sets one cell, or all of them where no index is given. Raises P4RuntimeError."""
        array = self._schema.register(message.register_id)
        indices = _written(kind, array, message)
        value = array.type.decode(message.data, array.name)
        for index in indices:
            self._backend.register_write(array.name, index, value)

    def read_registers(self, query: p4r.RegisterEntry) -> Generator[p4r.ReadResponse | bytes]:
        """The cells that a query selects, as ReadResponse messages, most of them serialised.

        Raises P4RuntimeError.
        """
        arrays: Iterable[Register] = (
            [self._schema.register(query.register_id)]
            if query.register_id
            else self._schema.registers.values()
        )
        for array in arrays:
            indices = _indices(array, query)
            if array.type != BitsType(array.type.width):
                yield self._encoded_cells(array, indices)
                continue
            for first in range(indices.start, indices.stop, _CELLS_A_MESSAGE):
                count = min(_CELLS_A_MESSAGE, indices.stop - first)
                yield self._backend.register_messages(array.name, array.id, first, count)

    def _encoded_cells(self, array: Register, indices: range) -> p4r.ReadResponse:
        cells = self._backend.register_read(array.name)
        words = cells.reshape(len(cells), -1)
        response = p4r.ReadResponse()
        for index in indices:
            value = int.from_bytes(words[index].astype(np.uint64).tobytes(), "little")
            response.entities.add().register_entry.CopyFrom(
                p4r.RegisterEntry(
                    register_id=array.id,
                    index=p4r.Index(index=index),
                    data=array.type.encode(iter((value,))),
                )
            )
        return response


def _written(kind: p4r.Update.Type.ValueType, array: _Array, message: _Entry) -> range:
    if kind != p4r.Update.MODIFY:
        raise invalid(f"{array.name}: a cell can only be modified")
    return _indices(array, message)


def _indices(
    array: Counter | Meter | Register,
    message: p4r.CounterEntry | p4r.MeterEntry | p4r.RegisterEntry,
) -> range:
    """The index of a message, or every index where it has none. Raises P4RuntimeError."""
    if not message.HasField("index"):
        return range(array.size)
    index = message.index.index
    if index < 0:
        raise invalid(f"{array.name}: the index {index} is negative")
    if index >= array.size:
        raise P4RuntimeError(
            Code.OUT_OF_RANGE, f"{array.name}: index {index} is not below its size {array.size}"
        )
    return range(index, index + 1)
