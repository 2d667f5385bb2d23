"""What waits in an instance: set aside, admitted, recalled, forgotten.

Run: pytest tests/unit/nf/test_nf_set_aside.py
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nf_frames import ACK, FLOW, SYN, SilentPort, tcp

from nf.asset_monitor.connection import Connection
from nf.asset_monitor.monitor import AssetMonitor
from nf.runtime.flow_table import FlowTableOptions
from nf.runtime.instance import Instance
from nf.runtime.listen import listen
from nf.runtime.set_aside import SetAside, SetAsideOptions
from nf.southbound.client import InstanceClient
from nf.southbound.flow import FiveTuple
from nf.southbound.inband import build_marker, detoured, is_detour

OTHER = FLOW._replace(low_port=1)
MARKER = 77


class RecordingPort(SilentPort):
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def transmit(self, frame: memoryview | bytes) -> bool:
        self.sent.append(bytes(frame))
        return True


class End:
    """An instance, its port, and a client of it."""

    def __init__(self, client: InstanceClient) -> None:
        self.port = RecordingPort()
        self.instance: Instance[Connection] = Instance(
            "nf", AssetMonitor(), self.port, FlowTableOptions()
        )
        self.client = client

    def read(self, *frames: bytes | bytearray) -> list[bool]:
        """Hands frames to the instance; whether each is sent back at once."""
        now_us = self.instance.clock.now_us()
        return [self.instance.handle(memoryview(bytearray(frame)), now_us) for frame in frames]

    def packets(self, flow: FiveTuple = FLOW) -> int:
        """How many packets of a flow have been processed."""
        state = self.instance.table.get(flow)
        return state.packets if state else 0


@pytest.fixture
async def end(tmp_path: Path) -> AsyncIterator[End]:
    address = f"unix:{tmp_path}/nf"
    async with InstanceClient("nf", address) as client:
        made = End(client)
        server = await listen(made.instance, address)
        await client.wait_until_ready(10)
        yield made
        await server.stop(0)


def frames(count: int, flow: FiveTuple = FLOW) -> list[bytes]:
    return [bytes(tcp(ACK, number.to_bytes(2), flow=flow)) for number in range(count)]


async def test_packets_wait_and_are_admitted_in_order(end: End) -> None:
    await end.client.set_aside([FLOW])
    sent = frames(3)
    assert end.read(*sent) == [False] * 3
    assert end.read(*frames(2, OTHER)) == [True] * 2
    assert (end.packets(), end.packets(OTHER)) == (0, 2)
    load = await end.client.get_load()
    assert (load.set_aside, load.waiting, load.not_set_aside) == (3, 3, 0)
    assert await end.client.admit([FLOW, OTHER]) == 3
    assert end.port.sent == sent
    assert end.packets() == 3
    assert end.read(sent[0]) == [True], "nothing is set aside any more"
    load = await end.client.get_load()
    assert (load.set_aside, load.waiting, load.returned) == (3, 0, 3)


async def test_a_detour_does_not_wait(end: End) -> None:
    await end.client.set_aside([FLOW])
    (frame,) = frames(1)
    assert is_detour(detoured(frame))
    assert not is_detour(frame)
    assert detoured(frame)[6:] == frame[6:]
    assert end.read(detoured(frame)) == [True]
    assert end.packets() == 1


async def test_admission_waits_for_its_marker(end: End) -> None:
    await end.client.set_aside([FLOW])
    end.read(*frames(1))
    admission = asyncio.create_task(end.client.admit([FLOW], marker=MARKER))
    await end.client.get_info()
    end.read(*frames(1))
    assert (end.packets(), admission.done()) == (0, False)
    end.read(build_marker(MARKER))
    assert await admission == 2
    assert end.packets() == 2


async def test_what_is_recalled_was_not_processed(end: End) -> None:
    await end.client.set_aside([FLOW, OTHER])
    sent = frames(600)
    end.read(*sent)
    end.read(build_marker(MARKER))
    assert await end.client.recall([OTHER, FLOW], marker=MARKER) == {FLOW: sent}
    assert (end.packets(), end.port.sent) == (0, [])
    assert end.read(*frames(1)) == [True]
    assert await end.client.recall([FLOW]) == {}


async def test_a_flow_that_begins_while_it_waits_is_counted_once(end: End) -> None:
    await end.client.set_aside([FLOW])
    await end.client.set_aside([FLOW])
    end.read(tcp(SYN))
    await end.client.set_aside([FLOW])
    assert await end.client.admit([FLOW]) == 1
    assert end.instance.table.created == 1


def test_room_is_bounded_and_given_back() -> None:
    waiting = SetAside(SetAsideOptions(max_bytes=100))
    waiting.begin([FLOW, OTHER], 0)
    frame = memoryview(bytes(40))
    assert [waiting.add(FLOW, frame), waiting.add(OTHER, frame), waiting.add(FLOW, frame)] == [
        True,
        True,
        False,
    ]
    assert (waiting.count, waiting.waiting, waiting.refused) == (2, 2, 1)
    assert len(waiting.take(FLOW)) == 1
    assert FLOW not in waiting
    assert waiting.add(OTHER, frame)


def test_what_is_forgotten_is_told() -> None:
    waiting = SetAside(SetAsideOptions(timeout_s=2))
    waiting.begin([FLOW], 1_000_000)
    waiting.begin([OTHER], 2_000_000)
    assert waiting.forgotten(2_900_000) == []
    assert waiting.forgotten(3_500_000) == [FLOW]
    waiting.begin([FLOW], 3_600_000)
    assert waiting.forgotten(5_500_000) == [OTHER]


async def test_who_is_to_wait_on_is_not_set_aside_anew(end: End) -> None:
    await end.client.set_aside([FLOW])
    since_us = end.instance.clock.now_us()
    await end.client.set_aside([FLOW, OTHER], again=True)
    assert OTHER not in end.instance.set_aside
    assert end.instance.set_aside.forgotten(since_us + 30_000_000) == []


async def test_a_full_room_loses_nothing(end: End) -> None:
    end.instance.set_aside = SetAside(SetAsideOptions(max_bytes=100))
    await end.client.set_aside([FLOW])
    assert end.read(*frames(3)) == [False, True, True], "what does not fit goes on"
    assert end.packets() == 0
