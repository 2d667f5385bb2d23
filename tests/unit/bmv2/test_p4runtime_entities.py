"""Reads and writes: pytest tests/unit/bmv2/test_p4runtime_entities.py"""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from fake_backend import FakeEntry
from fake_switch import Switch
from finsy.proto import p4d, p4r
from p4rt_client import (
    DELETE,
    IDS,
    INSERT,
    MODIFY,
    Controller,
    action,
    entity,
    entry,
    errors_of,
    exact,
    flow_rule,
    update,
)

from bmv2.embedded.match import Exact, Lpm, Ternary

FLOW_RULES = "UhaulIngress.flow_rules.flow_rules"


def lpm(value: bytes, prefix_len: int) -> p4r.FieldMatch:
    return p4r.FieldMatch(field_id=1, lpm=p4r.FieldMatch.LPM(value=value, prefix_len=prefix_len))


def ternary(field: int, value: bytes, mask: bytes) -> p4r.FieldMatch:
    return p4r.FieldMatch(field_id=field, ternary=p4r.FieldMatch.Ternary(value=value, mask=mask))


async def refusal(client: Controller, *updates: p4r.Update) -> list[p4r.Error]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.write(*updates)
    assert caught.value.code() == grpc.StatusCode.UNKNOWN
    return errors_of(caught.value)


# --- table entries ---------------------------------------------------------------


async def test_an_entry_reads_as_it_was_written(switch: Switch, primary: Controller) -> None:
    rule = flow_rule(0x0A000001, metadata=b"mine", idle_timeout_ns=10**12)
    rule.controller_metadata = 99  # pyright: ignore[reportDeprecated]
    await primary.insert(rule)
    assert await primary.read_entries(entry("flow_rules")) == [rule]
    (stored,) = switch.backend.tables[FLOW_RULES].values()
    key = (Exact(0x0A000001), Exact(9), Exact(1), Exact(2), Exact(6))
    assert stored == FakeEntry(key, 0, "UhaulIngress.flow_rules.to_instance", (1,))


async def test_modify_and_delete(switch: Switch, primary: Controller) -> None:
    await primary.insert(flow_rule(1), flow_rule(2))
    hold = entry("flow_rules", exact(1, 9, 1, 2, 6), action("hold", 77))
    await primary.write(update(MODIFY, hold), update(DELETE, flow_rule(2)))
    assert await primary.read_entries(entry("flow_rules")) == [hold]
    (stored,) = switch.backend.tables[FLOW_RULES].values()
    assert (stored.action, stored.params) == ("UhaulIngress.flow_rules.hold", (77,))


async def test_values_are_read_back_in_canonical_form(primary: Controller) -> None:
    route = entry("routes", [lpm(b"\0\0\x0a\0\0\0", 8)], action("to_host", 1, 2, 3))
    route.action.action.params[0].value = b"\0\0\0\1"
    await primary.insert(route)
    (found,) = await primary.read_entries(entry("routes"))
    assert found.match[0].lpm.value == b"\x0a\0\0\0"
    assert found.action.action.params[0].value == b"\1"


@pytest.mark.parametrize("kind", ["multicast_group_entry", "clone_session_entry"])
async def test_ports_are_read_back_in_canonical_form(primary: Controller, kind: str) -> None:
    message = p4r.Entity()
    each = getattr(message.packet_replication_engine_entry, kind)
    setattr(each, {"m": "multicast_group_id", "c": "session_id"}[kind[0]], 7)
    each.replicas.add(port=b"\0\0\1", instance=3)
    await primary.write(update(INSERT, message))
    each.replicas[0].port = b"\1"
    assert await primary.read(message) == [message]


