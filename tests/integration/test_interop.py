"""Independent controllers on every switch target: pytest tests/integration/test_interop.py

finsy and p4runtime-shell do the same: tables, counters, packets both ways and digests.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import finsy as fy
import pytest
from test_targets import free_port

from bmv2 import simple_switch, targets
from bmv2.target import SwitchOptions
from controlplane.cli.errors import CommandError
from controlplane.cli.shell import environment

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "programs" / "build"
P4INFO, DEVICE_CONFIG = PROGRAMS / "controller.p4info.txtpb", PROGRAMS / "controller.json"
SESSION = Path(__file__).with_name("shell_session.py")
_WAIT_S = 20.0

PROCESS = "FencedIngress.process"
HOST, CONTROLLER, SOURCE = 1, 2, 0x0A0B
FRAME = CONTROLLER.to_bytes(6, "big") + SOURCE.to_bytes(6, "big") + b"\x08\x00payload"


@pytest.fixture(params=["embedded", "simple_switch"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a switch serves P4Runtime, without ports but that of the controller."""
    name: str = request.param
    if name == "simple_switch" and not simple_switch.is_installed():
        pytest.skip("simple_switch_grpc is not on PATH")
    options = SwitchOptions(
        program=DEVICE_CONFIG,
        p4info=P4INFO,
        ports={},
        cpu_port=510,
        grpc_address=f"127.0.0.1:{free_port()}",
        log_file=tmp_path / "switch.log",
        thrift_port=free_port(),
    )
    target = targets.create(name, options)
    target.start()
    try:
        yield options.grpc_address
    finally:
        target.stop()


def host(number: int, action: str, **arguments: int) -> fy.P4TableEntry:
    match = fy.P4TableMatch(dst=number)
    return fy.P4TableEntry("hosts", match=match, action=fy.P4TableAction(action, **arguments))


def trap() -> fy.P4TableEntry:
    return host(CONTROLLER, "to_controller", reason=7)


async def read(client: fy.Switch, query: Any) -> list[Any]:
    found: Any = client.read(query)
    return [each async for each in found]


async def test_finsy(address: str) -> None:
    options = fy.SwitchOptions(
        p4info=P4INFO, p4blob=DEVICE_CONFIG, device_id=1, initial_election_id=1
    )
    async with asyncio.timeout(_WAIT_S), fy.Switch("s1", address, options) as client:
        packets, digests = client.read_packets(), client.read_digests("learned_t")
        packet, digest = (
            asyncio.ensure_future(anext(packets)),
            asyncio.ensure_future(anext(digests)),
        )
        await asyncio.sleep(0)  # the client listens from its first step on
        learn = fy.P4DigestEntry("learned_t", max_list_size=1, ack_timeout_ns=10**12)
        await client.write([+learn, +host(HOST, "to_port", port=1), +trap()])
        await client.write([~host(HOST, "drop")])
        found = await read(client, fy.P4TableEntry("hosts"))
        assert sorted((each.match["dst"], each.action.name) for each in found) == [
            (HOST, "drop"),
            (CONTROLLER, "to_controller"),
        ]

        await client.write([fy.P4PacketOut(FRAME, as_if_from=5, pad=0)])
        came = await packet
        assert (came.payload, came["port"], came["reason"]) == (FRAME, 5, 7)
        learned = await digest
        assert list(learned) == [{"address": SOURCE, "port": 5}]
        await client.write([learned.ack()])

        key = fy.P4TableEntry("hosts", match=fy.P4TableMatch(dst=CONTROLLER))
        (count,) = await read(client, fy.P4DirectCounterEntry("hits", table_entry=key))
        assert (count.packet_count, count.byte_count) == (1, len(FRAME) + 2)

        with pytest.raises(fy.P4ClientError) as caught:
            await client.write([+trap()])
        assert caught.value.details[0].canonical_code == fy.GRPCStatusCode.ALREADY_EXISTS
        await client.write([-trap()])
        assert len(await read(client, fy.P4TableEntry("hosts"))) == 1


def test_p4runtime_shell(address: str) -> None:
    try:
        python = environment(ROOT)
    except CommandError as error:
        pytest.skip(f"p4runtime-shell cannot be installed: {error}")
    run = subprocess.run(
        [python, SESSION, address, P4INFO, DEVICE_CONFIG],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert "ALREADY_EXISTS" in found.pop("second insert")
    assert found == {
        "entries": [["01", f"{PROCESS}.drop"], ["02", f"{PROCESS}.to_controller"]],
        "packet": [FRAME.hex(), ["05", "00", "07"]],
        "digest": ["0a0b", "05"],
        "counts": [[1, len(FRAME) + 2]],
        "left": 1,
    }
