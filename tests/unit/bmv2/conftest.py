from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from fake_switch import Switch, running_switch
from p4rt_bench import Bench, Start
from p4rt_client import DEVICE, Controller, controller, program


@pytest_asyncio.fixture
async def switch(tmp_path: Path) -> AsyncGenerator[Switch]:
    async with running_switch(DEVICE, f"unix:{tmp_path}/p4rt.sock") as running:
        yield running


@pytest_asyncio.fixture
async def primary(switch: Switch) -> AsyncGenerator[Controller]:
    """A controller that is the primary, with our program loaded."""
    async with controller(switch.address) as client:
        await client.arbitrate(10)
        await client.set_program(program())
        yield client


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts small programs on a data plane, and stops them in the end."""
    benches: list[Bench] = []

    def make(name: str) -> Bench:
        benches.append(Bench(name))
        return benches[-1]

    yield make
    for bench in benches:
        bench.dataplane.stop()
