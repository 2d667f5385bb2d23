"""Who a bucket, and a flow in it, belongs to where it is not plain.

Run: pytest tests/unit/migration/test_migration_buckets.py
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from instance_model import flow_of
from migration_model import Model, ModelDetector
from test_migration_engine import FLOWS, WAITING, finish, options, running, until

from controlplane.migration.buckets import BucketKeeper
from controlplane.migration.errors import MoveError
from controlplane.migration.journal import Journal
from controlplane.migration.options import Guarantee, KeepAt, Kind
from controlplane.migration.peers import (
    Bucket,
    InstanceRule,
    RuleUpdate,
    UpdateOutcome,
    WriteResult,
)
from controlplane.migration.report import MoveState
from nf.southbound.client import FlowSummary

LOW, HIGH = frozenset(range(32)), frozenset(range(32, 64))


class Unsure:
    """A switch that writes buckets and does not answer."""

    def __init__(self) -> None:
        self.buckets = {0: Bucket(1)}

    async def read_buckets(self, group: int) -> Mapping[int, Bucket]:
        return dict(self.buckets)

    async def write_buckets(self, group: int, buckets: Mapping[int, Bucket]) -> None:
        await asyncio.sleep(0.02)
        self.buckets.update(buckets)
        raise MoveError("write: DEADLINE_EXCEEDED")


async def test_what_was_read_during_a_write_that_failed_is_read_again() -> None:
    switch = Unsure()
    keeper = BucketKeeper(switch, Journal())  # pyright: ignore[reportArgumentType]
    await keeper.read(1)
    writing = asyncio.create_task(keeper.write(1, {0: Bucket(2, 1)}))
    await asyncio.sleep(0.01)
    await keeper.read(1)
    with pytest.raises(MoveError):
        await writing
    assert await keeper.read(1) == switch.buckets


async def test_a_listing_from_before_a_turn_and_its_undoing_drains_nothing() -> None:
    async with Model(1) as model, running(model) as engine:
        await model.load(FLOWS, 100)
        await model.quiet()
        await finish(await engine.begin(options()))
        listing, listed, goes_on = model.nf2.list_flows, asyncio.Event(), asyncio.Event()

        async def slow() -> list[FlowSummary]:
            flows = await listing()
            if not flows and not listed.is_set():
                listed.set()
                await goes_on.wait()
            return flows

        back = await engine.begin(options(source="nf2", destination="nf1"))
        model.nf2.list_flows = slow
        await back.moved.wait()
        await listed.wait()
        model.nf2.pace_s = 0.1
        again = await engine.begin(options())
        await until(lambda: again.report().flows.selected > 0)
        newcomer = flow_of(777)
        model.send(newcomer)
        await until(lambda: newcomer in model.nf2.flows)
        again.cancel("operator")
        await again.moved.wait()
        goes_on.set()
        await asyncio.sleep(0.1)
        assert set(model.switch.buckets.values()) == {Bucket(1, 2)}
        for _ in range(3):
            model.send(newcomer)
        await model.quiet()
        assert model.nf2.flows[newcomer] == [0, 1, 2, 3]
        assert newcomer not in model.nf1.flows


async def test_a_flow_that_lives_by_bounces_is_no_elephant_of_a_third_instance() -> None:
    async with Model(1, instances=3) as model:
        detector = ModelDetector()
        async with running(model, detector) as engine:
            await model.load(FLOWS, 200)
            await model.quiet()
            half = await engine.begin(options(Kind.DRAIN, share=0.5))
            await half.moved.wait()
            numbers = range(300, 900)
            flow = next(flow_of(n) for n in numbers if flow_of(n).bucket in half.options.buckets)
            model.switch.seen.add((flow, 1))  # as if its filter were wrong
            for _ in range(5):
                model.send(flow)
            await model.quiet()
            assert flow in model.nf2.flows
            detector.flows = (flow,)
            move = await engine.begin(options(Kind.MOVE_ELEPHANT, destination="nf3", share=1.0))
            await move.moved.wait()
            for _ in range(5):
                model.send(flow)
            await model.quiet()
            assert model.nf2.flows[flow] == list(range(10))


async def test_a_bounce_goes_to_whom_the_bucket_is_shared_with() -> None:
    async with Model(1, instances=3) as model:
        model.switch.buckets.update({n: Bucket(2 if n in LOW else 1) for n in LOW | HIGH})
        async with running(model) as engine:
            await model.load(FLOWS, 300)
            await model.quiet()
            for source, destination, buckets in (("nf1", "nf2", HIGH), ("nf2", "nf3", LOW)):
                move = await engine.begin(
                    options(Kind.DRAIN, source=source, destination=destination, buckets=buckets)
                )
                await move.moved.wait()
            await model.quiet()
            flow = next(flow_of(n) for n in range(300, 900) if flow_of(n).bucket in HIGH)
            model.nf1.flows[flow] = []
            model.nf2.turned_away.add(flow)
            model.send(flow)
            await model.quiet()
            assert engine.status().bounced_packets == 1
            assert model.nf1.flows[flow] == [0]


async def test_a_bounce_while_buckets_are_given_back_goes_to_their_source() -> None:
    async with Model(1, instances=3) as model:
        model.switch.buckets.update({n: Bucket(1 if n in LOW else 2) for n in LOW | HIGH})
        async with running(model) as engine:
            await model.load(FLOWS, 200)
            await model.quiet()
            write, goes_on = model.switch.write_buckets, asyncio.Event()

            async def slow(group: int, buckets: Mapping[int, Bucket]) -> None:
                if Bucket(1, 2) in buckets.values():
                    await goes_on.wait()
                await write(group, buckets)

            model.switch.write_buckets = slow
            model.nf2.pace_s = 0.2
            first = await engine.begin(options(buckets=LOW))
            await until(lambda: first.report().flows.selected > 0)
            other = await engine.begin(
                options(Kind.DRAIN, source="nf2", destination="nf3", buckets=HIGH)
            )
            await other.moved.wait()
            first.cancel("operator")
            await until(lambda: bool(model.nf2.closed & LOW))
            flow = next(flow_of(n) for n in range(300, 900) if flow_of(n).bucket in LOW)
            model.send(flow)
            await until(lambda: engine.status().bounced_packets > 0)
            await asyncio.sleep(0.01)
            goes_on.set()
            await first.moved.wait()
            for _ in range(3):
                model.send(flow)
            await model.quiet()
            assert first.state is MoveState.CANCELLED
            assert model.nf1.flows[flow] == [0, 1, 2, 3]
            assert flow not in model.instances[2].flows


@pytest.mark.parametrize(
    ("keep_at", "guarantee"),
    WAITING,
)
async def test_a_write_that_was_not_answered_and_then_refused_may_be_in_force(
    keep_at: KeepAt, guarantee: Guarantee
) -> None:
    async with Model(1) as model, running(model) as engine:
        flow = FLOWS[0]
        for _ in range(5):
            model.send(flow)
        await model.quiet()
        write, tries = model.switch.write_rules, 0

        async def unsure(updates: list[RuleUpdate]) -> list[UpdateOutcome]:
            nonlocal tries
            if all(update.rule != InstanceRule(2) for update in updates) or tries >= 2:
                return list(await write(updates))
            tries += 1
            if tries == 2:
                return [UpdateOutcome(WriteResult.REFUSED, "write: UNKNOWN") for _ in updates]
            await write(updates)
            for _ in range(3):
                model.send(flow)
            await asyncio.sleep(0.01)
            return [UpdateOutcome(WriteResult.UNANSWERED, "write: no answer") for _ in updates]

        model.switch.write_rules = unsure  # pyright: ignore[reportAttributeAccessIssue]
        move = await engine.begin(options(keep_at=keep_at, guarantee=guarantee))
        await move.moved.wait()
        await model.quiet()
        model.send(flow)
        await model.quiet()
        holder = model.holder(flow)
        assert holder is not None
        assert sorted(holder.flows[flow]) == list(range(model.sent[flow]))
