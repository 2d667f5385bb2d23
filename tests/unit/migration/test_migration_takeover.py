"""A controller dies at any step of a move, and another one takes over with its journal.

Run: pytest tests/unit/migration/test_migration_takeover.py
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from instance_model import flow_of
from migration_model import GROUP, Model, ModelDetector
from test_migration_engine import DEADLINE_S, FLOWS, LIMITS, WAITING, options, running, until

from controlplane.migration.buffer import PacketBuffer
from controlplane.migration.engine import Engine
from controlplane.migration.errors import MoveError
from controlplane.migration.journal import Journal, JournalError
from controlplane.migration.memory import Memory
from controlplane.migration.move import Move
from controlplane.migration.options import Guarantee, KeepAt, Kind, MoveOptions
from controlplane.migration.peers import Bucket, HoldRule, InstanceRule
from controlplane.migration.report import UNDER_WAY, MoveState
from controlplane.migration.restore import homes_under_way, restore_rules
from controlplane.migration.state import Stage

ELEPHANTS = FLOWS[:10]
LOSS_FREE = (Guarantee.LOSS_FREE, Guarantee.ORDER_PRESERVING)


def fresh_buffer() -> PacketBuffer:
    return PacketBuffer(10_000, 1 << 20)


async def begun_and_killed(
    model: Model, memory: Memory, after: int, asked: MoveOptions
) -> MoveState | None:
    """A move by a controller that is gone after so many turns of the loop; how far it was."""
    detector = ModelDetector(ELEPHANTS)
    engine = Engine(model.switch, model.members, detector, memory=memory, limits=LIMITS)
    task = asyncio.create_task(engine.run())
    async with asyncio.timeout(DEADLINE_S):
        await engine.ready.wait()
        beginning = asyncio.create_task(engine.begin(asked))
        for _ in range(after):
            await asyncio.sleep(0)
    moves = engine.moves
    for each in (beginning, task):
        each.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await each
    model.switch.lose_controller()
    return moves[0].state if moves else None


async def ended(engine: Engine) -> Move | None:
    """The move that was taken over, when it has ended; none if there was none to take over."""
    if not engine.moves:
        return None
    [move] = engine.moves
    async with asyncio.timeout(DEADLINE_S):
        await move.moved.wait()
    return move


def missing(model: Model) -> int:
    """Packets that nobody has processed; none was processed twice, no state is in two places."""
    count = 0
    for flow, sent in model.sent.items():
        holder = model.holder(flow)
        processed = holder.flows[flow] if holder else []
        assert len(set(processed)) == len(processed), f"{flow}: {processed}"
        assert set(processed) <= set(range(sent))
        count += sent - len(processed)
    return count


WAYS = [
    *(
        (kind, keep_at, guarantee)
        for kind in (Kind.MOVE, Kind.MOVE_ELEPHANT, Kind.ALL_LIVE)
        for keep_at, guarantee in (*WAITING, (KeepAt.CONTROLLER, Guarantee.NONE))
    ),
    *((Kind.DIST, KeepAt.DESTINATION, guarantee) for guarantee in LOSS_FREE),
    *((Kind.SPLIT_MERGE, KeepAt.CONTROLLER, guarantee) for guarantee in LOSS_FREE),
    *((Kind.DRAIN, *way) for way in WAITING),
]
"""Every strategy, with all that can be asked of it; `early_release` comes with the seed."""


def test_no_strategy_is_left_out() -> None:
    assert {kind for kind, _, _ in WAYS} == set(Kind)


@pytest.mark.parametrize(("kind", "keep_at", "guarantee"), WAYS)
@pytest.mark.parametrize(
    ("seed", "after"),
    [*((0, after) for after in (0, 8, 40, 150, 600)), *((1, after) for after in (2, 20, 80, 300))],
)
async def test_every_flow_is_finished_or_undone(
    seed: int, after: int, keep_at: KeepAt, guarantee: Guarantee, kind: Kind
) -> None:
    journal = Journal()
    async with Model(seed, longest_delay=1 + seed) as model:
        await model.load(FLOWS, 200)
        await model.quiet()
        known = list(model.nf1.flows)
        load = asyncio.create_task(model.load(FLOWS, 1500))
        early_release = kind is not Kind.SPLIT_MERGE and (seed != 1 or kind is Kind.DIST)
        asked = options(kind, keep_at=keep_at, guarantee=guarantee, early_release=early_release)
        await begun_and_killed(model, Memory(fresh_buffer(), journal), after, asked)
        for _ in range(20 * seed):
            await asyncio.sleep(0)
        model.switch.find_controller()
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            move = await ended(engine)
            await load
            newcomers = [flow_of(number) for number in range(200, 210)]
            await model.load(newcomers, 30)
            await model.quiet()
            lost = missing(model)
            rules = model.switch.rules.values()
            assert not [rule for rule in rules if isinstance(rule, HoldRule)]
            assert not model.nf2.waiting
            owners = set(model.switch.buckets.values())
            if move is None:
                assert lost == 0 or guarantee is Guarantee.NONE
                return
            report = move.report().taken_over
            assert report is not None
            assert report.lost_packets_at_most is not None
            if guarantee is not Guarantee.NONE:
                assert 0 <= lost <= report.lost_packets_at_most
            if keep_at is KeepAt.DESTINATION:
                assert lost == 0
            assert move.state not in UNDER_WAY
            if move.state is MoveState.FAILED:
                assert owners <= {Bucket(1), Bucket(1, 2)}
                assert all(model.holder(flow) is model.nf1 for flow in known)
            else:
                assert owners <= {Bucket(2, 1), Bucket(2)}
                assert all(model.holder(flow) in (model.nf2, None) for flow in newcomers)
            assert journal.open_moves() == []


@pytest.mark.parametrize("after", [20, 80, 150, 300, 600])
@pytest.mark.parametrize("seed", range(3))
async def test_a_controller_that_dies_again_and_again(seed: int, after: int) -> None:
    journal = Journal()
    async with Model(seed) as model:
        await model.load(FLOWS, 200)
        load = asyncio.create_task(model.load(FLOWS, 1000))
        await begun_and_killed(model, Memory(fresh_buffer(), journal), after, options())
        for again in range(4):
            model.switch.find_controller()
            members, detector = model.members, ModelDetector()
            memory = Memory(fresh_buffer(), journal)
            engine = Engine(model.switch, members, detector, memory=memory, limits=LIMITS)
            task = asyncio.create_task(engine.run())
            for _ in range(10 + 30 * again):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            model.switch.lose_controller()
        model.switch.find_controller()
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            await ended(engine)
            await load
            await model.quiet()
            missing(model)
            assert not [r for r in model.switch.rules.values() if isinstance(r, HoldRule)]
            assert journal.open_moves() == []


@pytest.mark.parametrize("after", [40, 150, 300, 600])
@pytest.mark.parametrize("seed", range(3))
async def test_packets_outlive_a_session_with_the_switch(seed: int, after: int) -> None:
    """The process lives on, so what it holds is released and not lost."""
    async with Model(seed) as model:
        await model.load(FLOWS, 200)
        memory = Memory(fresh_buffer())
        before = asyncio.create_task(model.load(FLOWS, 400))
        await begun_and_killed(model, memory, after, options())
        kept = memory.buffer.packets
        await before
        model.switch.find_controller()
        async with running(model, memory=memory) as engine:
            move = await ended(engine)
            await model.quiet()
            assert memory.buffer.packets == 0
            if move is not None:
                report = move.report().taken_over
                assert report is not None
                assert report.lost_packets_at_most is not None
                assert missing(model) <= report.lost_packets_at_most
                assert kept == 0 or missing(model) < model.switch.held


async def test_instances_that_are_no_longer_known(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal()
    number = journal.begin(options(source="nf8", destination="nf9"))
    journal.add(number, [(5, FLOWS[0])])
    async with Model(1) as model:
        model.switch.rules[FLOWS[0]] = HoldRule(5)
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            assert engine.moves == ()
            assert f"m{number} was under way and is given up: unknown instance 'nf8'" in caplog.text
            assert journal.open_moves() == []
            await until(lambda: engine.status().expired_rules == 1)
            assert model.switch.rules == {}


async def test_a_switch_that_forgot_is_told_where_the_flows_are() -> None:
    async with Model(3) as model:
        await model.load(FLOWS, 200)
        await model.quiet()
        moved = FLOWS[0]
        model.nf2.flows[moved] = list(model.nf1.flows[moved])  # a copy that is left
        model.nf2.flows[flow_of(99)] = [0]
        assert (
            await restore_rules(model.switch, model.members.values(), Journal(), {})
            == len(model.nf1.flows) + 1
        )
        assert model.switch.rules[flow_of(99)] == InstanceRule(2)
        assert all(
            model.switch.rules[flow] == InstanceRule(1) for flow in model.nf1.flows if flow != moved
        )


async def test_a_flow_that_cannot_be_steered_is_an_error() -> None:
    async with Model(3) as model:
        await model.load(FLOWS, 200)
        await model.quiet()
        model.switch.refuse.update(FLOWS[:2])
        with pytest.raises(MoveError, match="2 of 24 flows cannot be steered: table full"):
            await restore_rules(model.switch, model.members.values(), Journal(), {})


@pytest.mark.parametrize("after", [0, 5, 10, 20, 40, 80, 200])
async def test_a_drain_goes_on_where_the_buckets_are_turned(after: int) -> None:
    journal = Journal()
    async with Model(2) as model:
        await model.load(FLOWS, 200)
        asked = options(Kind.DRAIN)
        await begun_and_killed(model, Memory(fresh_buffer(), journal), after, asked)
        turned = {*model.switch.buckets.values()} == {Bucket(2, 1)}
        open_moves = len(journal.open_moves())
        model.switch.find_controller()
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            move = await ended(engine)
            assert (move is not None) == (open_moves > 0)
            await model.load(FLOWS, 200)
            await model.quiet()
            assert missing(model) == 0
            if move is not None:
                assert (move.state is MoveState.FAILED) == (not turned)
            owners = {*model.switch.buckets.values()}
            assert owners == ({Bucket(2, 1)} if turned else {Bucket(1)})


async def test_a_flow_that_is_rolled_back_is_not_forgotten_before_its_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for it may be done yet, and has to be undone then."""
    monkeypatch.setattr("controlplane.migration.journal._ENDED_AT_ONCE", 1)
    path = tmp_path / "journal"
    ours, read = Journal(path), Journal(path)
    refused = FLOWS[2]
    looks = 0
    memory = Memory(fresh_buffer(), ours)
    async with Model(1) as model, running(model, memory=memory) as engine:
        await model.load(FLOWS, 200)
        await model.quiet()
        model.nf2.refuse_put = {refused}
        move = await engine.begin(options())
        while not move.moved.is_set():
            counts = move.report().flows
            if counts.rolled_back and counts.under_way:
                [open_move] = read.open_moves()
                looks += 1
                assert refused in {flow.flow for flow in open_move.flows}
            await asyncio.sleep(0)
        await model.quiet()
        assert looks
        assert read.open_moves() == []
    read.close()


