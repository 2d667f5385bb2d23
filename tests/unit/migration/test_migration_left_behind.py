"""What a move leaves behind at its source: flows in others' buckets, rules of flows that ended.

Run: pytest tests/unit/migration/test_migration_left_behind.py
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from instance_model import flow_of
from migration_model import Model, ModelDetector
from test_migration_engine import FLOWS, finish, options, running, until
from test_migration_stranded import strand
from test_migration_takeover import fresh_buffer
from test_migration_takeover_moves import killed

from controlplane.detection.choice import Choice, DetectorName
from controlplane.migration import handed_over
from controlplane.migration.counts import ControlCounts
from controlplane.migration.engine import Engine
from controlplane.migration.errors import MoveError
from controlplane.migration.journal import Journal
from controlplane.migration.memory import Memory
from controlplane.migration.options import KeepAt, Kind
from controlplane.migration.peers import (
    Bucket,
    HoldRule,
    InstanceRule,
    RuleUpdate,
    UpdateOutcome,
    WriteResult,
)
from controlplane.migration.report import MoveState
from nf.southbound import southbound_pb2 as pb
from nf.southbound.client import FlowSummary, SouthboundError
from nf.southbound.flow import FiveTuple

LONG_LIVED = Choice(detector=DetectorName.SURVIVAL, distribution="web-search")


def owners(model: Model) -> Counter[Bucket]:
    return Counter(model.switch.buckets.values())


async def send(model: Model, flow: FiveTuple, packets: int) -> None:
    for _ in range(packets):
        model.send(flow)
    await model.quiet()


async def split(model: Model, engine: Engine) -> list[FiveTuple]:
    """Half of nf1's buckets go to nf2 and its mice stay; then all its flows go to nf3.

    Returns those that live at nf3 in buckets of nf2.
    """
    await model.load(FLOWS, 300)
    await model.quiet()
    half = await engine.begin(options(Kind.DRAIN, share=0.5))
    await half.moved.wait()
    await finish(await engine.begin(options(destination="nf3")))
    await finish(half)
    nf3 = model.instances[2]
    return [flow for flow in nf3.flows if model.switch.buckets[flow.bucket].owner == 2]


async def test_a_drain_counts_flows_of_buckets_that_others_own() -> None:
    async with Model(0, instances=3) as model, running(model) as engine:
        foreign = await split(model, engine)
        nf3 = model.instances[2]
        move = await engine.begin(options(Kind.DRAIN, source="nf3", destination="nf1"))
        await move.moved.wait()
        nf3.ended.update(flow for flow in nf3.flows if flow not in foreign)
        await until(lambda: move.drain is not None and move.drain.left == len(foreign) > 0)
        await asyncio.sleep(0.1)
        assert move.state is MoveState.DRAINING
        for flow in foreign:
            del nf3.flows[flow]
        await finish(move)
        assert owners(model) == {Bucket(1): 32, Bucket(2): 32}
        assert not nf3.closed
        for flow in foreign:  # they begin again where their buckets are
            await send(model, flow, 1)
            assert flow in model.nf2.flows
            assert flow not in nf3.flows


async def test_elephants_in_buckets_that_others_own_are_moved_if_the_source_has_them() -> None:
    detector = ModelDetector()
    async with Model(0, instances=3) as model, running(model, detector) as engine:
        foreign = await split(model, engine)
        detector.flows = tuple(FLOWS)
        there = set(model.instances[2].flows)
        move = await engine.begin(options(Kind.MOVE_ELEPHANT, source="nf3", destination="nf1"))
        await move.moved.wait()
        assert set(foreign) <= there <= set(model.nf1.flows)
        model.check()


@pytest.mark.parametrize("kind", [Kind.MOVE, Kind.MOVE_ELEPHANT, Kind.DRAIN])
async def test_a_flow_begins_again_at_the_owner_though_it_was_moved_before(kind: Kind) -> None:
    flow = FLOWS[0]
    detector = ModelDetector([flow])
    async with Model(0) as model, running(model, detector) as engine:
        await send(model, flow, 3)
        await finish(await engine.begin(options(Kind.MOVE_ELEPHANT)))
        assert model.switch.rules[flow] == InstanceRule(2)
        del model.nf2.flows[flow]  # it has ended; its rule is still there
        detector.flows = ()
        await finish(await engine.begin(options(kind, source="nf2", destination="nf1")))
        await send(model, flow, 3)
        assert model.nf1.flows[flow] == [3, 4, 5]
        assert flow not in model.nf2.flows


@pytest.mark.parametrize("result", [WriteResult.REFUSED, WriteResult.UNANSWERED])
async def test_a_drain_goes_on_until_the_switch_has_taken_the_rules(result: WriteResult) -> None:
    flow = FLOWS[0]
    detector = ModelDetector([flow])
    async with Model(0) as model, running(model, detector) as engine:
        await send(model, flow, 3)
        await finish(await engine.begin(options(Kind.MOVE_ELEPHANT)))
        del model.nf2.flows[flow]
        write, refuses = model.switch.write_rules, True

        async def refusing(updates: Sequence[RuleUpdate]) -> Sequence[UpdateOutcome]:
            if refuses:
                return [UpdateOutcome(result, "busy") for _ in updates]
            return await write(updates)

        model.switch.write_rules = refusing
        back = await engine.begin(options(Kind.DRAIN, source="nf2", destination="nf1"))
        await back.moved.wait()
        await asyncio.sleep(0.2)
        assert back.state is MoveState.DRAINING
        assert owners(model) == {Bucket(1, 2): 64}
        refuses = False
        await finish(back)
        assert model.switch.rules[flow] == InstanceRule(1)


async def test_a_sole_owner_begins_what_it_has_turned_away_before() -> None:
    async with Model(0, instances=3) as model, running(model) as engine:
        flow = FLOWS[0]
        cancelled = await engine.begin(options(Kind.DRAIN, destination="nf3"))
        cancelled.cancel("operator")
        await cancelled.ended.wait()
        model.nf1.turned_away.add(flow)
        await send(model, flow, 3)
        assert engine.status().bounced_packets > 0
        assert model.nf1.flows[flow] == [0, 1, 2]


async def test_stragglers_take_no_bucket_that_the_source_has_got_since() -> None:
    detector = ModelDetector(FLOWS[:3])
    async with Model(0, instances=3) as model, running(model, detector) as engine:
        await model.load(FLOWS, 400)
        await model.quiet()
        first = await engine.begin(
            options(Kind.MOVE_ELEPHANT, stragglers_after_s=0.3, elephants=LONG_LIVED)
        )
        await first.moved.wait()
        detector.flows = ()
        back = await engine.begin(options(Kind.DRAIN, source="nf2", destination="nf1", share=0.75))
        await back.moved.wait()
        await until(lambda: first.stragglers is not None)
        assert first.stragglers is not None
        await first.stragglers.moved.wait()
        assert owners(model) == {Bucket(1, 2): 48, Bucket(2, 1): 16}


async def test_why_stragglers_stay_does_not_hide_why_flows_were_not_moved() -> None:
    async with Model(0) as model, running(model, ModelDetector(FLOWS[:6])) as engine:
        await model.load(FLOWS, 400)
        await model.quiet()
        model.nf2.refuse_put = {FLOWS[0]}
        move = await engine.begin(
            options(Kind.MOVE_ELEPHANT, stragglers_after_s=0.2, elephants=LONG_LIVED)
        )
        await move.moved.wait()
        before = move.reason
        model.nf2.down = True
        await until(lambda: move.reason != before)
        assert move.reason == f"{before}; the stragglers stay: nf2: does not answer"


async def test_a_listing_from_before_the_source_was_closed_drains_nothing() -> None:
    async with Model(0) as model, running(model) as engine:
        old, new = FLOWS[:2]
        await send(model, old, 3)
        goes_on, asked, listing, is_slow = (
            asyncio.Event(),
            asyncio.Event(),
            model.nf1.list_flows,
            False,
        )

        async def slow() -> list[FlowSummary]:
            if not is_slow:
                return await listing()
            asked.set()
            await goes_on.wait()
            raise SouthboundError("nf1", "did not answer in time", down=True)

        model.nf1.list_flows = slow
        first = await engine.begin(options(Kind.DRAIN))
        await until(lambda: first.drain is not None and first.drain.left == 1)
        del model.nf1.flows[old]
        is_slow = True
        await asked.wait()
        back = await engine.begin(options(Kind.DRAIN, source="nf2", destination="nf1"))
        await back.moved.wait()
        model.nf1.reading.clear()
        model.send(new)  # on its way to nf1 while the buckets are turned again
        await asyncio.sleep(0.01)
        again = await engine.begin(options(Kind.DRAIN))
        await until(lambda: owners(model) == {Bucket(2, 1): 64})
        is_slow = False
        goes_on.set()
        await asyncio.sleep(0.05)
        model.nf1.reading.set()
        await again.moved.wait()
        await asyncio.sleep(0.05)
        await send(model, new, 3)
        assert model.nf1.flows[new] == [0, 1, 2, 3]
        assert new not in model.nf2.flows


async def test_the_last_packet_of_a_connection_is_the_source_s() -> None:
    async with Model(0) as model, running(model) as engine:
        await send(model, FLOWS[0], 10)
        move = await engine.begin(options(Kind.DRAIN))
        await move.moved.wait()
        model.nf1.ended.add(FLOWS[0])  # both ends have said so: an ACK is still to come
        model.nf1.ending.add(FLOWS[0])
        await until(lambda: move.drain is not None and move.drain.left == 0)
        await asyncio.sleep(0.1)
        await send(model, FLOWS[0], 1)
        assert len(model.nf1.flows[FLOWS[0]]) == 11
        assert not model.nf2.flows
        model.nf1.ending.clear()
        await finish(move)


@pytest.mark.parametrize("keep_at", KeepAt)
async def test_flows_that_have_just_arrived_are_not_handed_over(keep_at: KeepAt) -> None:
    """nf1 is drained to nf2 while flows of nf3 move to it; some are of nf2's buckets."""
    async with Model(0, instances=3) as model, running(model) as engine:
        foreign = await split(model, engine)
        nf1, listing, asked, goes_on = (
            model.nf1,
            model.nf1.list_flows,
            asyncio.Event(),
            asyncio.Event(),
        )
        mode = "down"

        async def list_flows() -> list[FlowSummary]:
            if mode == "down":
                raise SouthboundError("nf1", "did not answer in time", down=True)
            found = await listing()
            if mode == "slow":
                asked.set()
                await goes_on.wait()
            return found

        nf1.list_flows = list_flows
        drain = await engine.begin(options(Kind.DRAIN))
        await drain.moved.wait()
        nf1.pace_s = 0.3
        move = await engine.begin(options(source="nf3", destination="nf1", keep_at=keep_at))
        await until(lambda: bool(model.switch.rules) and move.state is MoveState.MOVING)
        mode = "slow"
        await asked.wait()
        nf1.pace_s = 0
        await move.moved.wait()
        mode = "fine"
        goes_on.set()
        await asyncio.sleep(0.1)
        assert drain.state is MoveState.DRAINING
        for flow in foreign:
            await send(model, flow, 2)
            assert model.holder(flow) is nf1
        nf1.flows.clear()
        await finish(drain)


