"""Moments at which two things happen at once, each of which once went wrong.

Run: pytest tests/unit/migration/test_migration_races.py
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from instance_model import flow_of, frame_of
from migration_model import GROUP, Model, ModelDetector, ModelSwitch
from test_migration_engine import FLOWS, LIMITS, finish, options, running, until

from controlplane.migration.buckets import BucketKeeper
from controlplane.migration.errors import MoveError
from controlplane.migration.flow_registry import FlowRegistry
from controlplane.migration.journal import Journal
from controlplane.migration.options import Guarantee, Kind
from controlplane.migration.peers import Bucket, HoldRule, InstanceRule
from controlplane.migration.record import FlowRecord
from controlplane.migration.report import MoveState
from controlplane.migration.state import State

NEWCOMERS = [flow_of(number) for number in range(300, 320)]


# --- buckets ----------------------------------------------------------------------------


async def test_a_read_that_a_write_overtakes_is_not_remembered() -> None:
    async with Model(0) as model:
        answer = asyncio.Event()

        class SlowToRead(ModelSwitch):
            async def read_buckets(self, group: int) -> Mapping[int, Bucket]:
                found = await super().read_buckets(group)
                await answer.wait()
                return found

        switch = SlowToRead(model.instances, model.delays)
        keeper = BucketKeeper(switch, Journal())
        answer.set()
        await keeper.read(GROUP)
        writing = asyncio.create_task(keeper.write(GROUP, {0: Bucket(2, 1)}))
        answer.clear()
        await asyncio.sleep(0)
        reading = asyncio.create_task(keeper.read(GROUP))
        await writing
        answer.set()
        await reading
        assert (await keeper.read(GROUP))[0] == Bucket(2, 1)


@pytest.mark.parametrize("seed", range(4))
async def test_a_source_that_died_leaves_no_bucket_behind(seed: int) -> None:
    async with Model(seed, instances=3) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        await model.quiet()
        move = await engine.begin(options(early_release=False))
        await until(lambda: bool(model.switch.rules))
        model.nf1.down = True
        await move.moved.wait()
        assert move.state is MoveState.FAILED
        assert move.reason
        model.nf1.flows.clear()  # it is started anew
        model.nf1.closed.clear()
        model.nf1.down = False
        await until(lambda: set(model.switch.buckets.values()) == {Bucket(2)})
        await finish(await engine.begin(options(source="nf2", destination="nf3")))


async def test_a_flow_that_is_on_its_way_to_the_destination_when_buckets_are_given_back() -> None:
    async with Model(0, longest_delay=0) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        await model.quiet()
        model.nf2.refuse_put = set(FLOWS)
        move = await engine.begin(options(early_release=False))
        await until(lambda: Bucket(2, 1) in model.switch.buckets.values())
        model.nf2.reading.clear()
        for flow in NEWCOMERS:
            model.send(flow)
        await move.moved.wait()
        assert move.state is MoveState.FAILED
        await asyncio.sleep(0.1)
        for flow in NEWCOMERS:
            model.send(flow)
        model.nf2.reading.set()
        await model.quiet()
        model.check()
        assert {model.holder(flow) for flow in NEWCOMERS} == {model.nf1}, "they came back to it"
        model.nf2.ended.update(model.nf2.flows)
        await until(lambda: set(model.switch.buckets.values()) == {Bucket(1)})
        await until(lambda: not model.nf2.closed)


@pytest.mark.parametrize("seed", range(4))
async def test_a_flow_whose_packets_to_the_destination_were_lost_stays_at_the_source(
    seed: int,
) -> None:
    """The switch takes it for one that the destination has seen."""
    async with Model(seed) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        await model.quiet()
        model.switch.seen.update((flow, 2) for flow in FLOWS)
        model.nf2.refuse_put = set(FLOWS)
        move = await engine.begin(options(early_release=False))
        await until(lambda: Bucket(2, 1) in model.switch.buckets.values())
        await model.load(NEWCOMERS, 40)  # for them the destination is watched afterwards
        load = asyncio.create_task(model.load(FLOWS, 400))
        await move.moved.wait()
        assert move.state is MoveState.FAILED
        model.switch.rules.clear()  # as if they had been idle: the buckets say where they go
        await load
        await model.quiet()
        model.check()
        assert all(model.holder(flow) is model.nf1 for flow in FLOWS)


async def test_buckets_that_another_watch_has_given_away_are_not_superseded() -> None:
    async with Model(0) as model, running(model, ModelDetector(FLOWS[:6])) as engine:
        await model.load(FLOWS, 400)
        first = await engine.begin(options(Kind.MOVE_ELEPHANT))
        await first.moved.wait()
        second = await engine.begin(options(Kind.DRAIN))
        await second.moved.wait()
        await model.quiet()
        model.nf1.ended.update(model.nf1.flows)
        for move in (first, second):
            await finish(move)
            drain = move.report().drain
            assert drain is not None
            assert (drain.superseded, drain.left) == (False, 0)


# --- cancel -----------------------------------------------------------------------------


@pytest.mark.parametrize("after", [*range(0, 200, 25), *range(200, 300, 5)])
async def test_a_cancel_that_is_accepted_is_obeyed(after: int) -> None:
    async with Model(after, longest_delay=0) as model, running(model) as engine:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        move = await engine.begin(options())
        for _ in range(after):
            await asyncio.sleep(0)
        try:
            move.cancel("the operator says so")
        except MoveError:
            assert move.state in (MoveState.DRAINING, MoveState.DONE)
            return
        await move.moved.wait()
        assert move.state is MoveState.CANCELLED
        await until(lambda: {b.owner for b in model.switch.buckets.values()} == {1})


# --- which flows ------------------------------------------------------------------------


async def test_a_flow_that_is_selected_twice_is_moved_once() -> None:
    async with Model(0) as model, running(model, ModelDetector(FLOWS[:6] * 2)) as engine:
        await model.load(FLOWS, 400)
        load = asyncio.create_task(model.load(FLOWS, 400))
        move = await engine.begin(options(Kind.MOVE_ELEPHANT))
        await move.moved.wait()
        await load
        await model.quiet()
        model.check()
        assert move.report().flows.selected == 6


async def test_an_elephant_that_has_just_been_moved_elsewhere_is_left_there() -> None:
    """The switch's registers know for a while yet that it has been at the source."""
    detector = ModelDetector(FLOWS[:6])
    async with Model(0, instances=3) as model, running(model, detector) as engine:
        await model.load(FLOWS[:6], 100)
        await model.quiet()
        first = await engine.begin(options(Kind.MOVE_ELEPHANT, share=0.5))
        await first.moved.wait()
        moved = set(model.nf2.flows)
        assert moved
        await finish(first)
        second = await engine.begin(options(Kind.MOVE_ELEPHANT, destination="nf3"))
        await second.moved.wait()
        await model.load(FLOWS[:6], 100)
        await model.quiet()
        model.check()
        assert set(model.nf2.flows) == moved
        assert all(model.switch.rules[flow] == InstanceRule(2) for flow in moved)


