"""The real engine on a model of switch and instances: no packet lost, none doubled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

import pytest
from instance_model import flow_of
from migration_model import GROUP, Model, ModelDetector

from controlplane.detection.choice import Choice, DetectorName
from controlplane.migration.buffer import PacketBuffer
from controlplane.migration.engine import Engine
from controlplane.migration.errors import MoveError
from controlplane.migration.memory import Memory
from controlplane.migration.move import Move
from controlplane.migration.options import Guarantee, KeepAt, Kind, Limits, MoveOptions
from controlplane.migration.peers import Bucket, HoldRule, InstanceRule, Member
from controlplane.migration.report import MoveState, PortsReport
from controlplane.migration.strategy import STRATEGIES, Takes
from controlplane.northbound.models import MoveRequest
from nf.southbound.flow import ALL_BUCKETS, FiveTuple

LIMITS = Limits(
    in_flight=8,
    write_batch=5,
    export_batch=4,
    export_timeout_s=2.0,  # a busy machine does not run the model for a second
    import_timeout_s=2.0,
    write_backoff_s=0.001,
    drain_interval_s=0.01,
)
FLOWS = [flow_of(number) for number in range(1, 25)]
DEADLINE_S = 20
WAITING = [
    (KeepAt.CONTROLLER, Guarantee.LOSS_FREE),
    (KeepAt.CONTROLLER, Guarantee.ORDER_PRESERVING),
    (KeepAt.DESTINATION, Guarantee.LOSS_FREE),
]
"""The ways in which packets wait."""


@contextlib.asynccontextmanager
async def running(
    model: Model,
    detector: ModelDetector | None = None,
    *,
    max_packets: int = 10_000,
    memory: Memory | None = None,
    switch_is_new: bool = False,
) -> AsyncGenerator[Engine]:
    engine = Engine(
        model.switch,
        model.members,
        detector or ModelDetector(),
        memory=memory or Memory(PacketBuffer(max_packets, 1 << 20)),
        switch_is_new=switch_is_new,
        limits=LIMITS,
    )
    task = asyncio.create_task(engine.run())
    try:
        async with asyncio.timeout(DEADLINE_S) as deadline:

            def hurry(_: object) -> None:  # nothing comes any more
                deadline.reschedule(asyncio.get_running_loop().time())

            task.add_done_callback(hurry)
            try:
                await engine.ready.wait()
                yield engine
            finally:
                task.remove_done_callback(hurry)
    finally:
        engine.stop()
        async with asyncio.timeout(DEADLINE_S):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - the model offers nothing to wait on
            await asyncio.sleep(0)


async def finish(move: Move) -> None:
    await until(lambda: move.state is MoveState.DONE)


def options(
    kind: Kind = Kind.MOVE, source: str = "nf1", destination: str = "nf2", **more: object
) -> MoveOptions:
    return MoveOptions(kind=kind, source=source, destination=destination, **more)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("parallelize", [True, False])
@pytest.mark.parametrize("early_release", [True, False])
@pytest.mark.parametrize("seed", range(12))
async def test_move_is_loss_free_under_load(
    seed: int, parallelize: bool, early_release: bool
) -> None:
    async with Model(seed, longest_delay=1 + seed % 6) as model, running(model) as engine:
        await model.load(FLOWS, 100)
        load = asyncio.create_task(model.load(FLOWS, 1500))
        move = await engine.begin(options(parallelize=parallelize, early_release=early_release))
        await move.moved.wait()
        await load
        await model.quiet()
        model.check()
        assert not model.nf1.flows
        assert all(rule == InstanceRule(2) for rule in model.switch.rules.values())
        report = move.report(timeline=True)
        assert report.flows.moved + report.flows.absent == report.flows.selected
        assert report.buffer.now_packets == 0
        assert report.downtime_ms is not None
        assert report.buffer.packets + report.buffer.passed_packets == model.switch.held
        await finish(move)
        assert set(model.switch.buckets.values()) == {Bucket(2)}
        assert engine.status().unknown_packets == 0


@pytest.mark.parametrize("seed", range(4))
async def test_packets_that_are_lost_on_the_way_are_reported(seed: int) -> None:
    async with Model(seed) as model, running(model) as engine:
        model.switch.loses_every = 3
        await model.load(FLOWS, 100)
        load = asyncio.create_task(model.load(FLOWS, 1500))
        move = await engine.begin(options(parallelize=False))
        await move.moved.wait()
        await load
        await model.quiet()
        buffer = move.report().buffer
        assert buffer.lost_packets == model.switch.lost > 0
        assert buffer.packets + buffer.passed_packets + buffer.lost_packets == model.switch.held
        assert engine.status().lost_packet_ins == model.switch.lost


async def test_packets_that_an_instance_cannot_read_are_reported() -> None:
    async with Model(1) as model, running(model) as engine:
        model.nf1.dropped = 100  # long before
        await model.load(FLOWS, 100)
        move = await engine.begin(options())
        model.nf2.dropped += 7
        assert move.report().ports == PortsReport(source_lost=None, destination_lost=None)
        await move.moved.wait()
        assert move.report().ports == PortsReport(source_lost=0, destination_lost=7)


@pytest.mark.parametrize(("keep_at", "guarantee"), WAITING[1:])
@pytest.mark.parametrize("early_release", [True, False])
@pytest.mark.parametrize("seed", range(12))
async def test_order_is_kept_under_load(
    seed: int, early_release: bool, keep_at: KeepAt, guarantee: Guarantee
) -> None:
    async with Model(seed, longest_delay=1 + seed % 6) as model, running(model) as engine:
        await model.load(FLOWS, 100)
        load = asyncio.create_task(model.load(FLOWS, 1500))
        move = await engine.begin(
            options(early_release=early_release, keep_at=keep_at, guarantee=guarantee)
        )
        await move.moved.wait()
        await load
        await model.quiet()
        model.check()
        assert not model.nf1.flows
        assert all(packets == sorted(packets) for packets in model.nf2.flows.values())
        assert not model.nf2.waiting
        report = move.report(timeline=True)
        assert report.flows.moved + report.flows.absent == report.flows.selected
        held = report.buffer.packets + report.buffer.passed_packets
        assert held == model.switch.held
        assert (held > 0) == (keep_at is KeepAt.CONTROLLER)
        assert report.flow_phases_ms.held is not None
        assert report.flow_phases_ms.admit is not None
        assert report.downtime_ms is not None
        await finish(move)


@pytest.mark.parametrize("seed", range(8))
async def test_move_elephant_leaves_mice_alone_and_drains(seed: int) -> None:
    elephants = FLOWS[:6]
    mice = FLOWS[6:]
    newcomers = [flow_of(number) for number in range(100, 120)]
    async with (
        Model(seed) as model,
        running(model, ModelDetector(elephants)) as engine,
    ):
        await model.load(FLOWS, 200)
        load = asyncio.create_task(model.load(FLOWS, 600))
        move = await engine.begin(options(Kind.MOVE_ELEPHANT))
        await move.moved.wait()
        await load
        await model.load(newcomers, 100)
        await model.quiet()
        model.check()
        sent_mice = [flow for flow in mice if flow in model.sent]
        moved = [flow for flow in elephants if flow in model.sent]
        assert all(model.holder(flow) is model.nf2 for flow in moved)
        assert all(model.holder(flow) is model.nf1 for flow in sent_mice if flow in model.nf1.flows)
        assert all(model.holder(flow) is model.nf2 for flow in newcomers if flow in model.sent), (
            "new flows begin at the destination"
        )
        assert set(model.switch.rules) == set(elephants), "mice have no rules"
        assert move.state is MoveState.DRAINING
        assert set(model.switch.buckets.values()) == {Bucket(2, 1)}
        model.nf1.ended.update(model.nf1.flows)
        await finish(move)
        assert set(model.switch.buckets.values()) == {Bucket(2)}
        report = move.report()
        assert report.drain is not None
        assert report.drain.left == 0
        assert not model.nf1.closed


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", list(Kind))
async def test_strategies_move_what_they_take(kind: Kind, seed: int) -> None:
    elephants, ended = set(FLOWS[:6]), set(FLOWS[6:12])
    wanted = {
        Takes.ALL: set(FLOWS),
        Takes.LIVE: set(FLOWS) - ended,
        Takes.ELEPHANTS: elephants,
        Takes.NONE: set[FiveTuple](),
    }[STRATEGIES[kind].takes]
    newcomers = [flow_of(number) for number in range(100, 120)]
    async with Model(seed) as model, running(model, ModelDetector(FLOWS[:6])) as engine:
        await model.load(FLOWS, 400)
        assert set(model.nf1.flows) == set(FLOWS)
        model.nf1.ended.update(ended)
        going_on = [flow for flow in FLOWS if flow not in ended]
        load = asyncio.create_task(model.load(going_on, 600))
        request = MoveRequest(kind=kind, source="nf1", destination="nf2")
        move = await engine.begin(request.options())
        await move.moved.wait()
        await load
        await model.load(newcomers, 100)
        await model.quiet()
        model.check()
        assert set(model.switch.rules) == wanted
        assert set(model.nf1.flows) == set(FLOWS) - wanted
        assert wanted <= set(model.nf2.flows)
        assert set(model.nf2.flows) <= wanted | set(newcomers), "new flows begin there"
        report = move.report()
        assert (report.kind, report.flows.selected) == (kind, len(wanted))
        assert (report.downtime_ms is None) == (not wanted)
        assert (report.reason == "") == (report.state is not MoveState.FAILED)
        assert (model.switch.held > 0) <= (report.keep_at is KeepAt.CONTROLLER)
        model.nf1.ended.update(model.nf1.flows)
        await finish(move)
        assert set(model.switch.buckets.values()) == {Bucket(2)}


@pytest.mark.parametrize("seed", range(4))
async def test_move_and_move_back_restores_everything(seed: int) -> None:
    async with Model(seed) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        for asked in (options(), options(source="nf2", destination="nf1")):
            load = asyncio.create_task(model.load(FLOWS, 400))
            await finish(await engine.begin(asked))
            await load
        await model.quiet()
        model.check()
        assert not model.nf2.flows
        assert set(model.switch.rules.values()) == {InstanceRule(1)}
        assert set(model.switch.buckets.values()) == {Bucket(1)}
        assert not model.nf1.closed
        assert not model.nf2.closed


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("kind", "by"),
    [
        (Kind.MOVE, "filter"),
        (Kind.MOVE_ELEPHANT, "filter"),
        (Kind.MOVE_ELEPHANT, "rule"),
        # A move of flows that have a rule elsewhere: see the races in docs/moving-flows.md.
    ],
)
async def test_a_flow_that_lives_by_bounces_is_not_begun_twice(
    kind: Kind, by: str, seed: int
) -> None:
    newcomers = [flow_of(number) for number in range(100, 112)]
    async with Model(seed, longest_delay=1 + seed % 4) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        await finish(await engine.begin(options()))
        model.nf1.closed.update(ALL_BUCKETS)  # as if it were not drained yet
        model.switch.buckets = {number: Bucket(2, 1) for number in model.switch.buckets}
        await asyncio.sleep(0.05)
        again = await engine.begin(options(Kind.MOVE_ELEPHANT))
        await again.moved.wait()
        for flow in newcomers:  # the switch takes them for flows of nf1
            if by == "filter":
                model.switch.seen.add((flow, 1))
            else:
                model.switch.rules[flow] = InstanceRule(1)
        await model.load(newcomers, 60)
        load = asyncio.create_task(model.load(newcomers, 800))
        back = await engine.begin(options(kind, source="nf2", destination="nf1"))
        await back.moved.wait()
        await load
        await model.quiet()
        model.check()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("after", [0, 3, 10, 30, 80, 200])
@pytest.mark.parametrize(("keep_at", "guarantee"), WAITING)
async def test_cancel_at_any_time_loses_nothing(
    seed: int, after: int, keep_at: KeepAt, guarantee: Guarantee
) -> None:
    async with Model(seed) as model, running(model) as engine:
        await model.load(FLOWS, 200)
        load = asyncio.create_task(model.load(FLOWS, 800))
        move = await engine.begin(
            options(early_release=seed % 2 == 0, keep_at=keep_at, guarantee=guarantee)
        )
        for _ in range(after):
            await asyncio.sleep(0)
        with contextlib.suppress(MoveError):  # it is over already
            move.cancel("the operator says so")
        await move.moved.wait()
        await load
        await model.quiet()
        model.check()
        assert not model.nf2.waiting
        assert not any(isinstance(rule, HoldRule) for rule in model.switch.rules.values())


@pytest.mark.parametrize("seed", range(6))
async def test_refused_put_rolls_that_flow_back(seed: int) -> None:
    unwelcome = set(FLOWS[3:6])
    async with Model(seed) as model, running(model) as engine:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        model.nf2.refuse_put = set(unwelcome)
        load = asyncio.create_task(model.load(FLOWS, 600))
        move = await engine.begin(options())
        await move.moved.wait()
        await load
        await model.quiet()
        model.check()
        assert set(model.nf1.flows) == unwelcome
        report = move.report(timeline=True)
        assert report.flows.rolled_back == len(unwelcome)
        assert "refused" in report.reason
        assert report.state is MoveState.DRAINING


@pytest.mark.parametrize("phase", ["get", "put"])
async def test_silent_destination_or_source_rolls_back(phase: str) -> None:
    async with Model(1) as model, running(model) as engine:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        load = asyncio.create_task(model.load(FLOWS, 400))
        victim = model.nf1 if phase == "get" else model.nf2
        move = await engine.begin(options())
        await until(lambda: move.state is MoveState.MOVING)
        victim.hung.clear()
        await load
        await asyncio.sleep(2 * LIMITS.export_timeout_s)
        victim.hung.set()
        await move.moved.wait()
        await model.quiet()
        model.check()
        assert move.report().flows.rolled_back > 0


async def test_destination_that_dies_gives_the_buckets_back() -> None:
    async with Model(1) as model, running(model) as engine:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        model.nf2.refuse_put = set(FLOWS)
        move = await engine.begin(options())
        await move.moved.wait()
        await model.load(FLOWS, 100)
        await model.quiet()
        model.check()
        assert move.state is MoveState.FAILED
        assert set(model.nf1.flows) == set(FLOWS)
        await until(lambda: set(model.switch.buckets.values()) == {Bucket(1)})


@pytest.mark.parametrize("seed", range(6))
async def test_full_buffer_rolls_back_and_loses_nothing(seed: int) -> None:
    async with Model(seed, longest_delay=8) as model, running(model, max_packets=4) as engine:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        load = asyncio.create_task(model.load(FLOWS, 3000))
        move = await engine.begin(options(early_release=False))
        await move.moved.wait()
        await load
        await model.quiet()
        model.check()
        report = move.report()
        assert report.buffer.peak_packets <= 4
        assert report.flows.rolled_back > 0


@pytest.mark.parametrize("seed", range(6))
async def test_refused_and_unanswered_writes_lose_nothing(seed: int) -> None:
    async with Model(seed) as model, running(model) as engine:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        model.switch.refuse = set(FLOWS[:4])
        model.switch.unanswered = set(FLOWS[4:8])
        load = asyncio.create_task(model.load(FLOWS, 600))
        move = await engine.begin(options())
        await until(lambda: move.state is not MoveState.PREPARING)
        for _ in range(20 * seed):
            await asyncio.sleep(0)
        model.switch.refuse |= set(FLOWS[8:12])  # some of them are held by now
        await move.moved.wait()
        await load
        await model.quiet()
        model.check()
        report = move.report()
        assert report.flows.under_way == 0
        assert report.flows.rolled_back + report.flows.stranded >= 4


@pytest.mark.parametrize("seed", range(6))
async def test_no_guarantee_holds_nothing(seed: int) -> None:
    async with Model(seed) as model, running(model) as engine:
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        load = asyncio.create_task(model.load(FLOWS, 300))
        move = await engine.begin(options(guarantee=Guarantee.NONE))
        await move.moved.wait()
        await load
        await model.quiet()
        assert model.switch.held == 0
        assert not model.nf1.flows
        assert set(model.nf2.flows) == set(FLOWS)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (options(source="nf9"), "unknown instance 'nf9'; there are: nf1, nf2"),
        (options(destination="nf1"), "source and destination are both nf1"),
        (options(elephants=Choice(rho=0.5)), "rho is for move-elephant: move takes every flow"),
        (options(elephants=Choice(detector=DetectorName.SIZE)), "detector is for move-elephant"),
        (options(Kind.DRAIN, elephants=Choice(rho=0.5)), "drain takes no flow"),
        (options(Kind.DIST), "dist keeps packets at the destination"),
        (options(Kind.SPLIT_MERGE), "split-merge suspends all flows until all are in place"),
        (
            options(Kind.MOVE_ELEPHANT, elephants=Choice(theta=0.5)),
            "theta is not for the detector proportion, which takes rho",
        ),
        (options(destination="other"), "nf1 belongs to group monitors, other to elsewhere"),
    ],
)
async def test_refusals(asked: MoveOptions, message: str) -> None:
    async with Model(0) as model:
        model.members["other"] = Member(3, "other", GROUP + 1, "elsewhere", model.nf2)
        async with running(model) as engine:
            with pytest.raises(MoveError, match=message):
                await engine.begin(asked)
            assert not engine.moves


@pytest.mark.parametrize("victim", ["nf1", "nf2"])
async def test_instance_that_is_down_is_refused_before_anything_is_touched(victim: str) -> None:
    async with Model(0) as model, running(model) as engine:
        (model.nf1 if victim == "nf1" else model.nf2).down = True
        with pytest.raises(MoveError, match=f"{victim}: does not answer"):
            await engine.begin(options())
        assert set(model.switch.buckets.values()) == {Bucket(1)}
        assert not model.switch.writes


async def test_incompatible_states_are_refused() -> None:
    async with Model(0) as model, running(model) as engine:
        model.nf1.version = 2
        with pytest.raises(MoveError, match="upgrade the destination first"):
            await engine.begin(options())
        model.nf2.function = "firewall"
        with pytest.raises(MoveError, match="state cannot move"):
            await engine.begin(options())


async def test_overlapping_move_is_refused() -> None:
    async with Model(0) as model, running(model) as engine:
        await model.load(FLOWS, 100)
        move = await engine.begin(options())
        with pytest.raises(MoveError, match="m1 is moving flows of nf1 to nf2"):
            await engine.begin(options(source="nf2", destination="nf1"))
        await move.moved.wait()


async def test_idle_rule_is_deleted_but_not_while_its_flow_moves() -> None:
    async with Model(0) as model, running(model) as engine:
        await model.load(FLOWS, 100)
        await model.quiet()
        move = await engine.begin(options(early_release=False))
        await until(lambda: bool(model.switch.rules))
        held = next(iter(model.switch.rules))
        model.switch.report_idle(held)
        await move.moved.wait()
        assert model.switch.rules[held] == InstanceRule(2)
        model.switch.report_idle(held)
        await until(lambda: held not in model.switch.rules)
        await until(lambda: engine.status().flow_rules == len(model.switch.rules))


async def test_stop_rolls_back() -> None:
    async with Model(3, longest_delay=20) as model:
        await model.load(FLOWS, 200)
        async with running(model) as engine:
            move = await engine.begin(options(early_release=False))
            await until(lambda: bool(model.switch.rules))
        await model.load(FLOWS, 100)
        await model.quiet()
        model.check()
        assert move.state is MoveState.CANCELLED
        assert "stopping" in move.reason


async def test_controller_started_again_lets_go_and_goes_on_draining() -> None:
    async with Model(0) as model:
        model.switch.rules[FLOWS[0]] = HoldRule(99)
        model.switch.buckets = {number: Bucket(2, 1) for number in model.switch.buckets}
        async with running(model):
            await until(lambda: not model.switch.rules)
            await until(lambda: set(model.switch.buckets.values()) == {Bucket(2)})
