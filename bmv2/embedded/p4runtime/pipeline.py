"""A program in the data plane, with what the controller has written to it."""

from __future__ import annotations

import time
from errno import EMSGSIZE

from finsy.proto import p4r

from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.entities import Entities
from bmv2.embedded.p4runtime.errors import Code, P4RuntimeError, invalid
from bmv2.embedded.p4runtime.idle_timeouts import IdleTimeouts
from bmv2.embedded.p4runtime.packet_header import PacketHeader
from bmv2.embedded.p4runtime.schema import Schema
from bmv2.embedded.p4runtime.table_state import Entry, TableState

_ENTRIES_A_NOTIFICATION = 1024


class Pipeline:
    """One program: its config, its entities, and what it exchanges with the controller."""

    def __init__(self, config: p4r.ForwardingPipelineConfig, schema: Schema, backend: Backend):
        """Raises P4RuntimeError when P4Info and device config do not fit together."""
        if misfit := backend.misfit(schema):
            raise invalid(f"P4Info is not of the device config's program: {misfit}")
        schema = backend.fitted(schema)
        self.config = config
        self.schema = schema
        self.backend = backend
        self.packet_in = PacketHeader("packet_in", schema.packet_in)
        self.packet_out = PacketHeader("packet_out", schema.packet_out)
        self.idle_timeouts = IdleTimeouts(self._idle_ns)
        self.entities = Entities(schema, config.p4_device_config, backend, self._set_timer)

    def send_packet_out(self, packet: p4r.PacketOut) -> None:
        """Sends a packet into the pipeline. Raises P4RuntimeError."""
        header = self.packet_out.pack(packet.metadata)
        try:
            self.backend.send_packet_out(header + packet.payload)
        except OSError as error:
            code = Code.INVALID_ARGUMENT if error.errno == EMSGSIZE else Code.RESOURCE_EXHAUSTED
            raise P4RuntimeError(code, f"packet_out: {error.strerror}") from error

    def follow_ports(self) -> None:
        """Lets groups do without the members whose ports are down."""
        watched = [profile.watched for profile in self.entities.profiles.by_id.values()]
        if any(each.is_watching for each in watched):
            down = self.backend.down_ports()
            for each in watched:
                each.set_down(down)

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
