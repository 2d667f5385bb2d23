"""What is left when an engine ends: pytest tests/unit/migration/test_migration_cut_off.py"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

import pytest
from instance_model import frame_of
from migration_model import Model, ModelDetector
from test_migration_engine import DEADLINE_S, FLOWS, LIMITS, options, running, until
from test_migration_takeover import ended, fresh_buffer, missing

from controlplane.migration.engine import Engine
from controlplane.migration.journal import Journal
from controlplane.migration.memory import Memory
from controlplane.migration.move import Move
from controlplane.migration.options import KeepAt, Kind
from controlplane.migration.outbox import Outbox
from controlplane.migration.peers import HoldRule, InstanceRule
from controlplane.migration.phases import Phase
from controlplane.migration.state import Stage
from controlplane.p4_constants import PACKET_OUT_RELEASE
from controlplane.switch.packets import PacketOut
from nf.southbound import southbound_pb2 as pb
from nf.southbound.flow import FiveTuple


def count(move: Move, phase: Phase) -> int:
    return sum(each.phase == phase.value for each in move.report(timeline=True).timeline or ())


async def test_packets_that_wait_for_a_put_stay_when_the_stream_to_the_switch_breaks() -> None:
    async with Model(1) as model:
        await model.load(FLOWS, 200)
        await model.quiet()
        memory = Memory(fresh_buffer())
        model.nf2.pace_s = 5.0
        engine = Engine(model.switch, model.members, ModelDetector(), memory=memory, limits=LIMITS)
        task = asyncio.create_task(engine.run())
        await engine.ready.wait()
        move = await engine.begin(options())
        await until(lambda: count(move, Phase.IMPORTING) >= 4)
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        waiting = memory.buffer.packets
        assert waiting > 0
        task.cancel()  # as the group of tasks does it
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert memory.buffer.packets == waiting
        model.switch.lose_controller()
        model.switch.find_controller()
        model.nf2.pace_s = 0.0
        async with running(model, memory=memory) as engine:
            await ended(engine)
            await model.quiet()
            assert missing(model) == 0


async def test_what_the_destination_gives_back_goes_out_before_the_end() -> None:
    async with Model(1) as model:
        await model.load(FLOWS, 200)
        await model.quiet()
        send = model.switch.send

        async def slowly(packets: Sequence[PacketOut]) -> None:
            for packet in packets:
                await asyncio.sleep(0.001)
                await send([packet])

        model.switch.send = slowly
        get = model.nf1.get_perflow

        async def late(
            flows: Sequence[FiveTuple], *, marker: int = 0, timeout_s: float = 5.0
        ) -> AsyncGenerator[pb.StateChunk]:
            await asyncio.sleep(1.5)
            async for chunk in get(flows, marker=marker, timeout_s=timeout_s):
                yield chunk

        model.nf1.get_perflow = late
        async with running(model) as engine:
            move = await engine.begin(options(Kind.DIST, keep_at=KeepAt.DESTINATION))
            await until(lambda: count(move, Phase.EXPORTING) == LIMITS.in_flight)
            for flow in FLOWS * 10:
                model.send(flow)
            await until(lambda: sum(map(len, model.nf2.waiting.values())) == 10 * LIMITS.in_flight)
        await model.quiet()
        assert missing(model) == 0


async def test_packets_that_an_earlier_engine_kept_are_among_those_that_wait() -> None:
    async with Model(1) as model:
        memory = Memory(fresh_buffer())
        number = memory.journal.begin(options())
        memory.journal.add(number, [(5, FLOWS[0])])
        for sequence in range(3):
            memory.buffer.keep(5, frame_of(FLOWS[0], sequence))
        model.switch.rules[FLOWS[0]] = HoldRule(5)
        async with running(model, memory=memory) as engine:
            move = await ended(engine)
            assert move is not None
            buffer = move.report().buffer
            assert (buffer.now_packets, buffer.now_bytes) == (0, 0)


async def test_of_flows_whose_packets_wait_at_the_destination_none_are_lost() -> None:
    journal = Journal()
    number = journal.begin(options(Kind.DIST, keep_at=KeepAt.DESTINATION))
    journal.add(number, [(5, FLOWS[0])])
    journal.reach(5, Stage.COMMITTED)
    journal.flush()
    async with Model(1) as model:
        model.switch.rules[FLOWS[0]] = InstanceRule(2)
        for _ in range(40):
            model.send(FLOWS[0])
        await model.quiet()
        async with running(model, memory=Memory(fresh_buffer(), journal)) as engine:
            move = await ended(engine)
            assert move is not None
            report = move.report().taken_over
            assert report is not None
            assert report.lost_packets_at_most == 0


class Deaf:
    """A switch that takes no packet and says nothing."""

    refused_packet_outs = 0

    async def send(self, packets: Sequence[PacketOut]) -> None:
        await asyncio.Event().wait()


async def test_packets_that_were_being_sent_count_as_lost() -> None:
    outbox = Outbox(Deaf(), 1 << 20)  # pyright: ignore[reportArgumentType]
    task = asyncio.create_task(outbox.run())
    for _ in range(70):
        outbox.add(PacketOut(PACKET_OUT_RELEASE, bytes(60), 1))
    await asyncio.sleep(0.01)
    task.cancel()
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.wait([task])
    outbox.give_up()
    assert outbox.lost == 70


@pytest.mark.parametrize("bad", ["put", "delete"])
async def test_the_reason_is_that_of_a_flow_that_was_not_moved(bad: str) -> None:
    async with Model(1) as model, running(model) as engine:
        await model.load(FLOWS, 300)
        await model.quiet()
        model.nf1.refuse_delete = True
        if bad == "put":
            model.nf2.refuse_put = {FLOWS[-1]}
        move = await engine.begin(options())
        await move.moved.wait()
        assert ("no room" in move.report().reason) == (bad == "put")
        assert "copy may remain" not in move.report().reason
        model.nf1.refuse_delete = False