async def test_a_flow_that_was_stranded_at_the_drained_instance_begins_at_the_owner() -> None:
    flow, detector = FLOWS[-1], ModelDetector()
    async with Model(1) as model, running(model, detector) as engine:
        await model.load(FLOWS, 200)
        await model.quiet()
        await strand(model, engine, flow)
        model.switch.refuse.clear()
        back = await engine.begin(options(Kind.DRAIN, source="nf2", destination="nf1"))
        await back.moved.wait()
        model.nf2.flows.clear()
        await finish(back)
        await send(model, flow, 3)
        assert len(model.nf1.flows[flow]) == 3
        assert flow not in model.nf2.flows
        detector.flows = (flow,)  # and can move again
        again = await engine.begin(options(Kind.MOVE_ELEPHANT))
        await again.moved.wait()
        assert again.report().flows.moved == 1


async def test_rules_are_handed_over_a_few_at_a_time() -> None:
    """So that moves do not wait with theirs."""
    many = [flow_of(number) for number in range(1000, 1600)]
    async with Model(0) as model:
        model.switch.rules = dict.fromkeys(many, InstanceRule(2))
        async with running(model) as engine:
            write, sizes = model.switch.write_rules, list[int]()

            async def noting(updates: Sequence[RuleUpdate]) -> Sequence[UpdateOutcome]:
                sizes.append(len(updates))
                return await write(updates)

            await finish(await engine.begin(options(Kind.DRAIN)))
            model.switch.write_rules = noting
            await finish(await engine.begin(options(Kind.DRAIN, source="nf2", destination="nf1")))
            assert set(model.switch.rules.values()) == {InstanceRule(1)}
            assert sum(sizes) == len(many)
            assert max(sizes) <= 128


