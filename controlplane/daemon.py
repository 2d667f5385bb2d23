"""The controller as a process: everything is opened, run and closed here."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import uvloop

from controlplane.config import Config, load
from controlplane.live import LiveController, members_of
from controlplane.migration.buffer import PacketBuffer
from controlplane.migration.errors import MoveError
from controlplane.migration.journal import Journal, JournalError
from controlplane.migration.memory import Memory
from controlplane.migration.restore import homes_under_way, restore_rules
from controlplane.migration.session_switch import SessionSwitch
from controlplane.northbound.app import create_app
from controlplane.northbound.listener import ListenError, Server, listening
from controlplane.registers.choose import open_reader
from controlplane.signals import Signals
from controlplane.switch import entries
from controlplane.switch.entries import Entry
from controlplane.switch.errors import SwitchError
from controlplane.switch.provision import provision, turned_buckets
from controlplane.switch.session import SwitchSession
from controlplane.switch.stand_by import stand_by
from controlplane.topology import Topology, TopologyError
from nf.southbound.client import InstanceClient

_RECONNECT_PAUSE_S = 0.2

logger = logging.getLogger(__name__)


class DaemonError(Exception):
    """The controller cannot start, or cannot go on. One line."""


def run_daemon(path: Path, *, stands_by: bool = False) -> None:
    """Runs the controller until SIGINT or SIGTERM. Raises ConfigError and DaemonError.

    One that stands by waits until the switch has no other controller.
    """
    config = load(path)
    try:
        topology = Topology(config)
    except TopologyError as error:
        raise DaemonError(f"{path}: {error}") from None
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        uvloop.run(_run(config, topology, stands_by=stands_by))
    except asyncio.CancelledError:
        logger.info("stopped before it was ready")
    except (ListenError, SwitchError, MoveError, JournalError) as error:
        raise DaemonError(str(error)) from None


@dataclass
class _House:
    """What outlives a session with the switch."""

    listener: socket.socket
    clients: Mapping[str, InstanceClient]
    memory: Memory
    lost_s: float | None = None
    """Since when the switch is gone; none before the first session, and during one."""


async def _run(config: Config, topology: Topology, *, stands_by: bool) -> None:
    signals = Signals()
    async with AsyncExitStack() as stack:
        stack.enter_context(signals.heeded())
        if stands_by:
            await stand_by(config.switch)
        house = await _house(config, stack)
        while True:
            try:
                await _session(config, topology, house, signals)
                return
            except SwitchError as error:
                now_s = time.monotonic()
                if error.is_superseded or house.lost_s is None:
                    raise
                if now_s - house.lost_s >= config.reconnect_s:
                    raise
                logger.warning("%s; it is waited for", error)


async def _house(config: Config, stack: AsyncExitStack) -> _House:
    """What is opened, the stack closes. Raises ListenError and JournalError."""
    listener = stack.enter_context(listening(config.northbound))
    journal = stack.enter_context(closing(Journal(config.journal)))
    clients = {
        instance.name: await stack.enter_async_context(
            InstanceClient(instance.name, instance.southbound)
        )
        for instance in config.instances
    }
    buffer = PacketBuffer(config.buffer.max_packets, config.buffer.max_bytes)
    return _House(listener, clients, Memory(buffer, journal))


async def _session(config: Config, topology: Topology, house: _House, signals: Signals) -> None:
    """Runs until it is stopped. Raises SwitchError, MoveError and JournalError."""
    async with AsyncExitStack() as stack:
        controller, server = await _open(config, topology, house, stack)
        house.lost_s = None
        with signals.stopping() as stopping:
            try:
                await _serve(controller, server, stopping)
            except ExceptionGroup as group:
                house.lost_s = time.monotonic()
                # Not `except*`: before Python 3.11.4 what it raises comes in a group.
                _, others = group.split((SwitchError, MoveError, JournalError))
                if others is not None:
                    raise
                raise _first(group) from None


async def _open(
    config: Config, topology: Topology, house: _House, stack: AsyncExitStack
) -> tuple[LiveController, Server]:
    """Brings the switch into the state that the configuration wants; what is opened, the
    stack closes. Raises SwitchError, MoveError and JournalError.
    """
    if house.lost_s is not None:
        await asyncio.sleep(_RECONNECT_PAUSE_S)
    session = await stack.enter_async_context(SwitchSession(config.switch))
    switch = SessionSwitch(session, config.timers.flow_rule_timeout_s)
    members = members_of(config, house.clients)
    house.memory.journal.claim()  # whoever was the primary before is to begin nothing more
    turned: list[Entry] = []
    # What lets the traffic in is written last: without it, who began has not come to its end.
    is_new = session.program_was_loaded or not await session.read_entries(entries.STEER)
    if is_new:
        # Before the traffic is let in, so that no flow goes where its state is not.
        turned = turned_buckets(config, house.memory.journal)
        under_way = homes_under_way(house.memory.journal.open_moves(), members)
        journal = house.memory.journal
        rules = await restore_rules(switch, members.values(), journal, under_way)
        logger.info("switch %s: has been started anew, %d flow rules", config.switch.name, rules)
    updates = await provision(session, config, topology, turned)
    logger.info("switch %s: %d entries written", config.switch.name, updates)
    reader = await open_reader(config.switch, session.program)
    stack.push_async_callback(reader.close)
    controller = LiveController(
        config,
        switch,
        session,
        reader,
        members,
        house.clients,
        house.memory,
        switch_is_new=is_new,
    )
    # The server closes what it is given.
    return controller, Server(create_app(controller), house.listener.dup())


async def _serve(controller: LiveController, server: Server, stopping: asyncio.Event) -> None:
    """Runs engine and API until it is stopped; moves under way are rolled back first.

    Raises SwitchError, in a group, when the switch is gone.
    """
    engine = controller.engine
    _settle_memory()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(engine.run(), name="engine")
        await engine.ready.wait()
        learning = tasks.create_task(controller.learn(), name="learning")
        serving = tasks.create_task(server.run_until_stopped(), name="northbound")
        logger.info("ready")
        waiting = tasks.create_task(stopping.wait(), name="signal")
        await asyncio.wait({running, serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        learning.cancel()
        engine.stop()
        await running
        server.stop()
        waiting.cancel()
    logger.info("stopped")


def _settle_memory() -> None:
    """What is there now stays: it is not to be looked through again and again for cycles.

    What an earlier session has left goes first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
