"""Registers, counters and meters of STF files, read and written through P4Runtime."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from finsy.proto import p4d, p4i, p4r

from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.pipeline import Pipeline
from bmv2.stf.commands import CheckCounter, ReadRegister, SetMeter, WriteCounter, WriteRegister
from bmv2.stf.errors import StfError
from bmv2.stf.names import find


class _Object(NamedTuple):
    """What has a name in P4Info."""

    id: int
    name: str


class Cells:
    """The arrays of one program."""

    def __init__(self, pipeline: Pipeline, p4info: p4i.P4Info) -> None:
        self._pipeline = pipeline
        self._registers = _objects(p4info.registers)
        self._counters = _objects(p4info.counters)
        self._direct_counters = _objects(p4info.direct_counters)
        self._meters = _objects(p4info.meters)

    def read_register(self, command: ReadRegister) -> str | None:
        """What is wrong with a cell, if anything is. Raises StfError and P4RuntimeError."""
        register = find(self._registers, "register", command.register)
        query = p4r.RegisterEntry(register_id=register.id, index=p4r.Index(index=command.index))
        entity = self._read(p4r.Entity(register_entry=query))
        value = int.from_bytes(entity.register_entry.data.bitstring, "big")
        if command.condition is None or command.condition.holds(value):
            return None
        return f"{register.name}[{command.index}]: expected {command.condition}, got {value}"

    def write_register(self, command: WriteRegister) -> None:
        """Sets one cell or all. Raises StfError and P4RuntimeError."""
        register = find(self._registers, "register", command.register)
        if command.value < 0:
            raise StfError(f"{command.value} is below 0")
        message = p4r.RegisterEntry(
            register_id=register.id,
            index=_index(command.index),
            data=p4d.P4Data(bitstring=bitstring.encode(command.value)),
        )
        self._modify(p4r.Entity(register_entry=message))

    def check_counter(self, command: CheckCounter, entry: p4r.TableEntry | None) -> str | None:
        """What is wrong with a cell, or with the direct counter of `entry`.

        Raises StfError and P4RuntimeError.
        """
        if entry is None:
            if isinstance(command.cell, str):
                raise StfError(f"no entry was added as {command.cell}")
            counter = find(self._counters, "counter", command.counter)
            index = p4r.Index(index=command.cell)
            query = p4r.CounterEntry(counter_id=counter.id, index=index)
            data = self._read(p4r.Entity(counter_entry=query)).counter_entry.data
        else:
            counter = find(self._direct_counters, "direct counter", command.counter)
            query = p4r.DirectCounterEntry(table_entry=entry)
            entity = self._read(p4r.Entity(direct_counter_entry=query))
            data = entity.direct_counter_entry.data
        value = data.byte_count if command.unit == "bytes" else data.packet_count
        if command.condition is None or command.condition.holds(value):
            return None
        return (
            f"{counter.name}({command.cell}): expected {command.condition} {command.unit}, "
            f"got {value}"
        )

    def write_counter(self, command: WriteCounter) -> None:
        """Sets a cell. Raises StfError and P4RuntimeError."""
        counter = find(self._counters, "counter", command.counter)
        data = p4r.CounterData(packet_count=command.packets, byte_count=command.bytes)
        message = p4r.CounterEntry(
            counter_id=counter.id, index=p4r.Index(index=command.index), data=data
        )
        self._modify(p4r.Entity(counter_entry=message))

    def set_meter(self, command: SetMeter) -> None:
        """Sets the rates of one cell or all. Raises StfError and P4RuntimeError."""
        meter = find(self._meters, "meter", command.meter)
        config = p4r.MeterConfig(
            cir=command.committed.rate,
            cburst=command.committed.burst,
            pir=command.peak.rate,
            pburst=command.peak.burst,
        )
        message = p4r.MeterEntry(meter_id=meter.id, index=_index(command.index), config=config)
        self._modify(p4r.Entity(meter_entry=message))

    def _modify(self, entity: p4r.Entity) -> None:
        self._pipeline.entities.write(p4r.Update(type=p4r.Update.MODIFY, entity=entity))

    def _read(self, query: p4r.Entity) -> p4r.Entity:
        (response,) = self._pipeline.entities.read(query)
        if isinstance(response, bytes):
            response = p4r.ReadResponse.FromString(response)
        (entity,) = response.entities
        return entity


def _objects(
    messages: Iterable[p4i.Register | p4i.Counter | p4i.DirectCounter | p4i.Meter],
) -> list[_Object]:
    return [_Object(message.preamble.id, message.preamble.name) for message in messages]


def _index(index: int | None) -> p4r.Index | None:
    return None if index is None else p4r.Index(index=index)
