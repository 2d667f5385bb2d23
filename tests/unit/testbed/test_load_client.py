"""The client of the load against its server, on loopback.

Run: pytest tests/unit/testbed/test_load_client.py
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from testbed.load import client as client_module
from testbed.load.client import Client
from testbed.load.pacer import Pacer
from testbed.load.payload import Payload
from testbed.load.server import ServerConnection
from testbed.workload import Flow

CONNECTING_S = 0.3
ENDLESS = 1 << 30


def client_of(flows: Iterable[Flow], port: int, directory: Path) -> Client:
    return Client(
        server="127.0.0.1",
        ports=[port],
        echo_port=0,
        payload=Payload(1),
        pacer=Pacer(1000, 0.01),
        flows=iter(flows),
        witnesses=0,
        witness_interval_s=1.0,
        patience_s=10.0,
        status_file=directory / "status.json",
    )


async def test_there_is_a_bound_to_the_flows_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_MOST_OPEN", 3)
    listener = socket.create_server(("127.0.0.1", 0))  # it answers nothing
    flows = [Flow(number, 0.0, ENDLESS, False) for number in range(10)]
    client = client_of(flows, listener.getsockname()[1], tmp_path)
    await client.run(0.1, asyncio.Event(), grace_s=0.1)
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["opened"], status["skipped"]) == (3, 7)
    listener.close()


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_flow_that_is_being_connected_at_the_end_is_cut_as_well(
    reverse: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    payload, pacer = Payload(1), Pacer(1000, 0.01)
    pacing = asyncio.create_task(pacer.run())
    listener = socket.create_server(("127.0.0.1", 0))
    server = await loop.create_server(lambda: ServerConnection(payload, pacer), sock=listener)
    connect = loop.create_connection

    async def slowly(*arguments: Any) -> Any:
        await asyncio.sleep(CONNECTING_S)
        return await connect(*arguments)

    monkeypatch.setattr(loop, "create_connection", slowly)
    flows = [Flow(0, 0.0, ENDLESS, reverse)]
    client = client_of(flows, listener.getsockname()[1], tmp_path)
    await client.run(CONNECTING_S / 3, asyncio.Event(), grace_s=5.0)
    assert [flow.outcome for flow in client.record.flows] == ["cut"]
    server.close()
    pacing.cancel()
