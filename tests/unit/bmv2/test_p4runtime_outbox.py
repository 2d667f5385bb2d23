"""What waits for a controller: pytest tests/unit/bmv2/test_p4runtime_outbox.py"""

from __future__ import annotations

import asyncio
import logging

import pytest
from fake_switch import Switch
from finsy.proto import p4r
from p4rt_client import Controller, controller

from bmv2.embedded.p4runtime import outbox
from bmv2.embedded.p4runtime.outbox import Outbox


def packet(number: int) -> p4r.StreamMessageResponse:
    return p4r.StreamMessageResponse(packet=p4r.PacketIn(payload=bytes([number])))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_CAPACITY", 4)


async def fill(box: Outbox, numbers: range) -> list[bool]:
    return [await box.send_when_drained(packet(number)) for number in numbers]


async def test_a_full_outbox_makes_the_sender_wait() -> None:
    box = Outbox()
    filling = asyncio.create_task(fill(box, range(10)))
    taken = [(await box.next()).packet.payload[0]]
    await asyncio.sleep(0)
    assert not filling.done()
    while not filling.done() or len(taken) < 10:
        taken.append((await box.next()).packet.payload[0])
        await asyncio.sleep(0)
    assert taken == list(range(10))
    assert filling.result() == [True] * 10


async def test_what_cannot_wait_does_not() -> None:
    box = Outbox()
    await fill(box, range(4))
    box.send(p4r.StreamMessageResponse(arbitration=p4r.MasterArbitrationUpdate()))
    taken = [await box.next() for _ in range(5)]
    assert taken[-1].WhichOneof("update") == "arbitration"


async def test_who_does_not_listen_is_told_the_latest() -> None:
    box = Outbox()
    await fill(box, range(3))
    for number in range(100):
        update = p4r.MasterArbitrationUpdate(device_id=number)
        box.send(p4r.StreamMessageResponse(arbitration=update))
    taken = [await box.next() for _ in range(4)]
    assert [each.arbitration.device_id for each in taken] == [0, 0, 0, 99]
    waiting = asyncio.create_task(box.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_who_does_not_read_is_given_up_until_he_does() -> None:
    box = Outbox()
    assert await fill(box, range(4)) == [True] * 4
    assert not await box.send_when_drained(packet(4), 0.01)
    async with asyncio.timeout(5):
        assert not await box.send_when_drained(packet(5), 1000)
    taken = [(await box.next()).packet.payload[0] for _ in range(2)]
    assert await box.send_when_drained(packet(6), 1000)
    taken += [(await box.next()).packet.payload[0] for _ in range(3)]
    assert taken == [0, 1, 2, 3, 6]


async def test_closing_lets_the_sender_go_and_counts_what_is_lost() -> None:
    box = Outbox()
    filling = asyncio.create_task(fill(box, range(6)))
    await asyncio.sleep(0)
    assert box.close() == 4
    assert await filling == [True, True, True, True, False, False]


async def test_packets_without_a_primary_are_counted_and_logged(
    switch: Switch, primary: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with controller(switch.address) as successor:
        await successor.arbitrate(3)
        primary.stream.cancel()
        await successor.arbitration()  # the primary has gone
        for number in range(3):
            switch.backend.emit(bytes(12) + bytes([number]))
        while switch.backend.waiting:
            await successor.arbitrate(3)
        await successor.arbitrate(10)
        switch.backend.emit(bytes(12) + b"now")
        assert (await successor.receive()).packet.payload == b"now"
    assert [record.getMessage() for record in caplog.records] == [
        "packet_ins are thrown away: no controller is the primary",
        "3 packet_ins have been thrown away",
    ]


async def test_who_is_not_the_primary_any_more_holds_up_nobody(
    switch: Switch, primary: Controller
) -> None:
    """The primary does not read, and its stream stays open."""
    for _ in range(1000):  # more than gRPC keeps itself
        switch.backend.emit(bytes(12) + bytes(9000))
    async with asyncio.timeout(10), controller(switch.address) as successor:
        await asyncio.sleep(0.3)
        await successor.arbitrate(20)
        switch.backend.emit(bytes(12) + b"now")
        while (await successor.receive()).packet.payload != b"now":
            pass
