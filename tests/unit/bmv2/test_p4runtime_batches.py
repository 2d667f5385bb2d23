"""Batches that are done whole or not at all: pytest tests/unit/bmv2/test_p4runtime_batches.py"""

from __future__ import annotations

import copy
import random
from typing import Any

import grpc
import pytest
from fake_switch import Switch
from finsy.proto import p4d, p4r
from p4rt_client import (
    DELETE,
    IDS,
    INSERT,
    MODIFY,
    Controller,
    action,
    entry,
    errors_of,
    exact,
    flow_rule,
    update,
)

ROLLBACK = p4r.WriteRequest.ROLLBACK_ON_ERROR
FAILING = update(INSERT, entry("nf_ports", exact(512), action("from_host")))
_SEED = 20


def group(number: int, *ports: int) -> p4r.Entity:
    message = p4r.MulticastGroupEntry(
        multicast_group_id=number, replicas=[p4r.Replica(port=bytes([each])) for each in ports]
    )
    replication = p4r.PacketReplicationEngineEntry(multicast_group_entry=message)
    return p4r.Entity(packet_replication_engine_entry=replication)


def drops(index: int | None, packets: int) -> p4r.CounterEntry:
    return p4r.CounterEntry(
        counter_id=IDS.counter["drops"],
        index=None if index is None else p4r.Index(index=index),
        data=p4r.CounterData(packet_count=packets),
    )


def cell(index: int, value: int) -> p4r.RegisterEntry:
    return p4r.RegisterEntry(
        register_id=IDS.register["way_0.fit_low"],
        index=p4r.Index(index=index),
        data=p4d.P4Data(bitstring=bytes([value])),
    )


def timers(first: int) -> p4r.TableEntry:
    return entry("timers", (), action("set_timers", first, 2), is_default_action=True)


def steered(number: int, to: int) -> p4r.TableEntry:
    return entry("steer", (), action("to_group", to), priority=number)


def counted(number: int, packets: int) -> p4r.DirectCounterEntry:
    key = entry("flow_rules", flow_rule(number).match)
    return p4r.DirectCounterEntry(table_entry=key, data=p4r.CounterData(packet_count=packets))


BEFORE = [
    update(INSERT, flow_rule(1, 1, metadata=b"mine", idle_timeout_ns=10**12)),
    update(INSERT, flow_rule(2, 2, counter_data=p4r.CounterData(packet_count=5))),
    update(INSERT, steered(3, 1)),
    update(INSERT, steered(4, 2)),
    update(INSERT, group(1, 1, 2)),
    update(MODIFY, drops(2, 7)),
    update(MODIFY, cell(3, 9)),
]
BATCH = [
    update(DELETE, flow_rule(1)),
    update(MODIFY, flow_rule(2, 9, metadata=b"x", counter_data=p4r.CounterData(packet_count=8))),
    update(INSERT, flow_rule(5)),
    update(DELETE, steered(3, 1)),
    update(MODIFY, steered(4, 3)),
    update(MODIFY, timers(77)),
    update(MODIFY, group(1, 3)),
    update(INSERT, group(2, 4)),
    update(MODIFY, drops(None, 1)),
    update(MODIFY, cell(3, 1)),
    update(MODIFY, counted(2, 99)),
]


async def state(client: Controller, switch: Switch) -> list[Any]:
    """What can be read, and what the data plane has, but for the handles of entries."""
    everything = await client.read(
        p4r.TableEntry(),
        p4r.TableEntry(is_default_action=True),
        p4r.Entity(direct_counter_entry=p4r.DirectCounterEntry()),
        p4r.CounterEntry(),
        p4r.RegisterEntry(register_id=IDS.register["way_0.fit_low"]),
        group(0),
    )
    backend = switch.backend
    tables = [
        sorted(repr(each) for each in entries.values()) for entries in backend.tables.values()
    ]
    return [sorted(repr(each) for each in everything), tables, copy.deepcopy(backend.groups)]


@pytest.mark.parametrize("place", range(len(BATCH) + 1))
async def test_what_was_done_is_undone(switch: Switch, primary: Controller, place: int) -> None:
    await primary.write(*BEFORE)
    before = await state(primary, switch)
    updates = [*BATCH[:place], FAILING, *BATCH[place:]]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await primary.write(*updates, atomicity=ROLLBACK)
    codes = [error.canonical_code for error in errors_of(caught.value)]
    assert codes == [10] * place + [3] + [10] * (len(BATCH) - place)
    assert await state(primary, switch) == before


async def test_any_order_is_undone(switch: Switch, primary: Controller) -> None:
    """Updates at random, of which most batches have one that fails."""
    print("seed", _SEED)
    chance = random.Random(_SEED)
    await primary.write(*BEFORE)
    is_undone = set[bool]()
    for _ in range(50):
        before = await state(primary, switch)
        updates = [
            update(chance.choice((INSERT, MODIFY, DELETE)), flow_rule(chance.randrange(4)))
            for _ in range(chance.randrange(1, 5))
        ]
        try:
            await primary.write(*updates, atomicity=ROLLBACK)
            is_undone.add(False)
        except grpc.aio.AioRpcError:
            is_undone.add(True)
            assert await state(primary, switch) == before, updates
    assert is_undone == {True, False}


async def test_a_batch_without_error_is_done(switch: Switch, primary: Controller) -> None:
    await primary.write(*BEFORE)
    await primary.write(*BATCH, atomicity=ROLLBACK)
    assert switch.backend.groups == {1: [(3, 0)], 2: [(4, 0)]}
    rules = await primary.read_entries(entry("flow_rules"))
    assert [each.match[0].exact.value for each in rules] == [b"\2", b"\5"]


async def test_an_unknown_atomicity_is_refused_whole(primary: Controller) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await primary.write(update(INSERT, flow_rule(1)), atomicity=7)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert await primary.read_entries(entry("flow_rules")) == []
