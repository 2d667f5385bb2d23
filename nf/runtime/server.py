"""An instance as a process: opens its port, serves its southbound address, stops cleanly."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from dataclasses import dataclass, field

from nf.runtime.flow_table import FlowTableOptions
from nf.runtime.function import NetworkFunction, State
from nf.runtime.instance import Instance
from nf.runtime.listen import ListenError, listen
from nf.runtime.packet_ring import PacketRing, PacketRingError

_log = logging.getLogger(__name__)

_STOP_GRACE_S = 0.2


class RunError(Exception):
    """The instance cannot run. The message is one line: what, where, what to do."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How an instance is run."""

    name: str
    """Its name, as the controller's topology has it."""

    interface: str
    """The network interface that is its port."""

    listen: str
    """Where it serves the southbound protocol: `unix:/path` or `host:port`."""

    ring_bytes: int = 16 << 20
    """Size of the receive ring: a burst of this much is not lost, at 2 KiB a packet."""

    table: FlowTableOptions = field(default_factory=FlowTableOptions)
    """How long state is kept."""


async def run(function: NetworkFunction[State], options: RunOptions) -> None:
    """Runs an instance until SIGTERM or SIGINT. Raises RunError.

    It is ready when GetInfo answers.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        ring = PacketRing(options.interface, ring_bytes=options.ring_bytes)
    except PacketRingError as error:
        raise RunError(str(error)) from None
    try:
        instance = Instance(options.name, function, ring, options.table)
        try:
            server = await listen(instance, options.listen)
        except ListenError as error:
            raise RunError(str(error)) from None
        _log.info(
            "%s runs %s on %s, serves %s",
            *(options.name, function.name, options.interface, options.listen),
        )
        gc.freeze()  # what is there now stays: not to be looked through again and again
        working = asyncio.create_task(instance.run(), name=f"packets of {options.name}")
        stopping = asyncio.create_task(stop.wait(), name=f"stop of {options.name}")
        try:
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await server.stop(_STOP_GRACE_S)
            for task in (working, stopping):
                task.cancel()
            await asyncio.wait([working, stopping])
        if not working.cancelled():
            working.result()  # raises what ended it
    finally:
        ring.close()
    _log.info("%s has stopped", options.name)