async def test_a_field_that_may_be_anything_is_left_out(
    switch: Switch, primary: Controller
) -> None:
    anything = entry("steer", (), action("to_group", 1), priority=1)
    one = entry("steer", [ternary(3, b"\6", b"\xff")], action("to_group", 2), priority=2)
    everywhere = entry("routes", (), action("to_host", 1, 2, 3))
    await primary.insert(anything, one, everywhere)
    assert await primary.read_entries(entry("steer")) == [anything, one]
    assert await primary.read_entries(entry("routes")) == [everywhere]
    keys = [e.key for e in switch.backend.tables["UhaulIngress.steer.steer"].values()]
    assert keys == [(Ternary(0, 0),) * 3, (Ternary(0, 0), Ternary(0, 0), Ternary(6, 255))]
    (route,) = switch.backend.tables["UhaulIngress.routing.routes"].values()
    assert route.key == (Lpm(0, 0),)


BAD: list[tuple[str, int, Any, int, str]] = [
    ("exists", INSERT, flow_rule(1), 6, "the entry exists"),
    ("missing", MODIFY, flow_rule(2), 5, "no such entry"),
    ("gone", DELETE, flow_rule(2), 5, "no such entry"),
    ("no table", INSERT, p4r.TableEntry(table_id=5), 5, "no table with id 5"),
    ("table id 0", INSERT, p4r.TableEntry(), 3, "the table id is missing"),
    ("field", INSERT, entry("flow_rules", exact(1), action("no_rule")), 3, "high_address"),
    ("extra field", INSERT, entry("nf_ports", exact(1, 2), action("from_host")), 3, "id 2"),
    ("twice", INSERT, entry("nf_ports", exact(1) * 2, action("from_host")), 3, "given twice"),
    ("width", INSERT, entry("nf_ports", exact(512), action("from_host")), 3, "0x200"),
    ("kind", INSERT, entry("nf_ports", [lpm(b"\1", 9)], action("from_host")), 3, "it is exact"),
    ("no action", INSERT, entry("nf_ports", exact(1)), 3, "the action is missing"),
    ("action", INSERT, entry("nf_ports", exact(1), action("no_rule")), 3, "no action"),
    ("argument", INSERT, entry("nf_ports", exact(1), action("from_instance")), 3, "missing"),
    ("argument 2", INSERT, entry("nf_ports", exact(1), action("from_host", 1)), 3, "id 1"),
    ("wide", INSERT, entry("nf_ports", exact(1), action("from_instance", 256)), 3, "8 bits"),
    ("/0", INSERT, entry("routes", [lpm(b"\0", 0)], action("unknown")), 3, "prefix length 0"),
    ("/33", INSERT, entry("routes", [lpm(b"\1", 33)], action("unknown")), 3, "length 33"),
    ("tail", INSERT, entry("routes", [lpm(b"\1", 8)], action("unknown")), 3, "beyond its prefix"),
    ("priority", INSERT, entry("steer", (), action("bypass")), 3, "above 0 is needed"),
    ("priority 0", INSERT, flow_rule(3, priority=1), 3, "without priorities"),
    (
        "mask 0",
        INSERT,
        entry("steer", [ternary(3, b"\0", b"\0")], action("bypass"), priority=1),
        3,
        "empty mask",
    ),
    (
        "mask",
        INSERT,
        entry("steer", [ternary(3, b"\3", b"\2")], action("bypass"), priority=1),
        3,
        "outside of its mask",
    ),
    ("empty", INSERT, entry("routes", [lpm(b"", 8)], action("unknown")), 3, "is empty"),
    ("timeout", INSERT, entry("nf_ports", exact(1), action("from_host"), idle_timeout_ns=1), 3,
     "supports no idle timeout"),
    ("const", INSERT, flow_rule(3, is_const=True), 3, "is_const"),
    ("keyless", INSERT, entry("timers", (), action("set_timers", 1, 2)), 3, "default entry only"),
    ("meter", INSERT, flow_rule(3, meter_config=p4r.MeterConfig()), 3, "no direct meter"),
    ("counter", INSERT, entry("nf_ports", exact(1), p4r.TableAction(action_profile_member_id=1)),
     3, "no action profile"),
    ("no type", 0, flow_rule(1), 3, "no type"),
    ("default", INSERT, entry("timers", (), action("set_timers", 1, 2), is_default_action=True), 3,
     "only be modified"),
    ("const default", MODIFY, entry("routes", (), action("unknown"), is_default_action=True), 7,
     "constant"),
    ("default key", MODIFY, entry("timers", exact(1), is_default_action=True), 3, "neither match"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "message", "code", "words"), [b[1:] for b in BAD],
                         ids=[b[0] for b in BAD])  # fmt: skip
