"""The client of the load against its server, on loopback.

Run: pytest tests/unit/testbed/test_load_client.py
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from testbed.load.client import Client
from testbed.load.pacer import Pacer
from testbed.load.payload import Payload
from testbed.load.server import ServerConnection
from testbed.workload import Flow

CONNECTING_S = 0.3
ENDLESS = 1 << 30


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
    client = Client(
        server="127.0.0.1",
        ports=[listener.getsockname()[1]],
        echo_port=0,
        payload=payload,
        pacer=pacer,
        flows=iter([Flow(0, 0.0, ENDLESS, reverse)]),
        witnesses=0,
        witness_interval_s=1.0,
        patience_s=10.0,
        status_file=tmp_path / "status.json",
    )
    await client.run(CONNECTING_S / 3, asyncio.Event(), grace_s=5.0)
    assert [flow.outcome for flow in client.record.flows] == ["cut"]
    server.close()
    pacing.cancel()