async def test_a_flow_that_begins_where_a_copy_was_left_is_no_copy() -> None:
    flow, detector, journal = FLOWS[3], ModelDetector(), Journal()
    memory = Memory(fresh_buffer(), journal)
    async with Model(1, instances=3) as model, running(model, detector, memory=memory) as engine:
        await model.load(FLOWS, 200)
        await model.quiet()
        put = model.nf2.import_chunk

        async def never(chunk: pb.StateChunk) -> None:
            if FiveTuple.from_message(chunk.flow) == flow:
                await asyncio.Event().wait()
            await put(chunk)

        model.nf2.import_chunk = never
        detector.flows = (FLOWS[0], flow)
        first = await engine.begin(options(Kind.MOVE_ELEPHANT))
        await first.moved.wait()
        assert journal.copies_at(2) == [flow]
        model.nf1.flows.clear()
        await finish(first)
        model.sent[flow] = 0
        await send(model, flow, 5)
        model.nf2.import_chunk = put
        second = await engine.begin(options(source="nf2", destination="nf3"))
        await second.moved.wait()
        await send(model, flow, 2)
        assert model.instances[2].flows[flow] == list(range(7))


async def test_who_takes_over_watches_flows_of_buckets_that_others_own() -> None:
    journal = Journal()
    async with Model(0, instances=3) as model:
        nf3 = model.instances[2]
        async with killed(model, journal) as engine:
            foreign = await split(model, engine)
            move = await engine.begin(options(Kind.DRAIN, source="nf3", destination="nf1"))
            await move.moved.wait()
        assert [(each.owner, each.previous) for each in journal.open_watches()] == [(1, 3)]
        async with running(model, memory=Memory(fresh_buffer(), journal)):
            for flow in [flow for flow in nf3.flows if flow not in foreign]:
                del nf3.flows[flow]
            await asyncio.sleep(0.1)
            assert Bucket(1, 3) in owners(model)
            for flow in foreign:
                del nf3.flows[flow]
            await until(lambda: Bucket(1, 3) not in owners(model))
            await until(lambda: not journal.open_watches())
            await send(model, foreign[0], 2)
            assert len(model.nf2.flows[foreign[0]]) == 2


