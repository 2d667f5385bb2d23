from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest_asyncio
from fake_backend import FakeBackend
from p4rt_client import DEVICE, Controller, controller, program

from bmv2.embedded.p4runtime.pipeline_config import LoadError
from bmv2.embedded.p4runtime.server import listen
from bmv2.embedded.p4runtime.service import P4RuntimeService


@dataclass
class Switch:
    """A P4Runtime server over fake data planes, in this process."""

    address: str
    service: P4RuntimeService
    loaded: list[FakeBackend] = field(default_factory=list[FakeBackend])

    @property
    def backend(self) -> FakeBackend:
        """The data plane that was loaded last."""
        return self.loaded[-1]


@pytest_asyncio.fixture
async def switch(tmp_path: Path) -> AsyncGenerator[Switch]:
    loaded: list[FakeBackend] = []

    def load(device_config: bytes) -> FakeBackend:
        if not device_config.startswith(b"{"):
            raise LoadError("the device config is no JSON")
        loaded.append(FakeBackend())
        return loaded[-1]

    service = P4RuntimeService(DEVICE, load)
    address = f"unix:{tmp_path}/p4rt.sock"
    server = await listen(service, address)
    running = asyncio.create_task(service.run())
    yield Switch(address, service, loaded)
    await server.stop(None)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest_asyncio.fixture
async def primary(switch: Switch) -> AsyncGenerator[Controller]:
    """A controller that is the primary, with our program loaded."""
    async with controller(switch.address) as client:
        await client.arbitrate(10)
        await client.set_program(program())
        yield client