@pytest.mark.parametrize(("kind", "keep_at", "guarantee"), WAYS)
@pytest.mark.parametrize("after", [8, 40, 150, 300, 600])
async def test_a_switch_that_is_started_anew_in_a_move(
    after: int, kind: Kind, keep_at: KeepAt, guarantee: Guarantee
) -> None:
    """The same controller is connected again, and tells it of every flow."""
    async with Model(after) as model:
        await model.load(FLOWS, 200)
        memory = Memory(fresh_buffer())
        load = asyncio.create_task(model.load(FLOWS, 400))
        asked = options(
            kind,
            keep_at=keep_at,
            guarantee=guarantee,
            early_release=kind is not Kind.SPLIT_MERGE,
        )
        await begun_and_killed(model, memory, after, asked)
        await load
        await model.quiet()
        held = model.switch.held
        model.switch.start_anew(memory.journal.buckets(GROUP))
        under_way = homes_under_way(memory.journal.open_moves(), model.members)
        await restore_rules(model.switch, model.members.values(), memory.journal, under_way)
        model.switch.find_controller()
        load = asyncio.create_task(model.load(FLOWS, 400))
        async with running(model, memory=memory, switch_is_new=True) as engine:
            move = await ended(engine)
            await load
            await model.quiet()
            lost = missing(model)
            if guarantee is not Guarantee.NONE:
                assert lost <= held
            assert not [r for r in model.switch.rules.values() if isinstance(r, HoldRule)]
            assert memory.buffer.packets == 0
            assert memory.journal.open_moves() == []
            if move is not None:
                report = move.report().taken_over
                assert report is not None
                assert report.lost_packets_at_most is None
                assert move.state not in UNDER_WAY