@pytest.mark.parametrize("kind", [Kind.DRAIN, Kind.MOVE_ELEPHANT])
async def test_a_flow_that_lives_by_a_third_instance_s_bounces_stays_where_it_is(
    kind: Kind,
) -> None:
    async with Model(0, instances=3) as model, running(model) as engine:
        foreign = await split(model, engine)
        _, nf2, nf3 = model.instances
        flow = foreign[0]
        away = await engine.begin(options(Kind.DRAIN, source="nf3", destination="nf1"))
        await away.moved.wait()
        del nf3.flows[flow]  # it has paused, and its rule leads there still
        model.sent[flow] = 0
        await send(model, flow, 5)
        assert nf2.flows[flow] == list(range(5))
        turned = await engine.begin(options(kind, source="nf2", destination="nf1"))
        await turned.moved.wait()
        await send(model, flow, 5)
        assert nf2.flows[flow] == list(range(10))
        for each in list(nf3.flows):
            del nf3.flows[each]
            model.sent.pop(each)
        await finish(away)
        assert flow not in model.switch.rules
        await send(model, flow, 5)
        assert nf2.flows[flow] == list(range(15))
        model.check()


async def test_a_flow_that_lives_by_bounces_begins_nowhere_else_when_its_bucket_goes_back() -> None:
    async with Model(0, instances=3) as model, running(model) as engine:
        foreign = await split(model, engine)
        nf1, nf2, nf3 = model.instances
        flow = foreign[0]
        away = await engine.begin(options(Kind.DRAIN, source="nf3", destination="nf1"))
        await away.moved.wait()
        fresh = (flow_of(number) for number in range(100, 1000))
        await send(model, next(each for each in fresh if each.bucket == flow.bucket), 1)
        turned = await engine.begin(options(Kind.DRAIN, source="nf2", destination="nf1"))
        await turned.moved.wait()
        model.switch.seen.add((flow, nf2.id))
        del nf3.flows[flow]
        model.sent[flow] = 0
        await send(model, flow, 5)  # by way of the third, and of the previous owner
        assert sorted(nf1.flows[flow]) == list(range(5))
        nf1.hung.clear()
        only = frozenset({flow.bucket})
        to_nf2 = options(Kind.DRAIN, source="nf1", destination="nf2", buckets=only)
        back = asyncio.create_task(engine.begin(to_nf2))
        await until(lambda: flow.bucket not in nf2.closed)
        await send(model, flow, 5)
        assert sorted(nf1.flows[flow]) == list(range(10))
        nf1.hung.set()
        await (await back).moved.wait()
        await send(model, flow, 5)
        assert sorted(nf1.flows[flow]) == list(range(15))
        model.check()