async def test_a_bad_update_says_what_and_why(
    switch: Switch,
    primary: Controller,
    kind: p4r.Update.Type.ValueType,
    message: p4r.TableEntry,
    code: int,
    words: str,
) -> None:
    await primary.insert(flow_rule(1))
    before = await primary.read(p4r.TableEntry())
    (error,) = await refusal(primary, update(kind, message))
    assert (error.canonical_code, words in error.message) == (code, True), error.message
    assert await primary.read(p4r.TableEntry()) == before


async def test_each_update_of_a_batch_is_tried_and_reported(primary: Controller) -> None:
    await primary.insert(flow_rule(2))
    errors = await refusal(primary, *(update(INSERT, flow_rule(number)) for number in (1, 2, 3, 3)))
    assert [error.canonical_code for error in errors] == [0, 6, 0, 6]
    assert errors[1].message.startswith(f"table {FLOW_RULES}: ")
    numbers = [
        found.match[0].exact.value for found in await primary.read_entries(entry("flow_rules"))
    ]
    assert sorted(numbers) == [b"\1", b"\2", b"\3"]


async def test_the_details_of_a_large_batch_reach_the_client(primary: Controller) -> None:
    await primary.insert(flow_rule(1))
    errors = await refusal(primary, *[update(INSERT, flow_rule(1))] * 256)
    assert [error.canonical_code for error in errors] == [6] * 256


async def test_of_a_batch_that_is_too_large_for_details_the_message_tells(
    primary: Controller,
) -> None:
    await primary.insert(flow_rule(1))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await primary.write(*[update(INSERT, flow_rule(1))] * 2000)
    assert caught.value.code() == grpc.StatusCode.UNKNOWN
    assert (caught.value.details() or "").startswith(
        "2000 of 2000 updates failed; the first is 0: "
    )
    assert errors_of(caught.value) == []


async def test_a_full_table_is_said_to_be_full(switch: Switch, primary: Controller) -> None:
    numbers = range(switch.backend.capacity)
    await primary.insert(*(flow_rule(number) for number in numbers))
    (error,) = await refusal(primary, update(INSERT, flow_rule(99)))
    assert (error.canonical_code, "it is full" in error.message) == (8, True)


async def test_the_default_action_is_set_and_reset(switch: Switch, primary: Controller) -> None:
    asked = entry("timers", is_default_action=True)
    initial = await primary.read_entries(asked)
    timers = entry("timers", (), action("set_timers", 5, 6), is_default_action=True)
    await primary.write(update(MODIFY, timers))
    assert switch.backend.defaults == {
        "UhaulIngress.timers.timers": ("UhaulIngress.timers.set_timers", (5, 6))
    }
    assert await primary.read_entries(asked) == [timers]
    assert await primary.read_entries(entry("timers")) == []
    await primary.write(update(MODIFY, entry("timers", is_default_action=True)))
    assert switch.backend.defaults == {}
    assert await primary.read_entries(asked) == initial
    assert initial == [
        entry("timers", (), action("set_timers", 100_000, 60_000_000), is_default_action=True)
    ]


