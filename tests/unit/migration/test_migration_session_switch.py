"""The engine's rules and buckets as entries of the switch's tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from finsy import GRPCStatusCode
from instance_model import flow_of

from controlplane.migration.errors import MoveError
from controlplane.migration.peers import (
    Bucket,
    HoldRule,
    InstanceRule,
    RuleUpdate,
    UpdateOutcome,
    WriteResult,
)
from controlplane.migration.session_switch import SessionSwitch
from controlplane.switch import entries
from controlplane.switch.entries import Entry, KeyValue, Operation, Table, Update
from controlplane.switch.errors import SwitchError, UpdateFailure
from controlplane.switch.packets import PacketIn, PacketOut
from controlplane.switch.session import CounterValue

FLOW = flow_of(1)


class FakeSession:
    def __init__(self) -> None:
        self.updates: list[Update] = []
        self.entries: list[Entry] = []
        self.error: SwitchError | None = None
        self.refused_packet_outs = 0

    async def write(self, updates: Sequence[Update]) -> None:
        self.updates += updates
        if self.error:
            raise self.error

    async def read_entries(self, table: Table) -> list[Entry]:
        if self.error:
            raise self.error
        return [entry for entry in self.entries if entry.table is table]

    async def read_direct_counters(
        self, table: Table
    ) -> Mapping[tuple[KeyValue, ...], CounterValue]:
        return {
            entry.key: CounterValue(number + 1, 0)
            for number, entry in enumerate(await self.read_entries(table))
        }

    async def send(self, packets: Sequence[PacketOut]) -> None: ...

    async def packet_ins(self) -> AsyncIterator[PacketIn]:
        for _ in ():
            yield _

    async def idle_entries(self) -> AsyncIterator[Entry]:
        for entry in self.entries:
            yield entry


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


@pytest.fixture
def switch(session: FakeSession) -> SessionSwitch:
    return SessionSwitch(session, 120)


async def test_rules_become_entries_and_back(session: FakeSession, switch: SessionSwitch) -> None:
    updates = [
        RuleUpdate(Operation.INSERT, flow_of(1), HoldRule(7)),
        RuleUpdate(Operation.MODIFY, flow_of(2), InstanceRule(2)),
        RuleUpdate(Operation.DELETE, flow_of(3), None),
    ]
    outcomes = await switch.write_rules(updates)
    assert [outcome.result for outcome in outcomes] == [WriteResult.WRITTEN] * 3
    session.entries = [update.entry for update in session.updates[:2]]
    assert {entry.idle_timeout_ns for entry in session.entries} == {120_000_000_000}
    assert session.updates[2].entry.key == flow_of(3)
    assert await switch.read_rules() == {flow_of(1): HoldRule(7), flow_of(2): InstanceRule(2)}
    assert [flow async for flow in switch.idle_rules()] == [flow_of(1), flow_of(2)]


@pytest.mark.parametrize(
    ("error", "results"),
    [
        (
            SwitchError(
                "write",
                failures={
                    0: UpdateFailure(GRPCStatusCode.ALREADY_EXISTS, ""),
                    1: UpdateFailure(GRPCStatusCode.NOT_FOUND, ""),
                    2: UpdateFailure(GRPCStatusCode.RESOURCE_EXHAUSTED, "full"),
                },
            ),
            [
                UpdateOutcome(WriteResult.EXISTS, "ALREADY_EXISTS"),
                UpdateOutcome(WriteResult.MISSING, "NOT_FOUND"),
                UpdateOutcome(WriteResult.REFUSED, "RESOURCE_EXHAUSTED full"),
                UpdateOutcome(WriteResult.WRITTEN),
            ],
        ),
        (
            SwitchError("no answer", is_unanswered=True),
            [UpdateOutcome(WriteResult.UNANSWERED, "no answer")] * 4,
        ),
        (SwitchError("not primary"), [UpdateOutcome(WriteResult.REFUSED, "not primary")] * 4),
    ],
)
async def test_what_became_of_each_update(
    session: FakeSession,
    switch: SessionSwitch,
    error: SwitchError,
    results: list[UpdateOutcome],
) -> None:
    session.error = error
    updates = [RuleUpdate(Operation.INSERT, flow_of(n), HoldRule(n)) for n in range(4)]
    assert list(await switch.write_rules(updates)) == results


async def test_buckets_become_entries_and_back(session: FakeSession, switch: SessionSwitch) -> None:
    buckets = {0: Bucket(1), 5: Bucket(2, 1)}
    await switch.write_buckets(1, buckets)
    assert {update.operation for update in session.updates} == {Operation.MODIFY}
    session.entries = [update.entry for update in session.updates]
    session.entries.append(entries.bucket(2, 0, 9))
    assert await switch.read_buckets(1) == buckets


async def test_errors_of_buckets_are_one_line(session: FakeSession, switch: SessionSwitch) -> None:
    session.error = SwitchError("the switch does not answer", is_unanswered=True)
    with pytest.raises(MoveError, match="the buckets cannot be turned: the switch does not"):
        await switch.write_buckets(1, {0: Bucket(1)})
    with pytest.raises(MoveError, match="the buckets cannot be read: the switch does not"):
        await switch.read_buckets(1)


async def test_packets_are_counted_by_rule(session: FakeSession, switch: SessionSwitch) -> None:
    session.entries = [
        entries.flow_to_instance(flow_of(1), 2),
        entries.flow_hold(flow_of(2), 77),
        entries.flow_hold(flow_of(3), 78),
    ]
    counted = await switch.count_ruled()
    assert {flow: each.packets for flow, each in counted.items() if each.is_held} == {
        flow_of(2): 2,
        flow_of(3): 3,
    }
    assert not counted[flow_of(1)].is_held
