"""Flows whose rule the switch did not replace.

Run: pytest tests/unit/migration/test_migration_stranded.py
"""

from __future__ import annotations

import asyncio

import pytest
from migration_model import Model, ModelDetector
from test_migration_engine import FLOWS, options, running, until

from controlplane.migration.engine import Engine
from controlplane.migration.move import Move
from controlplane.migration.options import Kind
from controlplane.migration.peers import (
    HoldRule,
    InstanceRule,
    RuleUpdate,
    UpdateOutcome,
    WriteResult,
)
from controlplane.migration.phases import Phase
from controlplane.migration.report import MoveState
from nf.southbound.client import FlowSummary
from nf.southbound.flow import FiveTuple


def phase_of(move: Move, flow: FiveTuple) -> Phase | None:
    """Where a flow of a move is; none where the move does not have it yet."""
    timeline = move.report(timeline=True).timeline or ()
    return next((Phase(each.phase) for each in timeline if each.flow == str(flow)), None)


async def strand(model: Model, engine: Engine, flow: FiveTuple) -> None:
    """Moves all flows to nf2; the switch refuses to steer this one there."""
    move = await engine.begin(options())
    await until(lambda: phase_of(move, flow) is Phase.EXPORTING)
    model.send(flow)
    model.switch.refuse.add(flow)
    await move.moved.wait()
    await model.quiet()
    assert phase_of(move, flow) is Phase.FORWARDING
    await until(lambda: move.state is MoveState.DONE)


async def assert_it_goes_on(model: Model, engine: Engine, flow: FiveTuple) -> None:
    """The controller passes its packets on to nf2, all of them and in order."""
    for _ in range(20):
        model.send(flow)
    await model.quiet()
    assert model.nf2.flows[flow] == list(range(model.sent[flow]))
    assert engine.status().unknown_packets == 0


@pytest.mark.parametrize("how", ["refused", "cancelled", "cancelled before its turn"])
async def test_it_goes_on_when_another_move_leaves_it(how: str) -> None:
    async with Model(1, instances=3) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        await model.quiet()
        flow = FLOWS[-1]
        await strand(model, engine, flow)
        if how != "refused":
            model.switch.refuse.clear()
            model.instances[2].pace_s = 0.2
        if how.endswith("turn"):
            model.nf2.flows[flow] = model.nf2.flows.pop(flow)  # listed last
        second = await engine.begin(options(source="nf2", destination="nf3"))
        if how != "refused":
            await until(lambda: phase_of(second, next(iter(model.nf2.flows))) is Phase.IMPORTING)
            second.cancel("operator")
        await second.moved.wait()
        await assert_it_goes_on(model, engine, flow)


@pytest.mark.parametrize("seed", range(8))
async def test_moved_again_it_loses_nothing_on_the_way(seed: int) -> None:
    async with Model(seed, longest_delay=4, instances=3) as model, running(model) as engine:
        await model.load(FLOWS[:4], 60)
        await model.quiet()
        flow = FLOWS[0]
        await strand(model, engine, flow)
        model.switch.refuse.clear()
        load = asyncio.create_task(model.load([flow], 400))
        await asyncio.sleep(0)
        second = await engine.begin(options(source="nf2", destination="nf3"))
        await second.moved.wait()
        await load
        await model.quiet()
        assert sorted(model.instances[2].flows[flow]) == list(range(model.sent[flow]))
        assert flow not in model.nf2.flows


async def test_held_for_nobody_it_is_let_go_though_the_switch_refuses_at_first() -> None:
    async with Model(1) as model:
        flow = FLOWS[0]
        model.send(flow)
        await model.quiet()
        model.switch.rules[flow] = HoldRule(99)
        model.switch.refuse.add(flow)
        async with running(model):
            model.switch.refuse.clear()
            model.send(flow)  # shows that it is held, and is lost
            await until(lambda: model.switch.rules[flow] == InstanceRule(1))
            model.send(flow)
            await model.quiet()
            assert model.nf1.flows[flow] == [0, 2]


async def test_letting_it_go_does_not_replace_the_hold_of_a_new_move() -> None:
    async with Model(1, instances=3) as model, running(model) as engine:
        await model.load(FLOWS, 300)
        await model.quiet()
        flow, third = FLOWS[0], model.instances[2]
        model.switch.rules[flow] = HoldRule(77)  # the late write of a controller that is gone
        listed = asyncio.Event()
        listing = third.list_flows

        async def slow_listing() -> list[FlowSummary]:
            await listed.wait()
            return await listing()

        third.list_flows = slow_listing
        model.send(flow)  # shows it
        await asyncio.sleep(0.15)  # now the instances are asked where it belongs
        model.nf2.pace_s = 0.3
        move = await engine.begin(options())
        await until(lambda: phase_of(move, flow) is Phase.IMPORTING)
        listed.set()
        for _ in range(5):
            model.send(flow)
            await asyncio.sleep(0.01)
        model.nf2.pace_s = 0
        await move.moved.wait()
        await model.quiet()
        assert len(model.nf2.flows[flow]) == model.sent[flow] - 1


async def test_it_is_no_elephant_of_the_instance_that_it_was_moved_from() -> None:
    detector = ModelDetector()
    async with Model(1) as model, running(model, detector) as engine:
        await model.load(FLOWS, 200)
        await model.quiet()
        flow = FLOWS[-1]
        await strand(model, engine, flow)
        model.switch.refuse.clear()
        detector.flows = (flow,)  # the switch does not count where a held flow goes
        second = await engine.begin(options(Kind.MOVE_ELEPHANT))
        await second.moved.wait()
        assert second.report().flows.selected == 0
        for _ in range(5):
            model.send(flow)
        await model.quiet()
        assert model.nf2.flows[flow] == list(range(model.sent[flow]))


@pytest.mark.parametrize("how", ["refused", "cancelled"])
async def test_it_goes_on_where_the_switch_had_not_answered(how: str) -> None:
    async with Model(1, instances=3) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        await model.quiet()
        flow, is_deaf, apply = FLOWS[-1], False, model.switch._update  # pyright: ignore[reportPrivateUsage]

        def unanswered(update: RuleUpdate) -> UpdateOutcome:
            if is_deaf and update.flow == flow:
                return UpdateOutcome(WriteResult.UNANSWERED, "no answer")
            return apply(update)

        model.switch._update = unanswered  # pyright: ignore[reportPrivateUsage]
        first = await engine.begin(options())
        await until(lambda: phase_of(first, flow) is Phase.EXPORTING)
        model.send(flow)
        is_deaf = True  # the rule that steers it is not in force
        await first.moved.wait()
        assert phase_of(first, flow) is Phase.FORWARDING
        await until(lambda: first.state is MoveState.DONE)
        is_deaf = False
        if how == "refused":
            model.switch.refuse.add(flow)
        else:
            model.instances[2].pace_s = 0.2
            model.nf2.flows[flow] = model.nf2.flows.pop(flow)  # listed last
        second = await engine.begin(options(source="nf2", destination="nf3"))
        if how == "cancelled":
            await until(lambda: phase_of(second, next(iter(model.nf2.flows))) is Phase.IMPORTING)
            second.cancel("operator")
        await second.moved.wait()
        await assert_it_goes_on(model, engine, flow)
