"""What whoever takes over makes of moves as a whole.

Run: pytest tests/unit/migration/test_migration_takeover_moves.py
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from pathlib import Path

import pytest
from migration_model import GROUP, Model, ModelDetector
from test_migration_engine import FLOWS, LIMITS, options, running, until
from test_migration_takeover import ended, fresh_buffer

from controlplane.migration import journal as journal_module
from controlplane.migration.engine import Engine
from controlplane.migration.errors import MoveError
from controlplane.migration.journal import Journal
from controlplane.migration.memory import Memory
from controlplane.migration.options import Kind
from controlplane.migration.peers import Bucket, HoldRule
from controlplane.migration.report import MoveState
from controlplane.migration.restore import restore_rules
from controlplane.migration.state import Stage
from controlplane.switch.errors import SwitchError
from nf.southbound.client import SouthboundError
from nf.southbound.southbound_pb2 import Info

TURNED = Bucket(2, 1)


@contextlib.asynccontextmanager
async def killed(
    model: Model, journal: Journal, detector: ModelDetector | None = None
) -> AsyncGenerator[Engine]:
    """An engine whose controller dies at the end."""
    memory = Memory(fresh_buffer(), journal)
    engine = Engine(
        model.switch, model.members, detector or ModelDetector(), memory=memory, limits=LIMITS
    )
    task = asyncio.create_task(engine.run())
    await engine.ready.wait()
    yield engine
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    model.switch.lose_controller()
    model.switch.find_controller()


async def die_in_the_second_of_two_moves(model: Model, journal: Journal) -> None:
    """The first drains; of the second, between the same instances, nothing is in place yet."""
    detector = ModelDetector(FLOWS[:10])
    await model.load(FLOWS, 300)
    await model.quiet()
    async with killed(model, journal, detector) as engine:
        first = await engine.begin(options(Kind.MOVE_ELEPHANT))
        await first.moved.wait()
        assert first.state is MoveState.DRAINING
        detector.flows = tuple(FLOWS[10:])
        model.nf2.pace_s = 5.0
        second = await engine.begin(options(Kind.MOVE_ELEPHANT))
        await until(lambda: second.report().flows.selected > 0)
        await asyncio.sleep(0.1)
    model.nf2.pace_s = 0.0


async def test_a_move_that_comes_to_nothing_does_not_undo_the_one_before_it() -> None:
    journal = Journal()
    async with Model(1) as model:
        await die_in_the_second_of_two_moves(model, journal)
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            move = await ended(engine)
            assert move is not None
            assert move.report().flows.rolled_back == len(FLOWS) - 10
            assert set(model.switch.buckets.values()) == {TURNED}
            assert (len(model.nf1.closed), len(model.nf2.closed)) == (64, 0)


async def move_all_and_die(model: Model, journal: Journal) -> None:
    """All flows are moved by a controller that ends before the move does."""
    await model.load(FLOWS, 300)
    await model.quiet()
    async with killed(model, journal) as engine:
        move = await engine.begin(options())
        await until(lambda: move.report().flows.moved == len(FLOWS))
        assert move.state is MoveState.MOVING


async def test_flows_that_were_forgotten_because_they_are_moved_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal_module, "_ENDED_AT_ONCE", 4)
    journal = Journal()
    async with Model(1) as model:
        await move_all_and_die(model, journal)
        assert [begun.moved for begun in journal.open_moves()] == [len(FLOWS)]
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            taken = await ended(engine)
            assert taken is not None
            report = taken.report()
            assert report.taken_over is not None
            assert report.taken_over.moved_before == len(FLOWS)
            assert report.reason == "an earlier controller ended while it was under way"
            await until(lambda: taken.state is MoveState.DONE)
            assert set(model.switch.buckets.values()) == {Bucket(2)}


@pytest.mark.parametrize("source_is_down", [False, True])
async def test_a_destination_that_has_all_but_does_not_answer_is_the_reason(
    source_is_down: bool,
) -> None:
    journal = Journal()
    async with Model(1) as model:
        await move_all_and_die(model, journal)
        model.nf2.down = True
        model.nf1.down = source_is_down
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            taken = await ended(engine)
            assert taken is not None
            assert taken.state is MoveState.FAILED
            back = "" if source_is_down else ", so its buckets are given back"
            assert taken.reason.endswith(f"; nf2 does not answer{back}")


async def test_who_was_taken_over_from_opens_and_closes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    async with Model(1) as model:
        await model.load(FLOWS, 200)
        await model.quiet()
        asked, goes_on = asyncio.Event(), asyncio.Event()
        engine = Engine(
            model.switch,
            model.members,
            ModelDetector(),
            memory=Memory(fresh_buffer(), Journal(path)),
            limits=LIMITS,
        )
        task = asyncio.create_task(engine.run())
        await engine.ready.wait()
        model.nf2.refuse_put = set(FLOWS)
        await engine.begin(options())
        info = model.nf1.get_info

        async def hangs() -> Info:
            asked.set()
            await goes_on.wait()
            return await info()

        model.nf1.get_info = hangs
        model.nf2.get_info = hangs
        await asked.wait()
        before = set(model.nf1.closed), set(model.nf2.closed)
        Journal(path).claim()
        goes_on.set()
        with pytest.raises(ExceptionGroup):
            await task
        assert (model.nf1.closed, model.nf2.closed) == before


@pytest.mark.parametrize("fails_at", [2, 3])
async def test_flows_are_finished_though_the_buckets_cannot_be_read(fails_at: int) -> None:
    journal = Journal()
    number = journal.begin(options())
    back, forth = FLOWS[:2]
    journal.add(number, [(5, back), (6, forth)])
    journal.turn_for(number, range(64))
    journal.reach(5, Stage.PUT)
    journal.reach(6, Stage.COMMITTED)
    journal.flush()
    async with Model(1) as model:
        for flow in (back, forth):
            model.send(flow)
        await model.quiet()
        for flow in (back, forth):
            model.nf2.flows[flow] = list(model.nf1.flows[flow])
        model.switch.buckets = dict.fromkeys(model.switch.buckets, TURNED)
        model.switch.rules = {back: HoldRule(5), forth: HoldRule(6)}
        read, calls = model.switch.read_buckets, 0

        async def sometimes(group: int) -> Mapping[int, Bucket]:
            nonlocal calls
            calls += 1
            await asyncio.sleep(0.02)
            if calls == fails_at:
                raise MoveError("the buckets cannot be read")
            return await read(group)

        model.switch.read_buckets = sometimes
        for _ in range(2):  # when an engine ends of it, the next one goes on
            try:
                async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
                    await ended(engine)
                    await until(lambda: journal.open_moves() == [])
                break
            except ExceptionGroup as group:  # the daemon starts another one
                assert group.subgroup((SwitchError, MoveError)) is not None
        assert (model.holder(back), model.holder(forth)) == (model.nf1, model.nf2)
        assert journal.copies_at(2) == [back]  # a late put of the earlier controller may come


async def test_a_switch_that_is_new_sends_nothing_to_a_copy() -> None:
    journal = Journal()
    async with Model(1) as model:
        flow = FLOWS[0]
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            model.send(flow)
            await model.quiet()
            model.nf1.refuse_delete = True
            move = await engine.begin(options())
            await move.moved.wait()
            assert journal.copies_at(1) == [flow]
        model.nf1.refuse_delete = False
        model.switch.start_anew(journal.buckets(GROUP))
        await restore_rules(model.switch, model.members.values(), journal, {})
        memory = Memory(fresh_buffer(), journal)
        async with running(model, memory=memory, switch_is_new=True) as engine:
            for _ in range(3):
                model.send(flow)
            await model.quiet()
            move = await engine.begin(options(Kind.DRAIN))
            await move.moved.wait()
            assert model.nf2.flows[flow] == list(range(model.sent[flow]))
            assert flow not in model.nf1.flows


async def test_the_buckets_of_the_move_before_are_watched_where_a_second_one_is_undone() -> None:
    journal = Journal()
    async with Model(1, instances=3) as model:
        await die_in_the_second_of_two_moves(model, journal)
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            undone = await ended(engine)
            assert undone is not None
            assert undone.report().flows.moved == 0
            model.nf1.flows.clear()  # the mice have died out
            await until(lambda: set(model.switch.buckets.values()) == {Bucket(2)})
            await (await engine.begin(options(source="nf2", destination="nf3"))).moved.wait()


async def test_flows_that_ended_since_they_were_written_last_count_once() -> None:
    journal = Journal()
    number = journal.begin(options())
    journal.add(number, [(5, FLOWS[0]), (6, FLOWS[1])])
    journal.end_flow(number, 5)
    journal.claim()  # the stream broke; the same process goes on, and moves both again
    journal.end_flow(number, 5)
    for _ in range(journal_module._ENDED_AT_ONCE):  # pyright: ignore[reportPrivateUsage]
        journal.end_flow(number + 1, 7)
    [move] = journal.open_moves()
    assert (move.moved, len(move.flows)) == (1, 1)


async def test_a_source_that_does_not_answer_undoes_nothing_that_was_moved() -> None:
    journal = Journal()
    async with Model(1) as model:
        await model.load(FLOWS, 300)
        await model.quiet()
        async with killed(model, journal) as engine:
            move = await engine.begin(options())
            await until(lambda: move.report().flows.moved >= 14)
        say, is_first = model.nf1.set_no_new_state, True

        async def once(no_new_state: bool, buckets: Iterable[int], *, marker: int = 0) -> None:
            nonlocal is_first
            if is_first:
                is_first = False
                raise SouthboundError("nf1", "did not answer in time", down=True)
            await say(no_new_state, buckets, marker=marker)

        model.nf1.set_no_new_state = once
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            taken = await ended(engine)
            assert taken is not None
            assert taken.report().flows.moved >= 14
            assert set(model.switch.buckets.values()) <= {TURNED, Bucket(2)}
            model.nf1.flows.clear()
            await until(lambda: taken.state is MoveState.DONE)


async def test_whoever_cancels_a_move_that_was_taken_over_is_told_so() -> None:
    journal = Journal()
    async with Model(1) as model:
        await model.load(FLOWS, 300)
        await model.quiet()
        async with killed(model, journal) as engine:
            model.nf2.pace_s = 0.05
            move = await engine.begin(options())
            await until(lambda: move.report().flows.moved > 2)
        model.nf2.pace_s = 0.0
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            [taken] = engine.moves
            taken.cancel("operator")
            await taken.moved.wait()
            assert (taken.state, taken.reason) == (MoveState.CANCELLED, "operator")


async def test_buckets_that_cannot_be_read_are_read_by_the_next_engine() -> None:
    async with Model(1) as model:

        async def unreadable(group: int) -> Mapping[int, Bucket]:
            raise MoveError("the buckets cannot be read")

        model.switch.read_buckets = unreadable
        memory = Memory(fresh_buffer())
        engine = Engine(model.switch, model.members, ModelDetector(), memory=memory, limits=LIMITS)
        with pytest.raises(ExceptionGroup) as raised:  # of a SwitchError, so it is waited for
            await engine.run()
        assert raised.group_contains(SwitchError)