async def test_an_elephant_that_lives_by_bounces_in_a_shared_bucket_is_left() -> None:
    detector = ModelDetector()
    async with Model(0, instances=3) as model, running(model, detector) as engine:
        flow = (await split(model, engine))[0]
        _, nf2, nf3 = model.instances
        away = await engine.begin(options(Kind.DRAIN, source="nf3", destination="nf1"))
        await away.moved.wait()
        del nf3.flows[flow]
        model.sent[flow] = 0
        await send(model, flow, 5)
        turned = await engine.begin(options(Kind.DRAIN, source="nf2", destination="nf1"))
        await turned.moved.wait()
        detector.flows = (flow,)  # the switch counts it where its rule leads
        move = await engine.begin(options(Kind.MOVE_ELEPHANT, source="nf3", destination="nf1"))
        await move.moved.wait()
        await send(model, flow, 5)
        assert nf2.flows[flow] == list(range(10))
        model.check()


async def test_a_copy_in_a_bucket_that_others_share_is_a_copy_still() -> None:
    journal, detector = Journal(), ModelDetector()
    memory = Memory(fresh_buffer(), journal)
    async with Model(1, instances=3) as model, running(model, detector, memory=memory) as engine:
        nf1, _, nf3 = model.instances
        await finish(await engine.begin(options(Kind.DRAIN, share=0.5)))
        theirs = frozenset(n for n, bucket in model.switch.buckets.items() if bucket.owner == 2)
        flows = [flow_of(number) for number in range(1, 60)]
        moved, flow = [flow for flow in flows if flow.bucket in theirs][:2]
        mouse = next(flow for flow in flows if flow.bucket not in theirs)
        for each in (moved, flow, mouse):
            await send(model, each, 3)
        away = await engine.begin(options(Kind.DRAIN))
        await away.moved.wait()
        put = nf3.import_chunk

        async def unanswered(chunk: pb.StateChunk) -> None:
            await put(chunk)
            if FiveTuple.from_message(chunk.flow) == flow:
                await asyncio.Event().wait()

        nf3.import_chunk, nf3.refuse_delete = unanswered, True
        detector.flows = (moved, flow)
        move = await engine.begin(
            options(Kind.MOVE_ELEPHANT, source="nf2", destination="nf3", buckets=theirs)
        )
        await move.moved.wait()
        nf3.import_chunk, nf3.refuse_delete = put, False
        assert flow in journal.copies_at(3)
        del nf1.flows[mouse]
        await finish(away)
        assert flow in journal.copies_at(3)