async def test_reads_select(primary: Controller) -> None:
    one, two = flow_rule(1, metadata=b"a"), flow_rule(2, metadata=b"b")
    held = entry("flow_rules", exact(3, 9, 1, 2, 6), action("hold", 7))
    low = entry("steer", (), action("to_group", 1), priority=1)
    high = entry("steer", (), action("to_group", 2), priority=9)
    await primary.insert(one, two, held, low, high)
    hold_only = p4r.TableAction(action=p4r.Action(action_id=IDS.action["hold"]))
    rows: list[tuple[p4r.TableEntry, list[p4r.TableEntry]]] = [
        (p4r.TableEntry(), [low, high, one, two, held]),
        (entry("flow_rules", one.match), [one]),
        (entry("flow_rules", exact(4, 9, 1, 2, 6)), []),
        (entry("flow_rules", metadata=b"b"), [two]),
        (entry("flow_rules", (), hold_only), [held]),
        (entry("steer", priority=9), [high]),
    ]
    for query, expected in rows:
        assert await primary.read_entries(query) == expected, query


async def test_each_query_of_a_read_is_tried_and_reported(primary: Controller) -> None:
    await primary.insert(flow_rule(1))
    queries = p4r.TableEntry(table_id=5), entry("flow_rules"), p4r.Entity(), p4r.TableEntry()
    found: list[p4r.Entity] = []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await primary.read(*queries, found=found)
    assert caught.value.code() == grpc.StatusCode.UNKNOWN
    assert [error.canonical_code for error in errors_of(caught.value)] == [5, 0, 3, 0]
    assert found == [entity(flow_rule(1))] * 2


async def test_nothing_is_read_or_written_without_a_program(switch: Switch) -> None:
    client = Controller(switch.address)
    await client.arbitrate(1)
    for call in (client.read(p4r.TableEntry()), client.write(update(INSERT, flow_rule(1)))):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    await client.channel.close()


# --- counters --------------------------------------------------------------------


async def test_direct_counters(switch: Switch, primary: Controller) -> None:
    ten = p4r.CounterData(packet_count=10, byte_count=640)
    await primary.insert(flow_rule(1, counter_data=ten), flow_rule(2))
    asked = entry("flow_rules", counter_data=p4r.CounterData())
    found = await primary.read_entries(asked)
    assert [message.counter_data.packet_count for message in found] == [10, 0]
    assert not (await primary.read_entries(entry("flow_rules")))[0].HasField("counter_data")
    key = entry("flow_rules", flow_rule(2).match)
    five = p4r.CounterData(packet_count=5, byte_count=6)
    await primary.write(update(MODIFY, p4r.DirectCounterEntry(table_entry=key, data=five)))
    (counter,) = await primary.read(p4r.DirectCounterEntry(table_entry=key))
    assert counter.direct_counter_entry.data == five
    everything = await primary.read(p4r.DirectCounterEntry(table_entry=entry("flow_rules")))
    assert [e.direct_counter_entry.data for e in everything] == [ten, five]


async def test_counters(primary: Controller) -> None:
    drops = IDS.counter["drops"]
    three = p4r.CounterData(packet_count=3)
    cell = p4r.CounterEntry(counter_id=drops, index=p4r.Index(index=2), data=three)
    await primary.write(update(MODIFY, cell))
    assert await primary.read(p4r.CounterEntry(counter_id=drops, index=p4r.Index(index=2))) == [
        entity(cell)
    ]
    counts = [
        e.counter_entry.data.packet_count
        for e in await primary.read(p4r.CounterEntry(counter_id=drops))
    ]
    assert counts == [0, 0, 3, 0, 0, 0, 0]
    assert len(await primary.read(p4r.CounterEntry())) == 8  # drops and fit_overflow
    outside = p4r.CounterEntry(counter_id=drops, index=p4r.Index(index=7), data=three)
    (error,) = await refusal(primary, update(MODIFY, outside))
    assert error.canonical_code == 11


async def test_a_counter_beyond_what_the_message_holds_is_read(
    switch: Switch, primary: Controller
) -> None:
    switch.backend.counters["UhaulIngress.drops", 2] = (1 << 63, 5)
    cell = p4r.CounterEntry(counter_id=IDS.counter["drops"], index=p4r.Index(index=2))
    (found,) = await primary.read(cell)
    data = found.counter_entry.data
    assert (data.packet_count, data.byte_count) == ((1 << 63) - 1, 5)


