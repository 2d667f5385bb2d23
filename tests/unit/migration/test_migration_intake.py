"""Which instance takes new flows of which buckets, when moves and drains meet.

Run: pytest tests/unit/migration/test_migration_intake.py
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from instance_model import flow_of
from migration_model import Model, ModelDetector
from test_migration_engine import FLOWS, finish, options, running, until
from test_migration_left_behind import owners, send, split
from test_migration_takeover import ended, fresh_buffer
from test_migration_takeover_moves import killed

from controlplane.migration import intake as intake_module
from controlplane.migration.buckets import BucketKeeper
from controlplane.migration.intake import Intake
from controlplane.migration.journal import Journal, JournalError
from controlplane.migration.memory import Memory
from controlplane.migration.options import Kind
from controlplane.migration.peers import Bucket
from controlplane.migration.report import MoveState
from nf.southbound import southbound_pb2 as pb
from nf.southbound.client import SouthboundError


async def test_what_is_closed() -> None:
    """Turned away from it or needed by somebody, but never its own."""
    async with Model(0, instances=3) as model:
        nf1, one, other = model.members["nf1"], object(), object()
        model.switch.buckets.update({1: Bucket(2), 2: Bucket(3), 3: Bucket(2, 1), 4: Bucket(1, 2)})
        buckets = BucketKeeper(model.switch, Journal())
        intake = Intake(buckets)

        async def closed() -> set[int]:
            await intake.settle(nf1)
            return model.nf1.closed

        assert await closed() == {3}
        intake.need_closed(one, nf1, (1, 2, 4, 5))
        intake.need_closed(other, nf1, (2,))
        intake.need_closed(object(), model.members["nf2"], (6, 7))
        assert await closed() == {1, 2, 3}
        intake.release(one)
        intake.release(one)
        assert await closed() == {2, 3}
        await buckets.write(1, {2: Bucket(1), 3: Bucket(2)})
        assert await closed() == set()


async def test_what_is_closed_though_the_answer_is_late_counts_as_closed_now() -> None:
    """Flows may have begun until then: a drain that has asked before is to ask again."""
    async with Model(0) as model:
        nf1 = model.members["nf1"]
        keeper = BucketKeeper(model.switch, Journal())
        intake, turns = Intake(keeper), keeper.turns
        intake.need_closed(object(), nf1, (1,))
        model.switch.buckets[1] = Bucket(2)
        tell = model.nf1.set_no_new_state

        async def late(no_new_state: bool, buckets: Iterable[int], *, marker: int = 0) -> None:
            await tell(no_new_state, buckets, marker=marker)
            raise SouthboundError("nf1", "did not answer in time", down=True)

        model.nf1.set_no_new_state = late
        with pytest.raises(SouthboundError):
            await intake.settle(nf1)
        assert keeper.turns > turns


async def test_who_has_been_taken_over_closes_nothing(tmp_path: Path) -> None:
    async with Model(0) as model:
        old = Journal(tmp_path / "journal.sqlite")
        old.claim()
        buckets = BucketKeeper(model.switch, old)
        intake, nf2, ask = Intake(buckets), model.members["nf2"], model.nf2.get_info
        intake.need_closed(object(), nf2, range(64))

        async def taken_over_meanwhile() -> pb.Info:
            Journal(tmp_path / "journal.sqlite").claim()
            return await ask()

        model.nf2.get_info = taken_over_meanwhile
        with pytest.raises(JournalError):
            await intake.settle(nf2)
        assert not model.nf2.closed


async def test_who_is_wrong_is_set_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "_LOOK_S", 0.02)
    async with Model(0) as model, running(model) as engine:
        await model.load(FLOWS, 100)
        await model.quiet()
        there = await engine.begin(options(Kind.DRAIN))
        await there.moved.wait()
        model.nf1.closed.clear()  # it is started anew
        await until(lambda: len(model.nf1.closed) == 64)
        model.nf2.down = True
        model.nf2.closed.update(range(10))  # a word comes late
        await asyncio.sleep(0.05)
        assert len(model.nf2.closed) == 10
        model.nf2.down = False
        await until(lambda: not model.nf2.closed)


async def test_who_is_drained_is_opened_once_it_has_read_what_it_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "_LOOK_S", 0.02)
    async with Model(0) as model, running(model) as engine:
        nf1, write, set_mode = model.nf1, model.switch.write_buckets, model.nf1.set_no_new_state
        await model.load(FLOWS, 100)
        await model.quiet()
        move = await engine.begin(options(Kind.DRAIN))
        await move.moved.wait()

        async def hangs_before(group: int, buckets: Mapping[int, Bucket]) -> None:
            nf1.reading.clear()
            model.send(new)
            model.send(new)
            await until(lambda: not nf1.port.empty())  # it has taken the first, but not read it
            await write(group, buckets)

        refusals = 0

        async def read_first(
            no_new_state: bool, buckets: Iterable[int], *, marker: int = 0
        ) -> None:
            nonlocal refusals
            if marker and not nf1.reading.is_set():
                refusals += 1
                raise SouthboundError(nf1.name, "did not answer in time", down=True)
            await set_mode(no_new_state, buckets, marker=marker)

        model.switch.write_buckets, nf1.set_no_new_state = hangs_before, read_first
        new = flow_of(99)
        model.switch.seen.add((new, nf1.id))  # the switch takes it for one of nf1's
        nf1.ended.update(nf1.flows)
        await until(lambda: owners(model) == {Bucket(2): 64})
        await until(lambda: refusals > 2)
        assert len(nf1.closed) == 64
        nf1.reading.set()
        await finish(move)
        await until(lambda: not nf1.closed)
        await model.quiet()
        assert model.nf2.flows[new] == [0, 1]


@contextmanager
def turning_to_nf1_hangs(model: Model) -> Generator[asyncio.Event]:
    """Set when buckets are to be turned from nf2 to nf1, which does not come to an end."""
    write, reached = model.switch.write_buckets, asyncio.Event()

    async def hangs(group: int, buckets: Mapping[int, Bucket]) -> None:
        if Bucket(1, 2) in buckets.values():
            reached.set()
            await asyncio.Event().wait()
        await write(group, buckets)

    model.switch.write_buckets = hangs
    yield reached
    model.switch.write_buckets = write


@pytest.mark.parametrize("source_is_down", [False, True])
async def test_who_takes_over_opens_the_owner_that_was_closed_to_give_back(
    source_is_down: bool,
) -> None:
    journal = Journal()
    async with Model(1) as model:
        await model.load(FLOWS, 300)
        await model.quiet()
        with turning_to_nf1_hangs(model) as reached:
            async with killed(model, journal) as engine:
                model.nf2.pace_s = 0.05
                move = await engine.begin(options())
                await until(lambda: move.report().flows.moved > 2)
                move.cancel("operator")
                await reached.wait()
        assert model.nf2.closed
        model.nf2.pace_s = 0
        model.nf1.down = source_is_down
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            taken = await ended(engine)
            assert taken is not None
            assert owners(model) == {Bucket(2, 1): 64}
            await until(lambda: not model.nf2.closed)
            new = flow_of(300)
            await send(model, new, 2)
            assert model.nf2.flows[new] == [0, 1]
            model.nf1.down = False
            model.nf1.flows.clear()
            await until(lambda: taken.state is MoveState.DONE)
            assert owners(model) == {Bucket(2): 64}


@pytest.mark.parametrize("turned_first", [False, True])
async def test_an_undone_move_opens_nothing_that_another_drain_has_closed(
    turned_first: bool,
) -> None:
    async with Model(0, instances=3) as model, running(model) as engine:
        await model.load(FLOWS, 400)
        await model.quiet()
        half = await engine.begin(options(Kind.DRAIN, destination="nf3", share=0.5))
        await half.moved.wait()
        turned = {n for n, bucket in model.switch.buckets.items() if bucket == Bucket(3, 1)}
        undone = await engine.begin(options(Kind.MOVE, destination="nf2"))
        if turned_first:
            await until(lambda: bool(model.switch.rules))
        undone.cancel("operator")
        await undone.moved.wait()
        assert turned <= model.nf1.closed
        flow = next(each for each in model.nf1.flows if each.bucket in turned)
        write = model.switch.write_buckets

        async def slow(group: int, buckets: Mapping[int, Bucket]) -> None:
            if Bucket(3) in buckets.values():
                model.send(flow)  # it begins again while the drain ends
                await asyncio.sleep(0.05)
            await write(group, buckets)

        model.switch.write_buckets = slow
        for each in [each for each in model.nf1.flows if each.bucket in turned]:
            del model.nf1.flows[each]
        await finish(half)
        await send(model, flow, 3)
        assert len(model.instances[2].flows[flow]) == 4
        assert flow not in model.nf1.flows


async def test_a_source_that_is_started_anew_is_closed_again_before_the_end() -> None:
    async with Model(0) as model, running(model) as engine:
        await model.load(FLOWS, 300)
        await model.quiet()
        drain = await engine.begin(options(Kind.DRAIN))
        await drain.moved.wait()
        model.nf1.flows.clear()
        model.nf1.closed.clear()
        flow, write = FLOWS[0], model.switch.write_buckets

        async def slow(group: int, buckets: Mapping[int, Bucket]) -> None:
            model.send(flow)
            await asyncio.sleep(0.05)
            await write(group, buckets)

        model.switch.write_buckets = slow
        await finish(drain)
        await send(model, flow, 2)
        assert len(model.nf2.flows[flow]) == 3
        assert flow not in model.nf1.flows
        assert not model.nf1.closed


async def test_a_move_back_takes_no_flow_of_the_other_s_for_a_new_one() -> None:
    flow = FLOWS[0]
    async with Model(0) as model, running(model) as engine:
        await send(model, flow, 5)
        there = await engine.begin(options(Kind.DRAIN))
        await there.moved.wait()
        model.switch.seen.add((flow, 2))  # by mistake: the filter knows no flows, only hashes
        write = model.switch.write_buckets

        async def turned(group: int, buckets: Mapping[int, Bucket]) -> None:
            await write(group, buckets)
            model.send(flow)  # before the marker
            await asyncio.sleep(0.001)

        model.switch.write_buckets = turned
        back = await engine.begin(options(Kind.DRAIN, source="nf2", destination="nf1"))
        await back.moved.wait()
        await send(model, flow, 2)
        assert model.nf1.flows[flow] == list(range(model.sent[flow]))
        assert flow not in model.nf2.flows


async def test_a_move_back_that_cannot_close_the_source_leaves_it_open() -> None:
    """It says that it has not answered, though it has been told."""
    async with Model(0) as model, running(model) as engine:
        await model.load(FLOWS, 100)
        await model.quiet()
        there = await engine.begin(options(Kind.DRAIN))
        await there.moved.wait()
        tell = model.nf2.set_no_new_state

        async def late(no_new_state: bool, buckets: Iterable[int], *, marker: int = 0) -> None:
            await tell(no_new_state, buckets, marker=marker)
            if no_new_state:
                raise SouthboundError("nf2", "did not answer in time", down=True)

        model.nf2.set_no_new_state = late
        back = await engine.begin(options(Kind.DRAIN, source="nf2", destination="nf1"))
        await back.moved.wait()
        assert back.state is MoveState.FAILED
        assert owners(model) == {Bucket(2, 1): 64}
        await until(lambda: not model.nf2.closed and len(model.nf1.closed) == 64)
        new = flow_of(300)
        await send(model, new, 2)
        assert model.nf2.flows[new] == [0, 1]


@pytest.mark.parametrize("kind", [Kind.DRAIN, Kind.MOVE])
async def test_who_takes_over_opens_the_owner_that_was_to_be_moved_back_from(kind: Kind) -> None:
    journal = Journal()
    async with Model(1) as model:
        await model.load(FLOWS, 300)
        await model.quiet()
        with turning_to_nf1_hangs(model) as reached:
            async with killed(model, journal) as engine:
                await (await engine.begin(options(Kind.DRAIN))).moved.wait()
                back = await engine.begin(options(kind, source="nf2", destination="nf1"))
                await reached.wait()
                assert back.state is MoveState.PREPARING
        assert len(model.nf2.closed) == 64
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            await ended(engine)
            await until(lambda: not model.nf2.closed and len(model.nf1.closed) == 64)
            assert owners(model) == {Bucket(2, 1): 64}
            new = flow_of(300)
            await send(model, new, 2)
            assert model.nf2.flows[new] == [0, 1]


async def test_a_cancelled_move_that_has_turned_nothing_leaves_nothing_closed() -> None:
    async with Model(0) as model, running(model) as engine:
        await model.load(FLOWS, 100)
        await model.quiet()
        await finish(await engine.begin(options(Kind.MOVE)))
        again = await engine.begin(options(Kind.DRAIN))
        tell = model.nf1.set_no_new_state

        async def cancelled(no_new_state: bool, buckets: Iterable[int], *, marker: int = 0) -> None:
            await tell(no_new_state, buckets, marker=marker)
            model.nf1.set_no_new_state = tell
            again.cancel("operator")

        model.nf1.set_no_new_state = cancelled
        await again.ended.wait()
        assert again.state is MoveState.CANCELLED
        await until(lambda: not model.nf1.closed)


async def test_a_source_that_is_silent_when_its_move_is_taken_over_is_watched_all_the_same() -> (
    None
):
    journal, detector = Journal(), ModelDetector()
    async with Model(0, instances=3) as model:
        nf1, _, nf3 = model.instances
        async with killed(model, journal, detector) as engine:
            foreign = await split(model, engine)
            detector.flows = tuple(flow for flow in nf3.flows if flow not in foreign)[:3]
            nf1.pace_s = 0.05
            move = await engine.begin(options(Kind.MOVE_ELEPHANT, source="nf3", destination="nf1"))
            await until(lambda: move.report().flows.moved >= 2)
        nf1.pace_s = 0
        ask = nf3.get_info
        calls = iter(range(10))

        async def silent_at_first() -> pb.Info:
            if next(calls, 3) < 3:
                raise SouthboundError("nf3", "did not answer in time", down=True)
            return await ask()

        nf3.get_info = silent_at_first
        nf3.closed.clear()
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            taken = await ended(engine)
            assert taken is not None
            for flow in [flow for flow in nf3.flows if flow not in foreign]:
                del nf3.flows[flow]
            await until(lambda: taken.drain is not None and taken.drain.left == len(foreign))
            assert len(nf3.closed) == 64
            nf3.flows.clear()
            await until(lambda: taken.state is MoveState.DONE)
