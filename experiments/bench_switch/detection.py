"""What the controller does with a switch under test: its entries, and detection."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bmv2.target import Target
from controlplane.config import Config, load
from controlplane.detection.filter_api import ElephantDetector
from controlplane.detection.monitor import FlowMonitor
from controlplane.registers.choose import open_reader
from controlplane.switch.provision import provision
from controlplane.switch.session import SwitchSession
from controlplane.topology import Topology
from experiments.bench_switch.ground import STEERED_SOURCE, Case, Ground
from experiments.bench_switch.native import BenchError
from experiments.spread import Spread
from testbed import plan
from testbed.bed import P4INFO, PROGRAM
from testbed.plan import RunDirectory

ACTIVE_FLOWS = 1000
_RHO = 0.35
_BACKGROUND_PPS = 12_000.0  # each flow within the activity window, also on a slow switch
_WARM_UP_S = 5.0
_MOST = 0.9
_TIMES = 20


def configure(directory: Path, target: Target) -> Config:
    """The controller's configuration for a switch of the benchmark."""
    run = RunDirectory(directory)
    text = plan.topology(
        run, program=PROGRAM, p4info=P4INFO, thrift=target.thrift_address, rho=_RHO
    )
    run.topology.write_text(text)
    return load(run.topology)


@contextlib.asynccontextmanager
async def _session(config: Config) -> AsyncGenerator[SwitchSession]:
    async with SwitchSession(config.switch) as session:
        await provision(session, config, Topology(config))
        yield session


async def write_entries(config: Config) -> None:
    """Writes all entries to the switch. Raises SwitchError."""
    async with _session(config):
        pass


async def measure_detection(config: Config, ground: Ground, window_us: int) -> Spread:
    """Milliseconds to detect, again and again while 1,000 flows are active. Raises SwitchError."""
    async with contextlib.AsyncExitStack() as stack:
        # Thrift is on the loopback of the switch's namespace: the thread that reads goes there.
        inside = ground.switch.entered()
        executor = stack.enter_context(ThreadPoolExecutor(1, initializer=inside.__enter__))
        asyncio.get_running_loop().set_default_executor(executor)
        session = await stack.enter_async_context(_session(config))
        reader = await open_reader(config.switch, session.program)
        stack.push_async_callback(reader.close)
        detector = ElephantDetector(FlowMonitor(reader, session, window_us), config.detection)
        case = Case(
            name="background", frame_bytes=200, source=STEERED_SOURCE, out_port=plan.NF1.port
        )
        stack.enter_context(ground.background(case, _BACKGROUND_PPS, ACTIVE_FLOWS))
        await _warm_up(detector)
        times_ms: list[float] = []
        for _ in range(_TIMES):
            began_s = time.perf_counter()
            await detector.filter_channel(None)
            times_ms.append((time.perf_counter() - began_s) * 1e3)
    return Spread.of(times_ms)


async def _warm_up(detector: ElephantDetector) -> None:
    """Until most flows are active. Raises BenchError."""
    deadline_s = time.perf_counter() + _WARM_UP_S
    while (active := (await detector.filter_channel(None)).active_flows) < ACTIVE_FLOWS * _MOST:
        if time.perf_counter() > deadline_s:
            raise BenchError(f"of {ACTIVE_FLOWS} flows only {active} are active at once")
