"""A data plane without packets: it keeps what the P4Runtime server tells it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from finsy.proto import p4d, p4r

from bmv2.embedded.errors import DuplicateEntry, TableFull
from bmv2.embedded.match import Match
from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.backend import Cells


@dataclass
class FakeEntry:
    key: tuple[Match, ...]
    priority: int
    action: str
    params: tuple[int, ...]
    counter: tuple[int, int] = (0, 0)
    idle_ns: int = 0


@dataclass
class FakeBackend:
    """Packets are looped from packet_out to packet_in, after `answer` has changed them."""

    capacity: int = 16
    cells: int = 8192
    tables: dict[str, dict[int, FakeEntry]] = field(default_factory=dict[str, dict[int, FakeEntry]])
    defaults: dict[str, tuple[str, tuple[int, ...]]] = field(
        default_factory=dict[str, tuple[str, tuple[int, ...]]]
    )
    counters: dict[tuple[str, int], tuple[int, int]] = field(
        default_factory=dict[tuple[str, int], tuple[int, int]]
    )
    default_counters: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    registers: dict[str, Cells] = field(default_factory=dict[str, Cells])
    sent: list[bytes] = field(default_factory=list[bytes])
    waiting: list[bytes] = field(default_factory=list[bytes])
    groups: dict[int, list[tuple[int, int]]] = field(
        default_factory=dict[int, list[tuple[int, int]]]
    )
    sessions: dict[int, tuple[list[tuple[int, int]], int]] = field(
        default_factory=dict[int, tuple[list[tuple[int, int]], int]]
    )
    is_running: bool = False
    _next_handle: int = 0
    _event: int = field(default_factory=lambda: os.eventfd(0, os.EFD_NONBLOCK))

    def start(self) -> None:
        self.is_running = True

    def stop(self) -> None:
        self.is_running = False

    def table_add(
        self, table: str, key: Sequence[Match], priority: int, action: str, params: Sequence[int]
    ) -> int:
        entries = self.tables.setdefault(table, {})
        if any((e.key, e.priority) == (tuple(key), priority) for e in entries.values()):
            raise DuplicateEntry(table)
        if len(entries) >= self.capacity:
            raise TableFull(table)
        self._next_handle += 1
        entries[self._next_handle] = FakeEntry(tuple(key), priority, action, tuple(params))
        return self._next_handle

    def table_modify(self, table: str, handle: int, action: str, params: Sequence[int]) -> None:
        entry = self.tables[table][handle]
        entry.action, entry.params = action, tuple(params)

    def table_delete(self, table: str, handle: int) -> None:
        del self.tables[table][handle]

    def table_set_default(self, table: str, action: str, params: Sequence[int]) -> None:
        self.defaults[table] = (action, tuple(params))

    def table_reset_default(self, table: str) -> None:
        del self.defaults[table]

    def entry_counter(self, table: str, handle: int | None) -> tuple[int, int]:
        if handle is None:
            return self.default_counters.get(table, (0, 0))
        return self.tables[table][handle].counter

    def set_entry_counter(
        self, table: str, handle: int | None, packets: int, byte_count: int
    ) -> None:
        if handle is None:
            self.default_counters[table] = (packets, byte_count)
        else:
            self.tables[table][handle].counter = (packets, byte_count)

    def entry_idle_ns(self, table: str, handle: int) -> int:
        return self.tables[table][handle].idle_ns

    def counter_read(self, name: str, index: int) -> tuple[int, int]:
        return self.counters.get((name, index), (0, 0))

    def counter_write(self, name: str, index: int, packets: int, byte_count: int) -> None:
        self.counters[name, index] = (packets, byte_count)

    def register_read(self, name: str) -> Cells:
        return self.registers.setdefault(name, np.zeros(self.cells, np.uint64)).copy()

    def register_write(self, name: str, index: int, value: int) -> None:
        self.registers.setdefault(name, np.zeros(self.cells, np.uint64))[index] = value

    def register_messages(self, name: str, register_id: int, first: int, count: int) -> bytes:
        response = p4r.ReadResponse()
        cells = self.register_read(name)
        for index in range(first, first + count):
            response.entities.add().register_entry.MergeFrom(
                p4r.RegisterEntry(
                    register_id=register_id,
                    index=p4r.Index(index=index),
                    data=p4d.P4Data(bitstring=bitstring.encode(int(cells[index]))),
                )
            )
        return response.SerializeToString()

    def multicast_group_set(self, group: int, replicas: Sequence[tuple[int, int]]) -> None:
        self.groups[group] = list(replicas)

    def multicast_group_delete(self, group: int) -> None:
        del self.groups[group]

    def clone_session_set(
        self, session: int, replicas: Sequence[tuple[int, int]], packet_length_bytes: int
    ) -> None:
        self.sessions[session] = (list(replicas), packet_length_bytes)

    def clone_session_delete(self, session: int) -> None:
        del self.sessions[session]

    def send_packet_out(self, packet: bytes) -> None:
        self.sent.append(packet)
        self.emit(packet)

    def emit(self, packet: bytes) -> None:
        """A packet for the controller."""
        self.waiting.append(packet)
        os.eventfd_write(self._event, 1)

    def packet_in_fileno(self) -> int:
        return self._event

    def receive_packet_ins(self) -> list[bytes]:
        os.eventfd_read(self._event)
        packets, self.waiting = self.waiting, []
        return packets
