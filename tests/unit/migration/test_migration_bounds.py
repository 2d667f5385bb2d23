"""Thousands of flows at once: how much is done in a turn of the loop, and what is remembered.

Run: pytest tests/unit/migration/test_migration_bounds.py
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import tracemalloc
from collections.abc import AsyncGenerator, Sequence

import pytest
from instance_model import flow_of
from migration_model import Model, ModelDetector
from test_migration_engine import options

from controlplane.migration import engine as engine_module
from controlplane.migration.buffer import PacketBuffer
from controlplane.migration.engine import Engine
from controlplane.migration.garbage import GarbagePause
from controlplane.migration.memory import Memory
from controlplane.migration.mover import Mover
from controlplane.migration.options import Guarantee, KeepAt
from controlplane.migration.phases import Event
from controlplane.migration.record import FlowRecord
from nf.southbound.flow import FiveTuple

pytestmark = pytest.mark.timeout(450)

FLOWS = [flow_of(number) for number in range(1, 10_001)]
STEPS_A_TURN = 600
"""Events of flows between two turns of the loop: a delete of 256 is the largest batch, and
each flow goes on at once to what comes next. A step takes some 10 µs."""
BYTES_A_FLOW = 6000
"""Its record, its events, and its part of the answers that are under way."""
DEADLINE_S = 400  # with every allocation traced, on a busy machine


@contextlib.asynccontextmanager
async def busy(flows: Sequence[FiveTuple]) -> AsyncGenerator[tuple[Model, Engine]]:
    """A model with flows at nf1, and an engine with the usual limits."""
    async with Model(0, longest_delay=0) as model:
        model.switch.rests = True
        for flow in flows:
            model.nf1.flows[flow] = [0]
            model.sent[flow] = 1
        memory = Memory(PacketBuffer(1000, 1 << 20))
        engine = Engine(model.switch, model.members, ModelDetector(), memory=memory)
        task = asyncio.create_task(engine.run())
        await engine.ready.wait()
        try:
            async with asyncio.timeout(DEADLINE_S):
                yield model, engine
        finally:
            engine.stop()
            await task


@pytest.mark.parametrize(
    ("guarantee", "keep_at", "early_release"),
    [
        (Guarantee.LOSS_FREE, KeepAt.CONTROLLER, False),
        (Guarantee.LOSS_FREE, KeepAt.DESTINATION, True),
        (Guarantee.ORDER_PRESERVING, KeepAt.CONTROLLER, True),
    ],
)
async def test_the_loop_has_its_turn_between_few_steps(
    guarantee: Guarantee, keep_at: KeepAt, early_release: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = most = 0
    dispatch = Mover.dispatch

    def counted(self: Mover, record: FlowRecord, event: Event, reason: str = "") -> None:
        nonlocal steps
        steps += 1
        dispatch(self, record, event, reason)

    async def turns() -> None:
        nonlocal steps, most
        while True:
            most, steps = max(most, steps), 0
            await asyncio.sleep(0)

    monkeypatch.setattr(Mover, "dispatch", counted)
    async with busy(FLOWS) as (model, engine):
        ticking = asyncio.create_task(turns())
        move = await engine.begin(
            options(guarantee=guarantee, keep_at=keep_at, early_release=early_release)
        )
        await move.moved.wait()
        ticking.cancel()
        assert len(model.nf2.flows) == len(FLOWS)
        assert move.report().flows.moved == len(FLOWS)
    assert most <= STEPS_A_TURN


async def test_memory_is_bounded_by_the_flows_and_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flows = FLOWS[:2_000]  # with every allocation traced it takes its time
    monkeypatch.setattr(engine_module, "_MAX_FLOWS_REMEMBERED", len(flows) * 3 // 2)
    async with busy(flows) as (_, engine):
        gc.collect()
        tracemalloc.start()
        try:
            levels: list[int] = []
            for source, destination in (("nf1", "nf2"), ("nf2", "nf1"), ("nf1", "nf2")):
                tracemalloc.reset_peak()
                before, _ = tracemalloc.get_traced_memory()
                move = await engine.begin(options(source=source, destination=destination))
                await move.ended.wait()
                now, peak = tracemalloc.get_traced_memory()
                assert peak - before < BYTES_A_FLOW * len(flows)
                levels.append(now)
        finally:
            tracemalloc.stop()
        assert sum(each.flows_remembered for each in engine.moves) <= len(flows) * 5 // 2
        assert levels[-1] - levels[1] < BYTES_A_FLOW * len(flows) // 2, "it does not add up"
        first, last = engine.moves[0], engine.moves[-1]
        assert first.report(timeline=True).timeline is None
        assert first.report().flows.moved == len(flows)
        assert len(last.report(timeline=True).timeline or ()) == len(flows)
        assert first.report().downtime_ms is not None


def test_the_search_for_cycles_waits_for_the_last() -> None:
    pause = GarbagePause()
    assert gc.isenabled()
    with pause.paused():
        with pause.paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with pause.paused():
            pass
        assert not gc.isenabled(), "it was off before"
    finally:
        gc.enable()
