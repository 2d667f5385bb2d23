"""A P4Runtime server over fake data planes, in the process of the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from fake_backend import FakeBackend

from bmv2.embedded.p4runtime.pipeline_config import LoadError
from bmv2.embedded.p4runtime.server import listen
from bmv2.embedded.p4runtime.service import P4RuntimeService


@dataclass
class Switch:
    address: str
    service: P4RuntimeService
    loaded: list[FakeBackend] = field(default_factory=list[FakeBackend])
    may_load: threading.Event = field(default_factory=threading.Event)
    is_loading: threading.Event = field(default_factory=threading.Event)

    @property
    def backend(self) -> FakeBackend:
        """The data plane that was loaded last."""
        return self.loaded[-1]


@asynccontextmanager
async def running_switch(device_id: int, address: str) -> AsyncGenerator[Switch]:
    def load(device_config: bytes) -> FakeBackend:
        switch.is_loading.set()
        switch.may_load.wait()
        if not device_config.startswith(b"{"):
            raise LoadError("the device config is no JSON")
        switch.loaded.append(FakeBackend())
        return switch.backend

    service = P4RuntimeService(device_id, load)
    switch = Switch(address, service)
    switch.may_load.set()
    server = await listen(service, address)
    running = asyncio.create_task(service.run())
    try:
        yield switch
    finally:
        await server.stop(None)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