async def test_a_flow_under_way_is_not_sent_to_a_copy_of_its_state() -> None:
    journal = Journal()
    number = journal.begin(options(source="nf2", destination="nf1"))
    journal.add(number, [(5, FLOWS[0]), (6, FLOWS[1])])
    journal.reach(5, Stage.PUT)
    journal.reach(6, Stage.COMMITTED)
    journal.flush()
    async with Model(1) as model:
        for flow in FLOWS[:2]:
            model.nf1.flows[flow] = [0]
            model.nf2.flows[flow] = [0]
        under_way = homes_under_way(journal.open_moves(), model.members)
        await restore_rules(model.switch, model.members.values(), journal, under_way)
        assert model.switch.rules == {FLOWS[0]: InstanceRule(2), FLOWS[1]: InstanceRule(1)}


async def test_a_flow_that_was_stranded_goes_where_its_state_is() -> None:
    """It was held for so long that the switch has forgotten where it was seen."""
    async with Model(1) as model:
        model.send(FLOWS[0])
        await model.quiet()
        model.switch.rules[FLOWS[0]] = HoldRule(99)
        model.switch.seen.clear()
        model.switch.buckets = {number: Bucket(2, 1) for number in model.switch.buckets}
        async with running(model):
            await until(lambda: model.switch.rules == {FLOWS[0]: InstanceRule(1)})
            model.send(FLOWS[0])
            await model.quiet()
            model.check()