# --- copies that are left ---------------------------------------------------------------


async def test_a_copy_that_was_left_at_the_destination_is_not_added_to() -> None:
    async with Model(0, instances=3) as model, running(model) as engine:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        model.nf2.refuse_put = {FLOWS[-1]}
        move = await engine.begin(options(early_release=False))
        await until(lambda: len(model.nf2.flows) == len(FLOWS) - 1)
        model.nf2.hung.clear()
        move.cancel("the destination hangs")
        await move.moved.wait()
        assert set(model.nf2.flows) <= set(FLOWS)
        model.nf2.hung.set()
        model.nf2.refuse_put.clear()
        await model.load(FLOWS, 100)
        await model.quiet()
        other = await engine.begin(options(source="nf2", destination="nf3"))
        await other.moved.wait()
        assert not model.instances[2].flows, "a copy is no flow of its instance"
        again = await engine.begin(options())
        await again.moved.wait()
        await model.load(FLOWS, 100)
        await model.quiet()
        model.check()
        assert set(model.nf2.flows) == set(FLOWS)


async def test_a_copy_that_was_left_at_the_source_does_not_take_the_flow_back() -> None:
    async with Model(0, instances=3) as model, running(model) as engine:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        model.nf1.refuse_delete = True
        move = await engine.begin(options())
        await move.moved.wait()
        assert set(model.nf1.flows) == set(model.nf2.flows) == set(FLOWS)
        with pytest.raises(MoveError, match="copies of flows are left there: nf1"):
            await engine.begin(options(destination="nf3"))
        model.nf1.refuse_delete = False
        await model.load(FLOWS, 100)
        other = await engine.begin(options(destination="nf3"))
        await other.moved.wait()
        await model.load(FLOWS, 100)
        await model.quiet()
        model.check()
        assert set(model.nf2.flows) == set(FLOWS)


