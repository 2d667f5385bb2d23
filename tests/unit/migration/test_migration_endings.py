"""What is still to come when a move is over, or its controller: each once was forgotten.

Run: pytest tests/unit/migration/test_migration_endings.py
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from instance_model import flow_of, frame_of
from migration_model import Model
from test_migration_engine import FLOWS, options, running, until
from test_migration_left_behind import owners
from test_migration_takeover import fresh_buffer

from controlplane.migration import mover as mover_module
from controlplane.migration.buffer import PacketBuffer
from controlplane.migration.errors import MoveError
from controlplane.migration.journal import Journal, JournalError
from controlplane.migration.memory import Memory
from controlplane.migration.move import Move
from controlplane.migration.options import Guarantee, KeepAt, Kind
from controlplane.migration.outbox import Outbox
from controlplane.migration.peers import Bucket, HoldRule, InstanceRule
from controlplane.migration.phases import Phase
from controlplane.migration.report import MoveState
from controlplane.migration.restore import restore_rules
from controlplane.p4_constants import PACKET_OUT_MARKER, PACKET_OUT_RELEASE
from controlplane.switch.errors import SwitchError
from controlplane.switch.packets import PacketOut
from nf.southbound import southbound_pb2 as pb
from nf.southbound.client import SouthboundError
from nf.southbound.flow import FiveTuple

NEWCOMERS = [flow_of(number) for number in range(300, 320)]


async def test_a_watch_that_waits_closes_nothing_that_the_next_move_has_opened() -> None:
    async with Model(0, longest_delay=0) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        model.nf2.refuse_put = set(FLOWS)
        failed = await engine.begin(options())
        model.nf2.reading.clear()  # from now on markers to it are not read
        await failed.moved.wait()
        assert failed.state is MoveState.FAILED
        await asyncio.sleep(0.05)  # it is watched now
        model.nf2.refuse_put.clear()
        again = await engine.begin(options())
        await again.moved.wait()
        model.nf2.reading.set()
        await model.load(NEWCOMERS, 100)
        await model.quiet()
        model.check()
        assert not model.nf2.closed
        assert all(model.holder(flow) is model.nf2 for flow in NEWCOMERS)


@pytest.mark.parametrize(
    ("guarantee", "keep_at"),
    [
        (Guarantee.ORDER_PRESERVING, KeepAt.CONTROLLER),
        (Guarantee.LOSS_FREE, KeepAt.DESTINATION),
    ],
)
async def test_a_stranded_flow_is_not_set_aside_for_ever(
    guarantee: Guarantee, keep_at: KeepAt
) -> None:
    async with Model(0, longest_delay=3) as model, running(model) as engine:
        flows = FLOWS[:3]
        await model.load(flows, 30)
        await model.quiet()
        move = await engine.begin(options(guarantee=guarantee, keep_at=keep_at))
        await until(lambda: len(model.switch.rules) == len(flows))
        if keep_at is KeepAt.DESTINATION:
            model.nf2.refuse_put = set(flows)
            model.switch.refuse = set(flows)
        else:
            model.switch.unanswered = set(flows)
        await move.moved.wait()
        assert move.report().flows.stranded == len(flows)
        assert not model.nf2.waiting


async def test_buckets_that_were_given_back_without_an_answer_are_watched() -> None:
    async with Model(0) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        model.nf2.refuse_put = set(FLOWS)
        write = model.switch.write_buckets

        async def silent(group: int, buckets: Mapping[int, Bucket]) -> None:
            await write(group, buckets)
            if Bucket(1, 2) in buckets.values():
                raise MoveError("the switch has not answered")

        model.switch.write_buckets = silent
        failed = await engine.begin(options())
        await failed.moved.wait()
        assert failed.state is MoveState.FAILED
        assert "given back" not in failed.reason
        await until(lambda: set(model.switch.buckets.values()) == {Bucket(1)})
        await until(lambda: not model.nf2.closed)


async def test_buckets_of_which_some_were_given_back_are_all_watched() -> None:
    async with Model(0) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        model.nf2.refuse_put = set(FLOWS)
        write = model.switch.write_buckets

        async def refuses_some(group: int, buckets: Mapping[int, Bucket]) -> None:
            if set(buckets.values()) != {Bucket(1, 2)}:
                return await write(group, buckets)
            await write(group, dict(list(buckets.items())[:20]))
            raise MoveError("the switch has refused some")

        model.switch.write_buckets = refuses_some
        failed = await engine.begin(options())
        await failed.moved.wait()
        assert "the buckets are not given back: the switch has refused some" in failed.reason
        await until(lambda: owners(model) == {Bucket(1): 20, Bucket(2, 1): 44})
        await until(lambda: not model.nf2.closed and len(model.nf1.closed) == 44)
        model.nf1.ended.update(model.nf1.flows)
        await failed.ended.wait()
        assert owners(model) == {Bucket(1): 20, Bucket(2): 44}
        await until(lambda: not model.nf1.closed)


async def test_buckets_that_may_or_may_not_be_back_are_told_of_as_they_are() -> None:
    async with Model(0) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        model.nf2.refuse_put = set(FLOWS)
        write, read, silent = model.switch.write_buckets, model.switch.read_buckets, False

        async def falls_silent(group: int, buckets: Mapping[int, Bucket]) -> None:
            nonlocal silent
            await write(group, buckets)
            if Bucket(1, 2) in buckets.values():
                silent = True
                raise MoveError("the switch has not answered")

        async def read_unless_silent(group: int) -> Mapping[int, Bucket]:
            if silent:
                raise MoveError("the switch has not answered")
            return await read(group)

        model.switch.write_buckets, model.switch.read_buckets = falls_silent, read_unless_silent
        failed = await engine.begin(options())
        await failed.moved.wait()
        assert "not given back" in failed.reason
        silent = False
        await failed.ended.wait()
        drain = failed.report().drain
        assert drain is not None
        assert (drain.instance, drain.superseded) == ("nf2", False)


async def test_a_move_that_has_failed_cannot_be_cancelled() -> None:
    async with Model(0) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        await model.quiet()
        move = await engine.begin(options(early_release=False))
        await until(lambda: bool(model.switch.rules))
        answers = asyncio.Event()

        async def silent() -> pb.Info:
            await answers.wait()
            raise SouthboundError("nf1", "did not answer in time", down=True)

        model.nf1.get_info = silent
        model.nf1.down = True
        await until(lambda: move.state is MoveState.UNDOING)
        with pytest.raises(MoveError, match="it is undoing"):
            move.cancel("too late")
        answers.set()
        await move.moved.wait()
        assert move.state is MoveState.FAILED


async def test_a_copy_is_remembered_by_whoever_comes_next() -> None:
    journal = Journal()
    async with Model(0) as model:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        async with running(model, memory=Memory(PacketBuffer(1000, 1 << 20), journal)) as engine:
            model.nf1.refuse_delete = True
            move = await engine.begin(options())
            await move.moved.wait()
            assert set(model.nf1.flows) == set(model.nf2.flows) == set(FLOWS)
            model.nf1.refuse_delete = False
        await model.load(FLOWS, 100)
        await model.quiet()
        async with running(model, memory=Memory(PacketBuffer(1000, 1 << 20), journal)) as engine:
            back = await engine.begin(options(source="nf2", destination="nf1"))
            await back.moved.wait()
            await model.quiet()
            model.check()
            assert set(model.nf1.flows) == set(FLOWS)
            assert journal.copies_at(1) == []


async def test_a_flow_that_the_last_write_of_an_earlier_controller_holds_is_let_go() -> None:
    """The switch has applied it late: this one had read the rules by then."""
    async with Model(0) as model, running(model):
        await model.load(FLOWS, 200)
        await model.quiet()
        model.switch.rules.update(dict.fromkeys(FLOWS[:3], HoldRule(1 << 20)))
        model.switch.hand_up(1 << 20, frame_of(FLOWS[0], 0))
        homes = {flow: InstanceRule(1) for flow in FLOWS[:3]}
        await until(lambda: model.switch.rules == homes)
        await model.load(FLOWS, 100)
        await model.quiet()
        model.check()


def test_a_copy_is_forgotten_when_it_cannot_live_any_more() -> None:
    now_s = 1000.0
    journal = Journal(wall_clock=lambda: now_s)
    journal.leave_copies(1, FLOWS[:2])
    journal.leave_copies(2, FLOWS[:1])
    journal.forget_copies(1, FLOWS[1:])
    assert (journal.copies_at(1), journal.copies_at(2)) == (FLOWS[:1], FLOWS[:1])
    now_s += 61
    assert journal.copies_at(1) == []


def test_who_was_taken_over_from_sends_nothing_that_needs_no_entry(tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal.sqlite")
    first.claim()
    first.flush()
    Journal(tmp_path / "journal.sqlite").claim()
    with pytest.raises(JournalError, match="another controller has taken over"):
        first.flush()


async def test_a_restore_that_was_interrupted_is_taken_up_again() -> None:
    async with Model(3) as model:
        await model.load(FLOWS, 200)
        await model.quiet()
        members = model.members.values()
        model.switch.rules[FLOWS[0]] = InstanceRule(2)
        model.switch.rules[FLOWS[1]] = InstanceRule(1)
        assert await restore_rules(model.switch, members, Journal(), {}) == len(FLOWS)
        assert model.switch.rules == dict.fromkeys(FLOWS, InstanceRule(1))
        model.switch.unanswered = {FLOWS[2]}
        with pytest.raises(SwitchError, match="no answer") as silence:
            await restore_rules(model.switch, members, Journal(), {})
        assert silence.value.is_unanswered


async def test_packets_that_do_not_get_out_are_counted() -> None:
    async with Model(0) as model:
        outbox = Outbox(model.switch, 1 << 20)
        for kind in (PACKET_OUT_RELEASE, PACKET_OUT_MARKER, PACKET_OUT_RELEASE):
            outbox.add(PacketOut(kind, bytes(60), 1))
        outbox.when_sent(lambda: None)
        outbox.give_up()
        assert outbox.lost == 2


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("keep_at", [KeepAt.CONTROLLER, KeepAt.DESTINATION])
async def test_states_that_were_in_place_are_not_lost_with_a_destination_that_dies(
    keep_at: KeepAt, restarts: bool
) -> None:
    async with Model(1) as model, running(model) as engine:
        await model.load(FLOWS, 300)
        await model.quiet()
        there = {*model.nf1.flows}
        model.nf2.pace_s = 0.02
        kind = Kind.SPLIT_MERGE if keep_at is KeepAt.CONTROLLER else Kind.MOVE
        move = await engine.begin(options(kind, keep_at=keep_at, early_release=False))
        await until(lambda: len(model.nf2.flows) >= 10)
        model.nf2.down = True
        model.nf2.flows.clear()
        model.nf2.waiting.clear()
        if restarts:
            await until(lambda: count_of(move, Phase.IMPORTING) == 0)
            model.nf2.down = False  # with nothing in it
        await move.moved.wait()
        assert move.report().flows.moved == 0
        assert {*model.nf1.flows} == there


async def test_a_destination_is_told_to_wait_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mover_module, "_RENEWAL_S", 0.02)
    async with Model(1) as model, running(model) as engine:
        await model.load(FLOWS, 100)
        await model.quiet()
        model.nf2.pace_s = 0.05
        move = await engine.begin(options(guarantee=Guarantee.ORDER_PRESERVING))
        await until(lambda: len(model.nf2.set_aside_again) >= 3)
        model.nf2.pace_s = 0.0
        await move.moved.wait()
        assert {*model.nf2.set_aside_again} <= {*FLOWS}
        assert not model.nf2.waiting


def count_of(move: Move, phase: Phase) -> int:
    timeline = move.report(timeline=True).timeline or ()
    return sum(each.phase == phase.value for each in timeline)


async def test_a_cancel_does_not_hide_why_flows_were_not_moved() -> None:
    async with Model(1) as model, running(model) as engine:
        await model.load(FLOWS, 300)
        await model.quiet()
        model.nf2.refuse_put = set(FLOWS[:3])
        asked, info, calls = asyncio.Event(), model.nf2.get_info, 0

        async def late() -> pb.Info:
            nonlocal calls
            calls += 1
            if calls == 1:
                return await info()
            asked.set()
            await asyncio.sleep(0.1)
            raise SouthboundError("nf2", "did not answer in time", down=True)

        model.nf2.get_info = late
        move = await engine.begin(options())
        await asked.wait()
        move.cancel("cancelled by the operator")
        move.cancel("cancelled once more")
        await move.moved.wait()
        assert move.reason.startswith("3 of 24 flows were not moved: nf2: refused")
        given_back = "nf2 does not answer, so its buckets are given back"
        assert move.reason.endswith(f"; cancelled by the operator; {given_back}")


async def test_a_move_whose_copies_cannot_be_struck_off_is_refused() -> None:
    journal = Journal()
    memory = Memory(fresh_buffer(), journal)
    async with Model(0) as model, running(model, memory=memory) as engine:
        journal.leave_copies(2, FLOWS[:1])

        def fails(instance: int, flows: Iterable[FiveTuple]) -> None:
            raise JournalError("the disk is full")

        journal.forget_copies = fails
        with pytest.raises(MoveError, match="cannot be written down: the disk is full"):
            await engine.begin(options())
        assert not engine.moves
