"""The session against a model of a P4Runtime server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from finsy.proto import p4r, rpc_code
from p4runtime_model import SwitchModel, serving

from controlplane import p4_constants
from controlplane.config import SwitchConfig
from controlplane.switch import entries, inbox, session, stream
from controlplane.switch.entries import Operation, Update
from controlplane.switch.errors import SwitchError
from controlplane.switch.packets import PacketIn, PacketOut
from controlplane.switch.session import CounterValue, SwitchSession
from nf.southbound.flow import FiveTuple

BUILD = Path(__file__).parents[3] / "p4src" / "build"


def switch_config(address: str) -> SwitchConfig:
    return SwitchConfig(
        name="s1",
        p4runtime=address,
        program=BUILD / "uhaul.json",
        p4info=BUILD / "uhaul.p4info.txtpb",
    )


@asynccontextmanager
async def opened(model: SwitchModel, directory: Path) -> AsyncGenerator[SwitchSession]:
    address = f"unix:{directory}/p4rt.sock"
    async with (
        asyncio.timeout(20),
        serving(model, address),
        SwitchSession(switch_config(address)) as switch,
    ):
        yield switch


def rules(count: int) -> list[entries.Entry]:
    return [
        entries.flow_to_instance(FiveTuple(number, 9, 1, 2, 6), 1, 10**9)
        for number in range(1, count + 1)
    ]


def inserts(count: int) -> list[Update]:
    return [Update(Operation.INSERT, entry) for entry in rules(count)]


async def test_the_program_is_loaded_where_there_is_none(tmp_path: Path) -> None:
    async with opened(model := SwitchModel(), tmp_path) as switch:
        assert switch.program_was_loaded
        assert model.config is not None
        assert model.config.p4_device_config == (BUILD / "uhaul.json").read_bytes()


async def test_the_program_stays_when_a_controller_comes_back(tmp_path: Path) -> None:
    async with opened(model := SwitchModel(), tmp_path) as switch:
        await switch.write(inserts(3))
    async with opened(model, tmp_path) as switch:
        assert not switch.program_was_loaded
        assert await switch.read_entries(entries.FLOW_RULES) == rules(3)


async def test_another_program_is_replaced(tmp_path: Path) -> None:
    config = p4r.ForwardingPipelineConfig(cookie=p4r.ForwardingPipelineConfig.Cookie(cookie=4711))
    async with opened(SwitchModel(config=config), tmp_path) as switch:
        assert switch.program_was_loaded


async def test_a_larger_election_id_of_the_past_is_exceeded(tmp_path: Path) -> None:
    async with opened(SwitchModel(highest_election_id=1 << 100), tmp_path) as switch:
        assert switch.program_was_loaded


async def test_another_primary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SwitchError, match="another controller is the primary"):
        async with opened(SwitchModel(primary_elsewhere=1 << 100), tmp_path):
            pass


async def test_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_CONNECT_TIMEOUT_S", 0.2)
    with pytest.raises(SwitchError, match="no P4Runtime server answers"):
        async with SwitchSession(switch_config(f"unix:{tmp_path}/none.sock")):
            pass


async def test_writes_are_split_and_read_back(tmp_path: Path) -> None:
    async with opened(model := SwitchModel(), tmp_path) as switch:
        await switch.write(inserts(600))
        assert model.writes == [256, 256, 88]
        assert await switch.read_entries(entries.FLOW_RULES) == rules(600)


async def test_refused_updates_are_named_and_the_others_in_force(tmp_path: Path) -> None:
    async with opened(SwitchModel(), tmp_path) as switch:
        await switch.write(inserts(2))
        missing = entries.flow_hold(FiveTuple(999, 1000, 1, 2, 6), 4)
        with pytest.raises(SwitchError) as caught:
            await switch.write([*inserts(300), Update(Operation.MODIFY, missing)])
        failures = caught.value.failures
        assert sorted(failures) == [0, 1, 300]
        assert [failures[index].is_duplicate for index in (0, 1, 300)] == [True, True, False]
        assert failures[300].is_missing
        assert not caught.value.is_unanswered
        assert "\n" not in str(caught.value)
        assert len(await switch.read_entries(entries.FLOW_RULES)) == 300


async def test_a_write_that_is_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_RPC_TIMEOUT_S", 0.2)
    async with opened(SwitchModel(hangs=True), tmp_path) as switch:
        with pytest.raises(SwitchError) as caught:
            await switch.write(inserts(1))
        assert caught.value.is_unanswered


async def test_packets_in_both_directions(tmp_path: Path) -> None:
    async with opened(model := SwitchModel(), tmp_path) as switch:
        model.packet_in(b"frame", p4_constants.PACKET_IN_HOLD, 0, 7, 0, 1 << 31)
        packet = await anext(switch.packet_ins())
        assert packet == PacketIn(p4_constants.PACKET_IN_HOLD, 0, 7, 1 << 31, b"frame")
        await switch.send(
            [
                PacketOut(p4_constants.PACKET_OUT_RELEASE, b"one", instance=2),
                PacketOut(p4_constants.PACKET_OUT_PORT, b"two", egress_port=300, migration=9),
            ]
        )
        received = [await model.received.get() for _ in range(2)]
        assert [
            (packet.payload, [int.from_bytes(each.value) for each in packet.metadata])
            for packet in received
        ] == [(b"one", [1, 2, 0, 0, 0]), (b"two", [0, 0, 300, 0, 9])]


async def test_packets_that_were_lost_on_the_way_are_counted(tmp_path: Path) -> None:
    model = SwitchModel(packet_ins=(1 << 32) - 3)  # the sequence begins anew
    async with opened(model, tmp_path) as switch:
        packets = switch.packet_ins()
        lost: list[int] = []
        for missing in (5, 0, 2, 0, 300):
            model.packet_ins += missing
            model.packet_in(b"frame", p4_constants.PACKET_IN_HOLD, 0, 7, 0, 1)
            lost.append((await anext(packets)).lost_before)
        assert lost == [0, 0, 2, 0, 300]  # before the first, nobody can tell


async def test_no_packet_is_dropped_however_slowly_they_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_PACKET_INS", 8)
    async with opened(model := SwitchModel(), tmp_path) as switch:
        for number in range(500):
            model.packet_in(b"", 1, 0, 1, 0, number)
        await model.stream_out.join()  # all are on their way
        packets = switch.packet_ins()
        assert [(await anext(packets)).migration for _ in range(500)] == list(range(500))


async def test_idle_entries(tmp_path: Path) -> None:
    async with opened(model := SwitchModel(), tmp_path) as switch:
        await switch.write(inserts(3))
        notification = p4r.IdleTimeoutNotification(table_entry=list(model.entries.values())[-2:])
        model.stream_out.put_nowait(
            p4r.StreamMessageResponse(idle_timeout_notification=notification)
        )
        idle = switch.idle_entries()
        flows = [entries.flow_of(await anext(idle)) for _ in range(2)]
        assert [flow.low_address for flow in flows] == [2, 3]


async def test_what_came_before_the_stream_broke_can_be_taken(tmp_path: Path) -> None:
    async with opened(model := SwitchModel(), tmp_path) as switch:
        model.packet_in(b"last", 1, 0, 1, 0, 5)
        model.stream_out.put_nowait(None)
        packets = switch.packet_ins()
        assert (await anext(packets)).payload == b"last"
        with pytest.raises(SwitchError, match="ended the stream"):
            await anext(packets)
        with pytest.raises(SwitchError, match="ended the stream"):
            await anext(switch.idle_entries())
        with pytest.raises(SwitchError):
            await switch.send([PacketOut(1, b"x")])
        with pytest.raises(SwitchError):
            await switch.write(inserts(1))
        with pytest.raises(SwitchError):
            await switch.read_entries(entries.FLOW_RULES)


async def test_a_switch_that_goes_away_hangs_nobody(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/p4rt.sock"
    async with asyncio.timeout(20):
        async with serving(SwitchModel(), address):
            switch = await SwitchSession(switch_config(address)).__aenter__()
            waiting = asyncio.create_task(anext(switch.packet_ins()))  # pyright: ignore[reportArgumentType]
            await asyncio.sleep(0)
        with pytest.raises(SwitchError):
            await waiting
        with pytest.raises(SwitchError):
            await switch.send([PacketOut(1, b"x")])
        await switch.__aexit__(None, None, None)


async def test_losing_the_primary_role_breaks_the_session(tmp_path: Path) -> None:
    async with opened(model := SwitchModel(), tmp_path) as switch:
        model.arbitration(rpc_code.ALREADY_EXISTS, 1 << 90)
        with pytest.raises(SwitchError, match="another controller has become the primary"):
            await anext(switch.packet_ins())


async def test_a_packet_that_the_switch_refuses_is_counted(tmp_path: Path) -> None:
    async with opened(model := SwitchModel(), tmp_path) as switch:
        error = p4r.StreamError(message="no such port")
        model.stream_out.put_nowait(p4r.StreamMessageResponse(error=error))
        model.packet_in(b"after", 1, 0, 1, 0, 5)
        assert (await anext(switch.packet_ins())).payload == b"after"
        assert switch.refused_packet_outs == 1


async def test_counters(tmp_path: Path) -> None:
    cells = [
        p4r.Entity(
            counter_entry=p4r.CounterEntry(
                index=p4r.Index(index=index), data=p4r.CounterData(packet_count=index * 10)
            )
        )
        for index in (1, 0)
    ]
    async with opened(model := SwitchModel(), tmp_path) as switch:
        model.reads["counter_entry"] = cells
        assert await switch.read_counter("drops") == [CounterValue(0, 0), CounterValue(10, 0)]
        await switch.write(inserts(1))
        (entry,) = model.entries.values()
        direct = p4r.DirectCounterEntry(table_entry=entry, data=p4r.CounterData(byte_count=77))
        model.reads["direct_counter_entry"] = [p4r.Entity(direct_counter_entry=direct)]
        counters = await switch.read_direct_counters(entries.FLOW_RULES)
        assert counters == {(1, 9, 1, 2, 6): CounterValue(0, 77)}
        with pytest.raises(SwitchError, match="no counter 'nothing'"):
            await switch.read_counter("nothing")


async def test_a_full_inbox_makes_the_sender_wait() -> None:
    box = inbox.Inbox[int](4)
    sending = asyncio.create_task(_put_all(box, 10))
    await asyncio.sleep(0)
    assert len(box) == 4
    items = box.items()
    assert [await anext(items) for _ in range(10)] == list(range(10))
    await sending


async def _put_all(box: inbox.Inbox[int], count: int) -> None:
    for number in range(count):
        await box.put(number)