# --- packets that come late -------------------------------------------------------------


async def test_a_packet_that_comes_after_lost_barriers_is_passed_on() -> None:
    async with Model(0, longest_delay=0) as model, running(model) as engine:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        model.switch.loses_barriers = True
        move = await engine.begin(options())
        await until(lambda: any(isinstance(r, HoldRule) for r in model.switch.rules.values()))
        flow, rule = next(iter(model.switch.rules.items()))
        assert isinstance(rule, HoldRule)
        await move.moved.wait()
        assert engine.status().lost_barriers
        model.switch.hand_up(rule.migration, frame_of(flow, 1))
        model.sent[flow] += 1
        await model.quiet()
        model.check()
        assert engine.status().unknown_packets == 0
        timeline = move.report(timeline=True).timeline or ()
        assert {flow.reason for flow in timeline} == {
            "the switch has returned no barrier: packets may still come, and are passed on"
        }


def test_no_stranded_flow_is_forgotten() -> None:
    registry = FlowRegistry()
    records = [FlowRecord(flow_of(n), n, State()) for n in range(1, 10_001)]
    for record in records:
        registry.add(record, Nobody())
        registry.end(record, stray=True, stranded=record.migration <= 5000)
    assert registry.find(1) is not None
    assert registry.find(5001) is None, "of others the last are remembered"
    assert registry.find(10_000) is not None


class Nobody:
    def held(self, record: FlowRecord, frame: bytes) -> None:
        raise AssertionError

    def led_to(self, record: FlowRecord) -> int:
        raise AssertionError


# --- pace -------------------------------------------------------------------------------


@pytest.mark.parametrize("parallelize", [True, False])
async def test_a_destination_that_is_slow_but_answers_is_waited_for(parallelize: bool) -> None:
    async with Model(0) as model, running(model) as engine:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        model.nf2.pace_s = 2 * LIMITS.import_timeout_s / len(FLOWS)
        load = asyncio.create_task(model.load(FLOWS, 200))
        move = await engine.begin(options(early_release=False, parallelize=parallelize))
        await move.moved.wait()
        await load
        await model.quiet()
        model.check()
        assert move.report().flows.moved == len(FLOWS)


async def test_a_source_takes_new_flows_again_when_it_has_read_what_it_was_sent() -> None:
    """Without a guarantee no marker has been behind its packets."""
    async with Model(0, longest_delay=0) as model, running(model) as engine:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        move = await engine.begin(options(guarantee=Guarantee.NONE))
        await until(lambda: move.state is MoveState.MOVING)
        model.nf1.reading.clear()
        for flow in FLOWS:
            model.send(flow)
        await move.moved.wait()
        await asyncio.sleep(0.1)
        model.nf1.reading.set()
        await model.quiet()
        assert all(model.holder(flow) is model.nf2 for flow in FLOWS)
        await finish(move)
        assert not model.nf1.closed
