"""The embedded switch in one process: its data plane and its P4Runtime server."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from finsy.proto import p4i, p4r
from google.protobuf import text_format

from bmv2.embedded.dataplane import CompileError, Dataplane, UnsupportedProgram
from bmv2.embedded.observation import Observation
from bmv2.embedded.p4runtime.errors import P4RuntimeError
from bmv2.embedded.p4runtime.pipeline_config import LoadError
from bmv2.embedded.p4runtime.server import listen
from bmv2.embedded.p4runtime.service import P4RuntimeService
from bmv2.embedded.p4runtime.tls import TlsOptions, credentials
from bmv2.errors import SwitchError
from bmv2.listening import ListenError, check_free

_log = logging.getLogger(__name__)

_STOP_GRACE_S = 0.2
_LOSSES_S = 1.0


@dataclass(frozen=True, kw_only=True)
class EmbeddedSwitchOptions:
    """What `python -m bmv2 run` is told."""

    program: Path | None
    """BMv2 JSON as p4c writes it; none to wait for a controller to set it."""

    p4info: Path | None
    """P4Info of the program, as protobuf text."""

    ports: Mapping[int, str]
    """Port number to network interface."""

    cpu_port: int
    """The port of packet_in and packet_out."""

    grpc_address: str
    """Where the P4Runtime server listens: `host:port` or `unix:/path`."""

    device_id: int
    """P4Runtime device id."""

    tls: TlsOptions | None = None
    """How P4Runtime is encrypted; it is not without."""

    observation: Observation
    """What it writes of its packets."""


async def serve(options: EmbeddedSwitchOptions) -> None:
    """Runs the switch until SIGTERM or SIGINT; SIGUSR1 writes the ports' counts to the log.

    Raises SwitchError.
    """
    main = asyncio.current_task()
    if main is None:
        raise SwitchError("the switch must run in a task")
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, main.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await _serve(options)
    _log.info("stopped")


async def _serve(options: EmbeddedSwitchOptions) -> None:
    def load(device_config: bytes) -> Dataplane:
        # A program in the place of another goes on with the ports that there still are.
        is_first = not any(each.is_running for each in loaded)
        try:
            dataplane = Dataplane.load(
                device_config,
                ports=options.ports if is_first else _present(options.ports),
                cpu_port=options.cpu_port,
                observation=options.observation,
            )
        except (UnsupportedProgram, CompileError, OSError, MemoryError) as error:
            raise LoadError(str(error)) from error
        loaded.add(dataplane)
        return dataplane

    def running() -> list[Dataplane]:
        return [dataplane for dataplane in loaded if dataplane.is_running]

    def log_counts() -> None:
        for dataplane in running():
            dataplane.log_counts()

    async def watch_losses() -> None:
        while True:
            await asyncio.sleep(_LOSSES_S)
            for dataplane in running():
                dataplane.log_losses()

    loaded = weakref.WeakSet[Dataplane]()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, log_counts)
    service = P4RuntimeService(options.device_id, load)
    try:
        # First what can be wrong: compiling a program in vain would take seconds.
        check_free(options.grpc_address)
        secrets = None if options.tls is None else credentials(options.tls)
        if options.program is not None and options.p4info is not None:
            await _load_program(service, options.program, options.p4info)
        server = await listen(service, options.grpc_address, secrets)
    except ListenError as error:
        service.close()
        raise SwitchError(str(error)) from error
    gc.freeze()  # what is there now stays: not to be looked through again and again
    _log.info("device %d serves P4Runtime on %s", options.device_id, options.grpc_address)
    watch = asyncio.create_task(watch_losses(), name="losses")
    try:
        await service.run()
    finally:
        watch.cancel()
        await server.stop(_STOP_GRACE_S)


def _present(ports: Mapping[int, str]) -> Mapping[int, str]:
    """The ports whose interfaces are there."""
    interfaces = {name for _, name in socket.if_nameindex()}
    for number, interface in ports.items():
        if interface not in interfaces:
            _log.warning("port %d: there is no network interface %s any more", number, interface)
    return {number: name for number, name in ports.items() if name in interfaces}


async def _load_program(service: P4RuntimeService, program: Path, p4info: Path) -> None:
    try:
        await service.load(_config(program, p4info))
    except P4RuntimeError as error:
        raise SwitchError(f"{program}: {error}") from error


def _config(program: Path, p4info: Path) -> p4r.ForwardingPipelineConfig:
    try:
        return p4r.ForwardingPipelineConfig(
            p4info=text_format.Parse(p4info.read_text(), p4i.P4Info()),
            p4_device_config=program.read_bytes(),
        )
    except OSError as error:
        raise SwitchError(f"{error.filename}: {error.strerror}") from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise SwitchError(f"{p4info} is no P4Info: {error}") from error