async def test_who_was_taken_over_from_commits_nothing_any_more(tmp_path: Path) -> None:
    """It hung, say, and does not know yet that another one is the primary."""
    path = tmp_path / "journal.sqlite"
    async with Model(1) as model:
        await model.load(FLOWS, 200)
        first = Engine(
            model.switch,
            model.members,
            ModelDetector(),
            memory=Memory(fresh_buffer(), Journal(path)),
            limits=LIMITS,
        )
        task = asyncio.create_task(first.run())
        await first.ready.wait()
        moving = await first.begin(options(early_release=False))
        await until(lambda: bool(model.nf2.flows))
        successor = Journal(path)
        successor.claim()
        with pytest.raises(ExceptionGroup) as group:
            await task
        assert group.group_contains(JournalError, match="another controller has taken over")
        [left] = successor.open_moves()
        assert left.number == 1
        assert not any(flow.stage.is_committed for flow in left.flows)
        assert moving.state is MoveState.MOVING
        assert set(model.nf1.flows) == set(model.sent), "nothing is deleted"


async def test_a_move_that_cannot_be_written_down_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    async with (
        Model(1) as model,
        running(model, memory=Memory(fresh_buffer(), Journal(path))) as engine,
    ):
        await model.load(FLOWS, 100)
        Journal(path).claim()
        with pytest.raises(MoveError, match=r"cannot be written down: .*another controller"):
            await engine.begin(options())
        assert not engine.moves
        assert not model.switch.writes
