"""The test bed in the foreground: live load, a status line, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from controlplane.sizes.builtin import WEB_SEARCH
from nf.southbound import southbound_pb2 as pb
from nf.southbound.client import InstanceClient, SouthboundError
from testbed import terminal
from testbed.bed import CONTROLLER, FAILURES, Bed, BedOptions, Load
from testbed.load.options import LoadOptions
from testbed.lock import RunLock
from testbed.plan import RunDirectory
from testbed.workload import WEB_SEARCH_ELEPHANT

_STATUS_S = 1.0
_PLAIN_STATUS_S = 5.0  # where lines cannot be written over


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What is run."""

    directory: Path
    """Run directory: sockets, logs."""

    target: str
    """Switch target, or `auto`."""

    load: LoadOptions
    """The traffic."""

    instances: int
    """How many network function instances there are."""

    duration_s: float | None
    """When to end; none: when told to."""


def run(options: RunOptions) -> int:
    """Runs until SIGINT, SIGTERM or SIGHUP; the exit code."""
    console = terminal.console()
    # Until the status line waits for them, signals interrupt like Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    bed_options = BedOptions(
        run=RunDirectory(options.directory),
        target=options.target,
        rho=WEB_SEARCH.byte_share_from(WEB_SEARCH_ELEPHANT),
        instances=options.instances,
    )
    try:
        with RunLock(options.directory), console.status("starting") as status:
            bed = Bed(bed_options, lambda step: status.update(f"starting the {step}"))
            with bed:
                load = bed.start_load(options.load)
                status.update("running")
                console.print(_introduction(bed), highlight=False, soft_wrap=True)
                asyncio.run(_watch(bed, load, options.duration_s, _teller(console, status.update)))
                status.update("stopping")
                _ignore_signals()
    except FAILURES as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("testbed: interrupted while starting", file=sys.stderr)
        return 130
    console.print("stopped")
    return 0


def _introduction(bed: Bed) -> str:
    socket = bed.options.run.northbound
    return (
        f"switch: {bed.target.name}; controller: {socket}\n"
        "in another terminal: controlplane status | elephants | move-elephant nf1 nf2\n"
        "Ctrl-C stops everything"
    )


def _without_controller(bed: Bed) -> str:
    run = bed.options.run
    ended = f"the controller has ended (log: {run.log(CONTROLLER)})"
    if bed.target.thrift_address is not None:
        return ended  # only in the switch's namespace could another one read its registers
    return f"{ended}; if none stands by, `controlplane run --config {run.topology}` starts another"


def _ignore_signals() -> None:
    """What stops already needs not be told again."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _teller(console: Console, update: Callable[[str], None]) -> Callable[[str], None]:
    """Writes over the last line on a terminal; elsewhere, a line now and then."""
    if console.is_terminal:
        return update
    last = 0.0

    def tell(line: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _PLAIN_STATUS_S:
            last = time.monotonic()
            print(line, flush=True)

    return tell


@contextlib.contextmanager
def _stop_signals(stop: asyncio.Event) -> Generator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _watch(
    bed: Bed, load: Load, duration_s: float | None, tell: Callable[[str], None]
) -> None:
    """Shows how it goes until a signal comes. Raises BedError without the switch or the load."""
    stop = asyncio.Event()
    begin = time.monotonic()
    # Without one of these the others go on, and another one can be started.
    replaceable = {CONTROLLER, *(instance.name for instance in bed.instances)}
    has_controller_ended = False
    async with AsyncExitStack() as stack:
        stack.enter_context(_stop_signals(stop))
        clients = [
            await stack.enter_async_context(bed.instance(instance)) for instance in bed.instances
        ]
        last = await _loads(clients)
        last_s = begin
        while not stop.is_set():
            elapsed_s = time.monotonic() - begin
            if duration_s is not None and elapsed_s >= duration_s:
                return
            wait_s = _STATUS_S if duration_s is None else min(_STATUS_S, duration_s - elapsed_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait_s)
                return
            bed.check(but=replaceable)
            if not has_controller_ended and bed.children[CONTROLLER].exit_code is not None:
                has_controller_ended = True
                print(_without_controller(bed), flush=True)
            now, now_s = await _loads(clients), time.monotonic()
            names = [client.name for client in clients]
            tell(_status_line(load, names, last, now, now_s - last_s, now_s - begin))
            last, last_s = now, now_s


async def _loads(clients: list[InstanceClient]) -> list[pb.Load | None]:
    """Load and counters of the instances; none of one that does not answer."""
    loads: list[pb.Load | None] = []
    for client in clients:
        try:
            loads.append(await client.get_load(timeout_s=_STATUS_S))
        except SouthboundError:
            loads.append(None)
    return loads


def _status_line(
    load: Load,
    names: list[str],
    last: list[pb.Load | None],
    now: list[pb.Load | None],
    interval_s: float,
    elapsed_s: float,
) -> str:
    try:
        status = json.loads(load.status_file.read_text())
    except OSError:  # the load has not written it yet
        status = {"active": 0, "done": 0, "errors": 0, "skipped": 0}
    instances = [
        f"{name} {_instance_status(before, after, interval_s)}"
        for name, before, after in zip(names, last, now, strict=True)
    ]
    skipped = f", {status['skipped']} not opened" if status["skipped"] else ""
    return (
        f"{elapsed_s:.0f} s  {status['active']} flows open, {status['done']} done, "
        f"{status['errors']} failed{skipped}  {'  '.join(instances)}"
    )


def _instance_status(before: pb.Load | None, after: pb.Load | None, interval_s: float) -> str:
    if before is None or after is None:
        return "down"
    packets, octets = after.packets - before.packets, after.bytes - before.bytes
    return (
        f"{packets / interval_s:,.0f} packets/s {octets * 8e-6 / interval_s:.1f} Mbit/s "
        f"{after.flows} flows"
    )
