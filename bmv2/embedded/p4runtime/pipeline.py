"""A program in the data plane, with what the controller has written to it."""

from __future__ import annotations

import time
from collections.abc import Generator

from finsy.proto import p4r

from bmv2.embedded.p4runtime.arrays import Arrays
from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.errors import P4RuntimeError, unimplemented
from bmv2.embedded.p4runtime.idle_timeouts import IdleTimeouts
from bmv2.embedded.p4runtime.initial_state import initial_tables
from bmv2.embedded.p4runtime.packet_header import PacketHeader
from bmv2.embedded.p4runtime.replication import Replication
from bmv2.embedded.p4runtime.schema import Schema
from bmv2.embedded.p4runtime.table_reader import TableReader
from bmv2.embedded.p4runtime.table_state import Entry, TableState
from bmv2.embedded.p4runtime.table_writer import TableWriter

_ENTITIES_A_MESSAGE = 512
_ENTRIES_A_NOTIFICATION = 1024


class Pipeline:
    """Reads and writes of one program; the entities of P4Runtime by their kind."""

    def __init__(self, config: p4r.ForwardingPipelineConfig, schema: Schema, backend: Backend):
        """Raises P4RuntimeError when P4Info and device config do not fit together."""
        self.config = config
        self.schema = schema
        self.backend = backend
        self.packet_in = PacketHeader("packet_in", schema.packet_in)
        self.packet_out = PacketHeader("packet_out", schema.packet_out)
        self.idle_timeouts = IdleTimeouts(self._idle_ns)
        self.states = initial_tables(schema, config.p4_device_config)
        self._writer = TableWriter(schema, self.states, backend, self._set_timer)
        self._reader = TableReader(schema, self.states, backend)
        self._arrays = Arrays(schema, backend)
        self.replication = Replication(backend)

    def write(self, update: p4r.Update) -> None:
        """Does one update of a batch. Raises P4RuntimeError, with nothing changed."""
        kind = update.type
        entity = update.entity
        match entity.WhichOneof("entity"):
            case "table_entry":
                self._writer.write(kind, entity.table_entry)
            case "direct_counter_entry":
                self._writer.write_counter(kind, entity.direct_counter_entry)
            case "counter_entry":
                self._arrays.write_counter(kind, entity.counter_entry)
            case "register_entry":
                self._arrays.write_register(kind, entity.register_entry)
            case "packet_replication_engine_entry":
                self.replication.write(kind, entity.packet_replication_engine_entry)
            case other:
                raise _unknown_entity(other)

    def read(self, query: p4r.Entity) -> Generator[p4r.ReadResponse | bytes]:
        """The responses to one query of a Read. Raises P4RuntimeError."""
        match query.WhichOneof("entity"):
            case "table_entry":
                yield from _in_messages(self._reader.read(query.table_entry))
            case "direct_counter_entry":
                yield from _in_messages(self._reader.read_counters(query.direct_counter_entry))
            case "counter_entry":
                yield from _in_messages(self._arrays.read_counters(query.counter_entry))
            case "register_entry":
                yield from self._arrays.read_registers(query.register_entry)
            case "packet_replication_engine_entry":
                replication = query.packet_replication_engine_entry
                yield from _in_messages(self.replication.read(replication))
            case other:
                raise _unknown_entity(other)

    def send_packet_out(self, packet: p4r.PacketOut) -> None:
        """Sends a packet into the pipeline. Raises P4RuntimeError."""
        header = self.packet_out.pack(packet.metadata)
        self.backend.send_packet_out(header + packet.payload)

    def idle_notifications(self) -> list[p4r.StreamMessageResponse]:
        """The notifications of all entries that have expired by now."""
        expired = self.idle_timeouts.expired(time.monotonic_ns())
        messages: list[p4r.StreamMessageResponse] = []
        for first in range(0, len(expired), _ENTRIES_A_NOTIFICATION):
            notification = p4r.IdleTimeoutNotification(timestamp=time.time_ns())
            for state, entry in expired[first : first + _ENTRIES_A_NOTIFICATION]:
                message = state.key_message(entry)
                entry.cookie.put_into(message)
                message.idle_timeout_ns = entry.idle_timeout_ns
                notification.table_entry.append(message)
            messages.append(p4r.StreamMessageResponse(idle_timeout_notification=notification))
        return messages

    def _idle_ns(self, state: TableState, entry: Entry) -> int:
        return self.backend.entry_idle_ns(state.table.name, entry.handle)

    def _set_timer(self, state: TableState, entry: Entry) -> None:
        self.idle_timeouts.watch(state, entry, time.monotonic_ns())


def _unknown_entity(kind: str | None) -> P4RuntimeError:
    return unimplemented(f"{kind or 'an entity without kind'} is not supported")


def _in_messages(entities: Generator[p4r.Entity]) -> Generator[p4r.ReadResponse]:
    response = p4r.ReadResponse()
    for entity in entities:
        response.entities.append(entity)
        if len(response.entities) == _ENTITIES_A_MESSAGE:
            yield response
            response = p4r.ReadResponse()
    if response.entities:
        yield response
