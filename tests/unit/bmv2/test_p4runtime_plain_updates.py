"""Updates that the data plane takes from the serialised Write, against one by one.

Run: pytest tests/unit/bmv2/test_p4runtime_plain_updates.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random

import pytest
from finsy.proto import p4r
from google.protobuf.message import DecodeError
from p4rt_client import IDS, encoded, flow_rule, program, small_program

from bmv2.embedded.dataplane import Dataplane
from bmv2.embedded.p4runtime.backend import PlainRun
from bmv2.embedded.p4runtime.batch import Batch, Results, write_batch
from bmv2.embedded.p4runtime.p4info import schema_of
from bmv2.embedded.p4runtime.pipeline import Pipeline
from bmv2.embedded.p4runtime.schema import MatchField, MatchType, Table

PLAIN = ("match", "lookup", "wide", "uhaul")
WITHOUT_PLAIN = ("const_entries", "profile", "meter")
_HOUR_NS = 3600 * 10**9
ALL = p4r.Entity(table_entry=p4r.TableEntry())


class OneByOne(Dataplane):
    """Leaves every update to the server."""

    def write_plain(self, request: bytes, begin: int) -> PlainRun:
        return PlainRun(0, 0, None, 0, (), (), (), begin)


class Counting(Dataplane):
    """Counts what it does by itself."""

    plain = 0

    def write_plain(self, request: bytes, begin: int) -> PlainRun:
        run = super().write_plain(request, begin)
        self.plain += len(run.handles)
        return run


class Desk:
    def __init__(self, name: str, kind: type[Dataplane]) -> None:
        config = program() if name == "uhaul" else small_program(name)
        self.dataplane = kind.load(config.p4_device_config, ports={0: None, 1: None}, cpu_port=510)
        self.schema = schema_of(config.p4info)
        self.pipeline = Pipeline(config, self.schema, self.dataplane)

    def write(self, serialised: bytes) -> Results:
        return write_batch(self.pipeline, Batch.parse(serialised))

    def entries(self) -> list[bytes]:
        return [
            each.SerializeToString(deterministic=True)
            for each in self.pipeline.entities.select(ALL)
        ]

    def forward(self, packets: Sequence[bytes]) -> list[tuple[int, bytes]]:
        for packet in packets:
            self.dataplane.send(0, packet)
        self.dataplane.process()
        return self.dataplane.receive()


Start = Callable[[str, type[Dataplane]], Desk]


@pytest.fixture
def start() -> Iterator[Start]:
    desks: list[Desk] = []

    def make(name: str, kind: type[Dataplane]) -> Desk:
        desks.append(Desk(name, kind))
        return desks[-1]

    yield make
    for desk in desks:
        desk.dataplane.stop()


class Author:
    """Writes updates: most are right, some are odd, some are wrong."""

    def __init__(self, tables: Sequence[Table], seed: str) -> None:
        self._tables = [table for table in tables if table.fields]
        self._dice = Random(seed)

    def request(self, count: int) -> bytes:
        updates: list[p4r.Update] = []
        while len(updates) < count:
            table = self._dice.choice(self._tables)
            kind = self._dice.choice((p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE))
            for _ in range(self._dice.choice((1, 2, 9))):
                entry = self._entry(table, kind)
                updates.append(p4r.Update(type=kind, entity=p4r.Entity(table_entry=entry)))
        return p4r.WriteRequest(device_id=1, updates=updates).SerializeToString()

    def _is_odd(self) -> bool:
        return self._dice.random() < 0.04

    def _entry(self, table: Table, kind: p4r.Update.Type.ValueType) -> p4r.TableEntry:
        entry = p4r.TableEntry(table_id=table.id + self._is_odd())
        entry.match.extend(self._matches(table))
        if self._is_odd():
            entry.match.reverse()
        if table.needs_priority is not self._is_odd():
            entry.priority = self._dice.choice((1, 2, 2, 1 << 30, -1 if self._is_odd() else 3))
        if kind != p4r.Update.DELETE or self._is_odd():
            self._act(table, entry.action)
        if self._is_odd():
            entry.metadata = b"a cookie"
        if table.supports_idle_timeout is not self._is_odd():
            entry.idle_timeout_ns = self._dice.choice(
                (0, 10**9, 10**9, -1 if self._is_odd() else 9)
            )
        if self._is_odd():
            entry.counter_data.packet_count = 5
        if self._is_odd():
            entry.meter_config.cir = 5
        if self._is_odd():
            entry.is_const = True
        if self._is_odd():
            entry.is_default_action = True
        return entry

    def _act(self, table: Table, message: p4r.TableAction) -> None:
        if table.implementation_id:
            message.action_profile_member_id = 1
            return
        if self._is_odd():
            return
        action = self._dice.choice(list(table.actions.values()))
        message.action.action_id = action.id + self._is_odd()
        for param in action.params:
            if not self._is_odd():
                value = self._value(param.width)
                message.action.params.add(param_id=param.id + self._is_odd(), value=value)
        if self._is_odd():
            message.action.params.reverse()

    def _matches(self, table: Table) -> Iterator[p4r.FieldMatch]:
        for field in table.fields:
            may_be_anything = field.match_type is not MatchType.EXACT
            if not self._is_odd() and not (may_be_anything and self._dice.random() < 0.3):
                yield self._match(field)
            if self._is_odd():
                yield self._match(field)

    def _match(self, field: MatchField) -> p4r.FieldMatch:
        message = p4r.FieldMatch(field_id=field.id + self._is_odd())
        value, other = self._value(field.width), self._value(field.width)
        every_bit = encoded((1 << field.width) - 1)
        kinds = list(MatchType)
        match self._dice.choice(kinds) if self._is_odd() else field.match_type:
            case MatchType.EXACT:
                message.exact.value = value
            case MatchType.LPM:
                message.lpm.prefix_len = self._dice.choice((field.width, 3, 0, -1, field.width + 1))
                message.lpm.value = value
            case MatchType.TERNARY:
                message.ternary.mask = self._dice.choice((every_bit, every_bit, value, other))
                message.ternary.value = value
            case MatchType.RANGE:
                message.range.low, message.range.high = self._dice.choice(
                    ((value, every_bit), (value, other), (b"\0", every_bit))
                )
            case MatchType.OPTIONAL:
                message.optional.value = value
        return message

    def _value(self, width: int) -> bytes:
        """Few different ones, that entries meet again; not all of them fit, or are canonical."""
        if self._is_odd():
            return self._dice.choice((b"", encoded(1 << width), b"\0\0\1"))
        top = self._dice.choice((0, 0, width - 1, width // 2))
        return encoded((self._dice.randrange(4) << top) & (1 << width) - 1)

    def packets(self, count: int) -> list[bytes]:
        choices = bytes((0, 0, 0, 1, 1, 2, 3, 4, 0x80))
        return [bytes(self._dice.choices(choices, k=96)) for _ in range(count)]

    def damaged(self, request: bytes) -> bytes:
        damaged = bytearray(request)
        damaged[self._dice.randrange(len(damaged))] = self._dice.randrange(256)
        return bytes(damaged)


def outcome(results: Results) -> list[tuple[object, str] | None]:
    return [error and (error.code, error.message) for error in results]


@pytest.mark.parametrize("name", PLAIN + WITHOUT_PLAIN)
def test_they_do_what_updates_do_one_by_one(name: str, start: Start) -> None:
    quick, slow = start(name, Counting), start(name, OneByOne)
    author = Author(list(quick.schema.tables.values()), name)
    for _ in range(15):
        request = author.request(40)
        assert outcome(quick.write(request)) == outcome(slow.write(request))
        assert quick.entries() == slow.entries()
        packets = author.packets(100)
        assert quick.forward(packets) == slow.forward(packets)
    assert isinstance(quick.dataplane, Counting)
    assert (quick.dataplane.plain > 0) is (name in PLAIN)


@pytest.mark.parametrize("name", ("match", "lookup", "uhaul"))
def test_damaged_requests_do_as_much(name: str, start: Start) -> None:
    quick, slow = start(name, Dataplane), start(name, OneByOne)
    author = Author(list(quick.schema.tables.values()), name)
    parsed = 0
    for _ in range(400):
        request = author.damaged(author.request(3))
        try:
            Batch.parse(request)
        except DecodeError:
            continue
        parsed += 1
        assert outcome(quick.write(request)) == outcome(slow.write(request))
        assert quick.entries() == slow.entries()
    assert parsed > 50


def test_a_modification_that_says_no_more_takes_cookie_and_timeout_away(start: Start) -> None:
    desk = start("uhaul", Counting)

    def write(kind: p4r.Update.Type.ValueType, rule: p4r.TableEntry) -> None:
        update = p4r.Update(type=kind, entity=p4r.Entity(table_entry=rule))
        request = p4r.WriteRequest(updates=[update])
        assert desk.write(request.SerializeToString()) == [None]

    write(p4r.Update.INSERT, flow_rule(1, 1, metadata=b"mine", idle_timeout_ns=10**9))
    write(p4r.Update.MODIFY, flow_rule(1, 2))
    assert isinstance(desk.dataplane, Counting)
    assert desk.dataplane.plain == 1
    query = p4r.TableEntry(table_id=IDS.table["flow_rules"])
    (found,) = desk.pipeline.entities.select(p4r.Entity(table_entry=query))
    assert found.table_entry == flow_rule(1, 2)


def test_entries_written_so_expire(start: Start) -> None:
    desk = start("uhaul", Counting)
    batches = (
        (p4r.Update.INSERT, [(1, 1), (2, 1), (3, _HOUR_NS), (4, 0), (5, 1)]),
        (p4r.Update.MODIFY, [(2, 0), (4, 1), (5, 1)]),
        (p4r.Update.DELETE, [(5, 1)]),
    )
    for kind, rules in batches:
        updates = [
            p4r.Update(
                type=kind,
                entity=p4r.Entity(table_entry=flow_rule(number, idle_timeout_ns=timeout_ns)),
            )
            for number, timeout_ns in rules
        ]
        assert desk.write(p4r.WriteRequest(updates=updates).SerializeToString()) == [None] * len(
            rules
        )
    assert isinstance(desk.dataplane, Counting)
    assert desk.dataplane.plain == 9
    found = desk.pipeline.idle_timeouts.expired(time.monotonic_ns())
    expected = [flow_rule(number, idle_timeout_ns=1) for number in (1, 4)]
    assert [state.message(entry) for state, entry in found] == expected


def test_thousands_of_entries_go_in_one_request(start: Start) -> None:
    desk = start("uhaul", Counting)
    updates = [
        p4r.Update(type=p4r.Update.INSERT, entity=p4r.Entity(table_entry=flow_rule(number)))
        for number in range(3000)
    ]
    request = p4r.WriteRequest(updates=[*updates, updates[0]]).SerializeToString()
    *done, last = desk.write(request)
    assert done == [None] * 3000
    assert last is not None
    assert len(desk.entries()) >= 3000
