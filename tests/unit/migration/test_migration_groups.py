"""Groups of more than two: several moves at once, each of its own buckets; and stragglers.

Run: pytest tests/unit/migration/test_migration_groups.py
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from instance_model import flow_of
from migration_model import Model, ModelDetector
from test_migration_engine import (
    FLOWS,
    WAITING,
    finish,
    options,
    running,
    until,
)
from test_migration_takeover import fresh_buffer, missing

from controlplane.cli.options import shares
from controlplane.detection.choice import Choice, DetectorName, Edm
from controlplane.migration.engine import Engine
from controlplane.migration.errors import MoveError
from controlplane.migration.journal import Journal
from controlplane.migration.memory import Memory
from controlplane.migration.move import Move
from controlplane.migration.options import Guarantee, KeepAt, Kind
from controlplane.migration.peers import Bucket, HoldRule
from controlplane.migration.report import MoveState
from nf.southbound.flow import ALL_BUCKETS

NEWCOMERS = [flow_of(number) for number in range(100, 140)]


async def split(engine: Engine, *destinations: str, kind: Kind = Kind.MOVE) -> list[Move]:
    """As `controlplane move nf1 nf2 nf3` does it."""
    return [
        await engine.begin(options(kind, destination=destination, share=share))
        for destination, share in zip(destinations, shares(None, len(destinations)), strict=True)
    ]


def owners(model: Model) -> dict[int, int]:
    """How many buckets each instance owns."""
    found: dict[int, int] = {}
    for bucket in model.switch.buckets.values():
        found[bucket.owner] = found.get(bucket.owner, 0) + 1
    return found


@pytest.mark.parametrize("destinations", range(1, 6))
@pytest.mark.parametrize("total", [None, 1.0, 0.5])
def test_all_destinations_get_as_much(destinations: int, total: float | None) -> None:
    left, given = 1.0, list[float]()
    for share in shares(total, destinations):
        part = 1.0 if share is None else share
        assert 0 < part <= 1
        given.append(left * part)
        left -= given[-1]
    assert given == pytest.approx([(total or 1) / destinations] * destinations)
    if total != 0.5:
        assert shares(total, destinations)[-1] in (None, 1.0), "nothing is left by rounding"


@pytest.mark.parametrize("seed", range(6))
async def test_one_source_is_split_over_two_destinations(seed: int) -> None:
    async with (
        Model(seed, longest_delay=1 + seed, instances=3) as model,
        running(model) as engine,
    ):
        await model.load(FLOWS, 200)
        load = asyncio.create_task(model.load(FLOWS, 1500))
        moves = await split(engine, "nf2", "nf3")
        for move in moves:
            await move.moved.wait()
        await load
        await model.load(NEWCOMERS, 100)
        await model.quiet()
        model.check()
        assert not model.nf1.flows
        nf3 = model.instances[2]
        assert model.nf2.flows and nf3.flows
        assert not model.nf2.flows.keys() & nf3.flows.keys()
        for move, instance in zip(moves, (model.nf2, nf3), strict=True):
            assert all(flow.bucket in move.options.buckets for flow in instance.flows)
            await finish(move)
        assert owners(model) == {2: 32, 3: 32}
        assert not any(instance.closed for instance in model.instances)


@pytest.mark.parametrize("seed", range(6))
async def test_two_sources_are_merged_into_one(seed: int) -> None:
    async with (
        Model(seed, longest_delay=1 + seed, instances=3) as model,
        running(model) as engine,
    ):
        await model.load(FLOWS, 200)
        half = await engine.begin(options(share=0.5))
        await finish(half)
        assert owners(model) == {1: 32, 2: 32}
        load = asyncio.create_task(model.load([*FLOWS, *NEWCOMERS], 1500))
        moves = [
            await engine.begin(options(source=source, destination="nf3"))
            for source in ("nf1", "nf2")
        ]
        assert all(move.state is not MoveState.DONE for move in moves)
        for move in moves:
            await move.moved.wait()
        await load
        await model.quiet()
        model.check()
        assert not model.nf1.flows
        assert not model.nf2.flows
        for move in moves:
            await finish(move)
        assert set(model.switch.buckets.values()) == {Bucket(3)}


@pytest.mark.parametrize("seed", range(4))
async def test_elephants_are_split_and_mice_die_out_where_they_are(seed: int) -> None:
    elephants = FLOWS[:12]
    async with (
        Model(seed, instances=3) as model,
        running(model, ModelDetector(elephants)) as engine,
    ):
        await model.load(FLOWS, 600)
        load = asyncio.create_task(model.load(FLOWS, 600))
        moves = await split(engine, "nf2", "nf3", kind=Kind.MOVE_ELEPHANT)
        for move in moves:
            await move.moved.wait()
        await load
        await model.quiet()
        model.check()
        assert set(model.switch.rules) == set(elephants)
        assert sum(move.report().flows.moved for move in moves) == len(elephants)
        assert set(model.nf1.flows) == set(FLOWS) - set(elephants)
        await until(lambda: all(move.drain and move.drain.left is not None for move in moves))
        left = [move.drain.left for move in moves if move.drain]
        assert sum(count or 0 for count in left) == len(FLOWS) - len(elephants), (
            "each counts only the mice of its own buckets"
        )
        model.nf1.ended.update(model.nf1.flows)
        for move in moves:
            await finish(move)
        assert owners(model) == {2: 32, 3: 32}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("after", [0, 10, 60])
@pytest.mark.parametrize(("keep_at", "guarantee"), WAITING)
async def test_one_of_two_is_cancelled_and_the_other_goes_on(
    seed: int, after: int, keep_at: KeepAt, guarantee: Guarantee
) -> None:
    async with Model(seed, instances=3) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        load = asyncio.create_task(model.load(FLOWS, 800))
        moves = [
            await engine.begin(
                options(
                    destination=destination,
                    share=share,
                    keep_at=keep_at,
                    guarantee=guarantee,
                    early_release=False,
                )
            )
            for destination, share in (("nf2", 0.5), ("nf3", 1))
        ]
        first, second = moves
        for _ in range(after):
            await asyncio.sleep(0)
        with contextlib.suppress(MoveError):  # it is over already
            first.cancel("the operator says so")
        for move in moves:
            await move.moved.wait()
        await load
        await model.quiet()
        model.check()
        nf3 = model.instances[2]
        assert second.reason == ""
        assert {flow for flow in FLOWS if flow.bucket in second.options.buckets} >= set(nf3.flows)
        assert not any(flow.bucket in second.options.buckets for flow in model.nf1.flows)
        if first.state is MoveState.CANCELLED:
            await until(lambda: owners(model).get(1, 0) == 32)
            assert all(flow.bucket in first.options.buckets for flow in model.nf1.flows)
        assert owners(model)[3] == 32


async def test_a_move_that_is_undone_gives_back_its_own_buckets_only() -> None:
    async with Model(0, instances=3) as model, running(model) as engine:
        await model.load(FLOWS, 300)
        await finish(await engine.begin(options(destination="nf2", share=0.25)))
        theirs = {number for number, bucket in model.switch.buckets.items() if bucket.owner == 2}
        model.nf2.refuse_put = set(FLOWS)
        move = await engine.begin(options(destination="nf2", share=0.5))
        await move.moved.wait()
        assert move.state is MoveState.FAILED
        await model.load(FLOWS, 100)
        await model.quiet()
        model.check()
        await until(lambda: set(model.switch.buckets.values()) == {Bucket(1), Bucket(2)})
        now = {number for number, bucket in model.switch.buckets.items() if bucket.owner == 2}
        assert now == theirs
        assert not model.nf1.closed


async def test_what_overlaps_is_refused_and_says_with_what() -> None:
    async with Model(0, instances=3) as model, running(model) as engine:
        await model.load(FLOWS, 100)
        first = await engine.begin(options(share=0.5, early_release=False))
        with pytest.raises(MoveError, match="m1 is moving flows of nf1 to nf2: wait for it"):
            await engine.begin(options(destination="nf3"))
        with pytest.raises(MoveError, match="m1 is moving flows of nf1 to nf2"):
            await engine.begin(options(source="nf2", destination="nf3"))
        second = await engine.begin(options(destination="nf3", share=1))
        assert first.options.buckets.isdisjoint(second.options.buckets)
        assert first.options.buckets | second.options.buckets == ALL_BUCKETS
        with pytest.raises(MoveError, match="nf1 has no bucket for that share"):
            await engine.begin(options(share=0.5))
        for move in (first, second):
            await move.moved.wait()


@pytest.mark.parametrize("after", [5, 20, 60, 150, 400])
@pytest.mark.parametrize("seed", range(3))
async def test_both_halves_are_taken_over(seed: int, after: int) -> None:
    journal = Journal()
    async with Model(seed, longest_delay=2, instances=3) as model:
        await model.load(FLOWS, 200)
        await model.quiet()
        load = asyncio.create_task(model.load(FLOWS, 1500))
        memory = Memory(fresh_buffer(), journal)
        engine = Engine(model.switch, model.members, ModelDetector(), memory=memory)
        task = asyncio.create_task(engine.run())
        await engine.ready.wait()
        beginning = asyncio.create_task(split(engine, "nf2", "nf3"))
        for _ in range(after):
            await asyncio.sleep(0)
        for each in (beginning, task):
            each.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await each
        model.switch.lose_controller()
        model.switch.find_controller()
        async with running(model, memory=Memory(fresh_buffer(), journal)) as successor:
            for move in successor.moves:
                await move.moved.wait()
            await load
            await model.quiet()
            assert not [r for r in model.switch.rules.values() if isinstance(r, HoldRule)]
            reports = [move.report().taken_over for move in successor.moves]
            assert missing(model) <= sum(
                each.lost_packets_at_most or 0 for each in reports if each is not None
            )
            scopes = [move.options.buckets for move in successor.moves]
            assert len(scopes) < 2 or scopes[0].isdisjoint(scopes[1])


async def with_stragglers(engine: Engine, after_s: float = 0.02) -> Move:
    choice = Choice(detector=DetectorName.SURVIVAL, distribution="web-search")
    return await engine.begin(
        options(Kind.MOVE_ELEPHANT, stragglers_after_s=after_s, elephants=choice)
    )


async def test_stragglers_are_moved_by_a_second_move() -> None:
    detector = ModelDetector(FLOWS[:6])
    async with Model(0) as model, running(model, detector) as engine:
        await model.load(FLOWS, 400)
        first = await with_stragglers(engine)
        await first.moved.wait()
        detector.flows = tuple(FLOWS[6:9])
        await until(lambda: first.stragglers is not None)
        second = first.stragglers
        assert second is not None
        await second.moved.wait()
        await model.load(FLOWS, 200)
        await model.quiet()
        model.check()
        assert first.report().stragglers == second.id
        assert second.report().stragglers is None
        assert second.report().elephants == Choice(
            detector=DetectorName.SURVIVAL, theta=0.5, distribution="web-search", edm=Edm.SWITCH
        )
        assert set(model.nf1.flows) == set(FLOWS[9:])
        model.nf1.ended.update(model.nf1.flows)
        for move in (first, second):
            await finish(move)


async def test_no_straggler_where_all_have_died_out() -> None:
    async with Model(0) as model, running(model, ModelDetector(FLOWS[:6])) as engine:
        await model.load(FLOWS, 400)
        await model.quiet()
        model.nf1.ended.update(FLOWS)
        move = await with_stragglers(engine, after_s=0.2)
        await finish(move)
        await asyncio.sleep(0.3)
        assert engine.moves == (move,)


async def test_stragglers_that_cannot_be_moved_stay_and_it_is_said() -> None:
    async with Model(0) as model, running(model, ModelDetector(FLOWS[:6])) as engine:
        await model.load(FLOWS, 400)
        await model.quiet()
        move = await with_stragglers(engine)
        await move.moved.wait()
        model.nf2.down = True
        await until(lambda: bool(move.reason))
        assert move.reason == "the stragglers stay: nf2: does not answer"
        assert move.report().state is MoveState.DRAINING


@pytest.mark.parametrize("kind", [Kind.MOVE, Kind.DRAIN])
async def test_other_moves_have_no_stragglers(kind: Kind) -> None:
    async with Model(0) as model, running(model) as engine:
        with pytest.raises(MoveError, match="stragglers are for move-elephant"):
            await engine.begin(options(kind, stragglers_after_s=1))