# --- registers -------------------------------------------------------------------


def cell(index: int, value: bytes, register: str = "way_0.fit_low") -> p4r.RegisterEntry:
    return p4r.RegisterEntry(
        register_id=IDS.register[register],
        index=p4r.Index(index=index),
        data=p4d.P4Data(bitstring=value),
    )


async def test_registers(primary: Controller) -> None:
    await primary.write(update(MODIFY, cell(0, b"\1")), update(MODIFY, cell(8191, b"\xff" * 7)))
    one = p4r.RegisterEntry(register_id=IDS.register["way_0.fit_low"], index=p4r.Index(index=8191))
    assert await primary.read(one) == [entity(cell(8191, b"\xff" * 7))]
    every = await primary.read(p4r.RegisterEntry(register_id=IDS.register["way_0.fit_low"]))
    assert len(every) == 8192
    assert [every[0], every[1], every[-1]] == [
        entity(cell(0, b"\1")),
        entity(cell(1, b"\0")),
        entity(cell(8191, b"\xff" * 7)),
    ]


@pytest.mark.parametrize(
    ("kind", "message", "code"),
    [
        (MODIFY, cell(8192, b"\1"), 11),
        (MODIFY, cell(-1, b"\1"), 3),
        (MODIFY, cell(0, b"\1" * 8), 11),
        (MODIFY, p4r.RegisterEntry(register_id=IDS.register["way_0.fit_low"]), 3),
        (MODIFY, p4r.RegisterEntry(register_id=7), 5),
        (INSERT, cell(0, b"\1"), 3),
    ],
)
async def test_bad_register_writes(
    primary: Controller, kind: p4r.Update.Type.ValueType, message: p4r.RegisterEntry, code: int
) -> None:
    (error,) = await refusal(primary, update(kind, message))
    assert error.canonical_code == code, error.message


async def test_what_is_not_supported_is_refused_by_name(primary: Controller) -> None:
    message = p4r.Entity(extern_entry=p4r.ExternEntry(extern_type_id=129))
    (error,) = await refusal(primary, update(MODIFY, message))
    assert (error.canonical_code, error.message) == (12, "extern_entry is not supported")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await primary.read(message)
    assert [error.canonical_code for error in errors_of(caught.value)] == [12]


async def test_everything_can_be_asked_for(primary: Controller) -> None:
    """The wildcard of each kind of entity, of a program that has but tables and arrays."""
    names = [field.name for field in p4r.Entity.DESCRIPTOR.fields]
    for name in names:
        query = p4r.Entity()
        getattr(query, name).SetInParent()
        if name == "packet_replication_engine_entry":
            query.packet_replication_engine_entry.multicast_group_entry.SetInParent()
        found = await primary.read(query)
        assert bool(found) == (name in ("counter_entry", "register_entry")), name


# --- idle timeouts ---------------------------------------------------------------


async def test_idle_entries_are_reported_with_what_names_them(
    switch: Switch, primary: Controller
) -> None:
    rule = flow_rule(1, idle_timeout_ns=1_000_000, metadata=b"mine")
    await primary.insert(rule, flow_rule(2, idle_timeout_ns=1_000_000), flow_rule(3))
    idle, busy, _ = switch.backend.tables[FLOW_RULES].values()
    idle.idle_ns, busy.idle_ns = 10**12, 0
    notification = (await primary.receive()).idle_timeout_notification
    rule.ClearField("action")
    assert list(notification.table_entry) == [rule]
    asked = entry("flow_rules", rule.match, time_since_last_hit=p4r.TableEntry.IdleTimeout())
    (found,) = await primary.read_entries(asked)
    assert found.time_since_last_hit.elapsed_ns == 10**12