async def test_rules_that_are_handed_over_do_not_disturb_a_move_that_begins_meanwhile() -> None:
    others = [flow_of(number) for number in range(1000, 1600)]
    async with Model(0, instances=3) as model:
        nf1, nf2, nf3 = model.instances
        model.switch.rules = dict.fromkeys(others, InstanceRule(3))  # of flows that have ended
        async with running(model) as engine:
            flow = (await split(model, engine))[0]
            away = await engine.begin(options(Kind.DRAIN, source="nf3", destination="nf1"))
            await away.moved.wait()
            del nf3.flows[flow]
            model.sent[flow] = 0
            await send(model, flow, 5)
            assert nf2.flows[flow] == list(range(5))
            listing, goes_on = nf2.list_flows, asyncio.Event()

            async def late() -> list[FlowSummary]:
                await goes_on.wait()
                return await listing()

            nf2.list_flows = late
            nf1.pace_s = 0.3
            two = await engine.begin(options(Kind.MOVE, source="nf2", destination="nf1"))
            await until(lambda: Bucket(1, 2) in owners(model) and len(nf2.closed) > 0)
            writes = len(model.switch.writes)
            for each in list(nf3.flows):
                del nf3.flows[each]
                model.sent.pop(each)
            await until(lambda: len(model.switch.writes) > writes + 2)
            goes_on.set()
            await until(lambda: isinstance(model.switch.rules.get(flow), HoldRule))
            await asyncio.sleep(0.1)
            assert isinstance(model.switch.rules[flow], HoldRule)
            await send(model, flow, 2)
            await two.moved.wait()
            await model.quiet()
            assert nf1.flows[flow] == list(range(7))
            model.check()


async def test_a_flow_of_another_s_bucket_that_ends_before_its_export_is_left() -> None:
    detector = ModelDetector()
    async with Model(0, instances=3) as model, running(model, detector) as engine:
        foreign = await split(model, engine)
        flow = foreign[0]
        nf1, nf2, nf3 = model.instances
        export = nf3.get_perflow

        def ended(*arguments: Any, **options: Any) -> AsyncGenerator[pb.StateChunk]:
            nf3.flows.pop(flow, None)
            return export(*arguments, **options)

        nf3.get_perflow = ended
        detector.flows = (flow, next(each for each in nf3.flows if each not in foreign))
        move = await engine.begin(options(Kind.MOVE_ELEPHANT, source="nf3", destination="nf1"))
        await move.moved.wait()
        assert move.report().flows.moved == 1
        assert "a third instance shares its bucket" in move.reason
        model.sent[flow] = 0
        await send(model, flow, 3)
        assert nf2.flows[flow] == list(range(3))
        assert flow not in nf1.flows
        model.check()


async def test_rules_are_handed_over_again_when_a_flow_has_been_moved_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may have been moved to the drained instance: its rule is to stay."""
    monkeypatch.setattr(handed_over, "_AT_ONCE", 1)
    flows = FLOWS[:3]
    async with Model(0) as model:
        model.switch.rules = dict.fromkeys(flows, InstanceRule(1))
        async with running(model) as engine:
            services = engine._services  # pyright: ignore[reportPrivateUsage]
            write = model.switch.write_rules

            async def moved_meanwhile(updates: Sequence[RuleUpdate]) -> Sequence[UpdateOutcome]:
                services.registry.ended += 1
                return await write(updates)

            model.switch.write_rules = moved_meanwhile
            homes = dict.fromkeys(range(64), 2)
            with pytest.raises(MoveError, match="moved to nf1 meanwhile"):
                await handed_over.hand_over_rules(
                    model.members["nf1"], homes, services, ControlCounts()
                )
            left = [flow for flow in flows if model.switch.rules[flow] == InstanceRule(1)]
            assert len(left) == 2
            model.switch.write_rules = write
            await handed_over.hand_over_rules(
                model.members["nf1"], homes, services, ControlCounts()
            )
            assert all(model.switch.rules[flow] == InstanceRule(2) for flow in flows)
