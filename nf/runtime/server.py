"""An instance as a process: opens its port, serves its southbound address, stops cleanly."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import grpc

from nf.runtime.flow_table import FlowTableOptions
from nf.runtime.function import NetworkFunction, State
from nf.runtime.instance import Instance
from nf.runtime.packet_ring import PacketRing, PacketRingError
from nf.runtime.servicer import SouthboundServicer
from nf.southbound.southbound_pb2_grpc import add_NetworkFunctionServicer_to_server

_log = logging.getLogger(__name__)

_UNIX = "unix:"
_MAX_MESSAGE_BYTES = 256 << 20
_STOP_GRACE_S = 0.2

_Server: TypeAlias = "grpc.aio.Server"


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

    ring_bytes: int = 32 << 20
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
        server = await _listen(instance, options.listen)
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


async def _listen(instance: Instance[State], address: str) -> _Server:
    if address.startswith(_UNIX):
        _check_socket(address)
    server = grpc.aio.server(
        options=[
            # Otherwise a second instance on the same port would get half of the calls.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ]
    )
    add_NetworkFunctionServicer_to_server(SouthboundServicer(instance), server)
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError:
        bound = 0
    if not bound:
        raise RunError(f"cannot listen on {address}: in use, or no such address")
    await server.start()
    return server


def _check_socket(address: str) -> None:
    """Makes sure that nobody listens on a unix socket; gRPC would take it over."""
    path = Path(address.removeprefix(_UNIX))
    if not path.parent.is_dir():
        raise RunError(f"cannot listen on {address}: no such directory")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise RunError(f"cannot listen on {address}: a file that is no socket is in the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()  # left behind by a process that was killed
            return
        except OSError as error:
            raise RunError(f"cannot listen on {address}: {error.strerror}") from None
    raise RunError(f"cannot listen on {address}: another process does")
