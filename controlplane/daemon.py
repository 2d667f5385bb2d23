"""The controller as a process: everything is opened, run and closed here."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from controlplane.config import Config, load
from controlplane.live import LiveController
from controlplane.migration.engine import Engine
from controlplane.migration.errors import MoveError
from controlplane.migration.session_switch import SessionSwitch
from controlplane.northbound.app import create_app
from controlplane.northbound.listener import ListenError, Server, listening
from controlplane.registers.choose import open_reader
from controlplane.switch.errors import SwitchError
from controlplane.switch.provision import provision
from controlplane.switch.session import SwitchSession
from controlplane.topology import Topology, TopologyError
from nf.southbound.client import InstanceClient

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

logger = logging.getLogger(__name__)


class DaemonError(Exception):
    """The controller cannot start, or cannot go on. One line."""


def run_daemon(path: Path) -> None:
    """Runs the controller until SIGINT or SIGTERM. Raises ConfigError and DaemonError."""
    config = load(path)
    try:
        topology = Topology(config)
    except TopologyError as error:
        raise DaemonError(f"{path}: {error}") from None
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        asyncio.run(_run(config, topology))
    except asyncio.CancelledError:
        logger.info("stopped before it was ready")
    except (ListenError, SwitchError, MoveError) as error:
        raise DaemonError(str(error)) from None


async def _run(config: Config, topology: Topology) -> None:
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(_open(config, topology, stack), name="opening")
        with _on_signals(opening.cancel):
            engine, server = await opening
        stopping = asyncio.Event()
        with _on_signals(stopping.set):
            try:
                await _serve(engine, server, stopping)
            except ExceptionGroup as group:
                # Not `except*`: before Python 3.11.4 what it raises comes in a group.
                _, others = group.split((SwitchError, MoveError))
                if others is not None:
                    raise
                raise _first(group) from None


async def _open(config: Config, topology: Topology, stack: AsyncExitStack) -> tuple[Engine, Server]:
    """Brings the switch into the state that the configuration wants; what is opened, the
    stack closes. Raises ListenError and SwitchError.
    """
    listener = stack.enter_context(listening(config.northbound))
    session = await stack.enter_async_context(SwitchSession(config.switch))
    updates = await provision(session, config, topology)
    logger.info("switch %s: %d entries written", config.switch.name, updates)
    reader = await open_reader(config.switch, session.program)
    stack.push_async_callback(reader.close)
    clients = {
        instance.name: await stack.enter_async_context(
            InstanceClient(instance.name, instance.southbound)
        )
        for instance in config.instances
    }
    switch = SessionSwitch(session, config.timers.flow_rule_timeout_s)
    controller = LiveController(config, switch, session, reader, clients)
    return controller.engine, Server(create_app(controller), listener)


async def _serve(engine: Engine, server: Server, stopping: asyncio.Event) -> None:
    """Runs engine and API until it is stopped; moves under way are rolled back first.

    Raises SwitchError, in a group, when the switch is gone.
    """
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(engine.run(), name="engine")
        await engine.ready.wait()
        serving = tasks.create_task(server.run_until_stopped(), name="northbound")
        logger.info("ready")
        waiting = tasks.create_task(stopping.wait(), name="signal")
        await asyncio.wait({running, serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        engine.stop()
        await running
        server.stop()
        waiting.cancel()
    logger.info("stopped")


@contextmanager
def _on_signals(action: Callable[[], object]) -> Generator[None]:
    """SIGINT and SIGTERM call `action`, in the event loop."""
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, action)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
