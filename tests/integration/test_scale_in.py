"""An instance that is drained gets no more packets, also of flows that were moved to it once.

Run inside a sandbox: python -m testbed.sandbox pytest tests/integration/test_scale_in.py
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bed_flows import flows_by_instance
from demo_trial import TARGETS, skip_without

from nf.southbound.flow import FiveTuple
from testbed import plan
from testbed.bed import Bed, BedOptions
from testbed.plan import RunDirectory

CLIENT_PORT, SERVER_PORT = 20_000, 8000
DEADLINE_S = 30.0
FLOW = FiveTuple.of(
    int(plan.CLIENT.address.ip), int(plan.SERVER.address.ip), CLIENT_PORT, SERVER_PORT, 6
)


@contextmanager
def connection(bed: Bed, listener: socket.socket) -> Generator[socket.socket]:
    """A connection of the flow; at the end the client resets it, so that the port is free."""
    with bed.namespace(plan.CLIENT.name).entered():
        client = socket.socket()
    with client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.settimeout(DEADLINE_S)
        client.bind((str(plan.CLIENT.address.ip), CLIENT_PORT))
        client.connect((str(plan.SERVER.address.ip), SERVER_PORT))
        with listener.accept()[0] as server:
            for _ in range(20):
                client.sendall(bytes(1000))
                assert server.recv(1000, socket.MSG_WAITALL) == bytes(1000)
            yield client
            client.close()


async def holders(bed: Bed) -> list[str]:
    """The instances that have a state of the flow."""
    return [name for name, flows in (await flows_by_instance(bed)).items() if FLOW in flows]


async def until_held_by(bed: Bed, names: list[str]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while (found := await holders(bed)) != names:
        assert time.monotonic() < deadline_s, found
        await asyncio.sleep(0.1)


async def until_done(bed: Bed, move: str) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while next(m for m in await bed.northbound.moves() if m["id"] == move)["state"] != "done":
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("target", TARGETS)
def test_a_flow_that_comes_again_begins_at_who_is_left(target: str, tmp_path: Path) -> None:
    skip_without(target)
    nf1, nf2 = (instance.name for instance in plan.INSTANCES)
    with Bed(BedOptions(run=RunDirectory(tmp_path), target=target, rho=0.5)) as bed:
        with bed.namespace(plan.SERVER.name).entered():
            listener = socket.create_server((str(plan.SERVER.address.ip), SERVER_PORT))
        with listener:
            listener.settimeout(DEADLINE_S)
            with connection(bed, listener):
                asyncio.run(move_there(bed, nf1, nf2))
            asyncio.run(move_back(bed, nf2, nf1))
            with connection(bed, listener):
                asyncio.run(until_held_by(bed, [nf1]))


async def move_there(bed: Bed, source: str, destination: str) -> None:
    await until_held_by(bed, [source])
    move = await bed.northbound.move("move-elephant", source, destination)
    assert move["flows"]["moved"] == 1
    await until_held_by(bed, [destination])


async def move_back(bed: Bed, source: str, destination: str) -> None:
    await until_held_by(bed, [])  # the flow's rule is still there
    move = await bed.northbound.move("move", source, destination)
    await until_done(bed, move["id"])
