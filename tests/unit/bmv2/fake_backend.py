"""A data plane without packets: it keeps what the P4Runtime server tells it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from finsy.proto import p4d, p4r

from bmv2.embedded.errors import DuplicateEntry, TableFull
from bmv2.embedded.match import Match
from bmv2.embedded.meter import MeterRates
from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.backend import Cells, PlainRun
from bmv2.embedded.p4runtime.schema import Schema, Table
from bmv2.embedded.profile import Group, Member, ProfileTarget


@dataclass
class FakeEntry:
    key: tuple[Match, ...]
    priority: int
    action: str | ProfileTarget
    params: tuple[int, ...] = ()
    counter: tuple[int, int] = (0, 0)
    meter: MeterRates | None = None
    idle_ns: int = 0


@dataclass
class FakeProfile:
    """Members and groups by handle. What is in use cannot be deleted here either."""

    members: dict[int, tuple[str, tuple[int, ...]]] = field(
        default_factory=dict[int, tuple[str, tuple[int, ...]]]
    )
    groups: dict[int, list[int]] = field(default_factory=dict[int, list[int]])


@dataclass
class FakeBackend:
    """Packets are looped from packet_out to packet_in, after `answer` has changed them."""

    capacity: int = 16
    cells: int = 1 << 17
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
    profiles: dict[str, FakeProfile] = field(default_factory=dict[str, FakeProfile])
    meters: dict[tuple[str, int], MeterRates] = field(
        default_factory=dict[tuple[str, int], MeterRates]
    )
    default_meters: dict[str, MeterRates | None] = field(
        default_factory=dict[str, MeterRates | None]
    )
    value_sets: dict[str, list[list[Match]]] = field(default_factory=dict[str, list[list[Match]]])
    digests: list[tuple[str, tuple[int, ...]]] = field(
        default_factory=list[tuple[str, tuple[int, ...]]]
    )
    initial: dict[str, int] = field(default_factory=dict[str, int])
    """How many entries a table has at first."""
    sessions: dict[int, tuple[list[tuple[int, int]], int]] = field(
        default_factory=dict[int, tuple[list[tuple[int, int]], int]]
    )
    odd: str | None = None
    """What does not fit to P4Info."""
    refusal: OSError | None = None
    """What is said to a packet_out."""
    is_running: bool = False
    down: frozenset[int] = frozenset()
    """Ports that have no link."""
    _next_handle: int = 0
    _event: int = field(default_factory=lambda: os.eventfd(0, os.EFD_NONBLOCK))
    _digest_event: int = field(default_factory=lambda: os.eventfd(0, os.EFD_NONBLOCK))

    def misfit(self, schema: Schema) -> str | None:
        return self.odd

    def fitted(self, schema: Schema) -> Schema:
        return schema

    def has_port(self, number: int) -> bool:
        return number < 16

    def down_ports(self) -> frozenset[int]:
        return self.down

    def start(self) -> None:
        self.is_running = True

    def stop(self) -> None:
        self.is_running = False

    def _handle(self) -> int:
        self._next_handle += 1
        return self._next_handle

    def _add(self, table: str, entry: FakeEntry) -> int:
        entries = self.tables.setdefault(table, {})
        if any((e.key, e.priority) == (entry.key, entry.priority) for e in entries.values()):
            raise DuplicateEntry(table)
        if len(entries) >= self.capacity:
            raise TableFull(table)
        handle = self._handle()
        entries[handle] = entry
        return handle

    def table_add(
        self, table: str, key: Sequence[Match], priority: int, action: str, params: Sequence[int]
    ) -> int:
        return self._add(table, FakeEntry(tuple(key), priority, action, tuple(params)))

    def table_add_indirect(
        self, table: str, key: Sequence[Match], priority: int, target: ProfileTarget
    ) -> int:
        return self._add(table, FakeEntry(tuple(key), priority, target))

    def table_modify_indirect(self, table: str, handle: int, target: ProfileTarget) -> None:
        self.tables[table][handle].action = target

    def initial_entries(self, table: str) -> Sequence[int]:
        count = self.initial.get(table, 0)
        if count and table not in self.tables:
            program = (FakeEntry((), 0, "of the program") for _ in range(count))
            self.tables[table] = {self._handle(): entry for entry in program}
        return list(self.tables.get(table, ()))

    def table_modify(self, table: str, handle: int, action: str, params: Sequence[int]) -> None:
        entry = self.tables[table][handle]
        entry.action, entry.params = action, tuple(params)

    def table_delete(self, table: str, handle: int) -> None:
        del self.tables[table][handle]

    def expect_plain_updates(self, tables: Iterable[Table]) -> None:
        """It leaves all of them to the server."""

    def write_plain(self, request: bytes, begin: int) -> PlainRun:
        return PlainRun(0, 0, None, 0, (), (), (), begin)

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

    def entry_meter(self, table: str, handle: int | None) -> MeterRates | None:
        if handle is None:
            return self.default_meters.get(table)
        return self.tables[table][handle].meter

    def set_entry_meter(self, table: str, handle: int | None, rates: MeterRates | None) -> None:
        if handle is None:
            self.default_meters[table] = rates
        else:
            self.tables[table][handle].meter = rates

    def entry_idle_ns(self, table: str, handle: int) -> int:
        return self.tables[table][handle].idle_ns

    def profile(self, name: str) -> FakeProfile:
        return self.profiles.setdefault(name, FakeProfile())

    def member_add(self, profile: str, action: str, params: Sequence[int]) -> int:
        handle = self._handle()
        self.profile(profile).members[handle] = (action, tuple(params))
        return handle

    def member_modify(self, profile: str, member: int, action: str, params: Sequence[int]) -> None:
        assert member in self.profile(profile).members
        self.profile(profile).members[member] = (action, tuple(params))

    def member_delete(self, profile: str, member: int) -> None:
        self._check_unused(Member(member))
        assert all(member not in group for group in self.profile(profile).groups.values())
        del self.profile(profile).members[member]

    def group_add(self, profile: str, members: Sequence[int]) -> int:
        handle = self._handle()
        self.group_modify(profile, handle, members)
        return handle

    def group_modify(self, profile: str, group: int, members: Sequence[int]) -> None:
        assert set(members) <= set(self.profile(profile).members)
        self.profile(profile).groups[group] = list(members)

    def group_delete(self, profile: str, group: int) -> None:
        self._check_unused(Group(group))
        del self.profile(profile).groups[group]

    def _check_unused(self, target: ProfileTarget) -> None:
        for entries in self.tables.values():
            # As tuples a member and a group with the same handle would be equal.
            assert all(repr(entry.action) != repr(target) for entry in entries.values())

    def counter_read(self, name: str, index: int) -> tuple[int, int]:
        return self.counters.get((name, index), (0, 0))

    def counter_write(self, name: str, index: int, packets: int, byte_count: int) -> None:
        self.counters[name, index] = (packets, byte_count)

    def meter_read(self, name: str, index: int) -> MeterRates | None:
        return self.meters.get((name, index))

    def meter_write(self, name: str, index: int, rates: MeterRates | None) -> None:
        if rates is None:
            self.meters.pop((name, index), None)
        else:
            self.meters[name, index] = rates

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

    def value_set_write(self, name: str, members: Sequence[Sequence[Match]]) -> None:
        self.value_sets[name] = [list(member) for member in members]

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
        if self.refusal is not None:
            raise self.refusal
        self.sent.append(packet)
        self.emit(packet[:8] + bytes(4) + packet[8:])  # a packet_in has a sequence number as well

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

    def digest(self, name: str, *values: int) -> None:
        """A digest for the controller."""
        self.digests.append((name, values))
        os.eventfd_write(self._digest_event, 1)

    def digest_fileno(self) -> int:
        return self._digest_event

    def receive_digests(self) -> list[tuple[str, tuple[int, ...]]]:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._digest_event)
        digests, self.digests = self.digests, []
        return digests
