"""One trial: a fresh test bed, a seeded load, at most one move, everything recorded."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from nf.southbound.client import FlowSummary, InstanceClient
from nf.southbound.flow import FiveTuple
from testbed import plan
from testbed.bed import Bed, Load
from testbed.capture import Capture, Packets
from testbed.child import BedError, cpu_s
from testbed.load.options import LoadOptions
from testbed.load.record import LoadRecord

_TICK_S = 0.25
_SNAPSHOT_LEAD_S = 0.5  # well before the move: listing flows costs the instance some time
_WIND_DOWN_S = 20.0
_START_S = 10.0
_SETTLE_S = 5.0
_QUIET_S = 0.25  # longer than TCP's least retransmission timeout


@dataclass(frozen=True, kw_only=True)
class TrialOptions:
    """What is done in a trial."""

    strategy: str
    """`none`, or the kind of a MoveRequest."""

    guarantee: str = "loss-free"
    """What is promised to the packets of moved flows: as in a MoveRequest."""

    keep_at: str | None = None
    """Where packets wait: as in a MoveRequest; None: where the strategy keeps them."""

    load: LoadOptions
    """The traffic."""

    duration_s: float
    """How long new flows arrive."""

    move_at_s: float
    """When the move is asked for, after the start of the load."""


@dataclass(frozen=True)
class Knowledge:
    """The flows that each instance has state for, at one time."""

    at: float
    """Wall clock, in seconds."""

    flows: dict[str, dict[FiveTuple, FlowSummary]]
    """By the name of the instance."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """All that was recorded in a trial."""

    options: TrialOptions
    target: str
    load: LoadRecord
    asked_at: float
    """Wall clock when the move was asked for (or would have been)."""
    answered_at: float
    """Wall clock when it was known to be over."""
    move: dict[str, Any] | None
    """The controller's report."""
    into_switch: dict[str, Packets]
    """What the hosts sent, by name."""
    out_of_switch: dict[str, Packets]
    """What hosts and instances were sent, by name."""
    overflow: int
    """Packets that the captures missed; the account is void unless 0."""
    before: Knowledge
    """Shortly before the move."""
    after: Knowledge
    """Right after the move."""
    nf_dropped: int
    """Packets lost at the instances' own sockets."""
    cpu_s: dict[str, float]
    """Processor time of each process while the load ran."""


@dataclass
class Progress:
    """What a trial tells while it runs."""

    elapsed_s: float = 0.0
    active: int = 0
    done: int = 0
    errors: int = 0
    packets: int = 0
    phase: str = "load"


@dataclass
class _Taps:
    """The captures of a trial."""

    into_switch: dict[str, Capture] = field(default_factory=dict)
    out_of_switch: dict[str, Capture] = field(default_factory=dict)

    @classmethod
    def open(cls, bed: Bed) -> _Taps:
        """Starts all captures. Raises OSError."""
        hosts = [host.name for host in plan.HOSTS]
        instances = [instance.name for instance in plan.INSTANCES]
        return cls(
            {name: bed.capture_into_switch(name) for name in hosts},
            {name: bed.capture_out_of_switch(name) for name in (*hosts, *instances)},
        )

    def drain(self) -> None:
        """Empties the rings."""
        for capture in (*self.into_switch.values(), *self.out_of_switch.values()):
            capture.drain()

    async def settle(self) -> None:
        """Waits until the network is quiet, so that no packet is on its way at the end."""
        deadline, before = time.time() + _SETTLE_S, -1
        while before != self.packets and time.time() < deadline:
            before = self.packets
            await asyncio.sleep(_QUIET_S)
            self.drain()

    @property
    def packets(self) -> int:
        """Packets captured from the hosts so far."""
        return sum(capture.count for capture in self.into_switch.values())

    @property
    def overflow(self) -> int:
        """Packets missed so far."""
        every = (*self.into_switch.values(), *self.out_of_switch.values())
        return sum(capture.overflow for capture in every)


class _Run:
    """A trial under way."""

    def __init__(
        self,
        bed: Bed,
        options: TrialOptions,
        clients: dict[str, InstanceClient],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._bed = bed
        self._options = options
        self._clients = clients
        self._on_progress = on_progress
        self._progress = Progress()
        self._cpu_s: dict[str, float] = {}
        self._taps = _Taps.open(bed)

    async def run(self) -> Trial:
        """Runs the load and the move. Raises BedError, SouthboundError, NorthboundError."""
        options, bed = self._options, self._bed
        load = bed.start_load(options.load, options.duration_s)
        started = await self._await_start(load)
        self._note_cpu()
        used_before = dict(self._cpu_s)
        moving = asyncio.create_task(self._move(started), name="move")
        deadline = started + options.duration_s + _WIND_DOWN_S
        try:
            while load.client.exit_code is None or not moving.done():
                if moving.done():
                    moving.result()  # what went wrong, goes on here
                self._tick(load, started)
                if time.time() > deadline:
                    raise BedError("the load or the move does not end")
                await asyncio.sleep(_TICK_S)
            before, asked_at, report, answered_at, after = await moving
        finally:
            moving.cancel()
            await asyncio.gather(moving, return_exceptions=True)
        self._note_cpu()
        used = {name: value - used_before.get(name, 0.0) for name, value in self._cpu_s.items()}
        if load.client.exit_code != 0:
            raise BedError(f"the load failed: {load.client.last_words()}")
        taps = self._taps
        await taps.settle()
        loads = [await client.get_load() for client in self._clients.values()]
        into = {name: capture.close() for name, capture in taps.into_switch.items()}
        out = {name: capture.close() for name, capture in taps.out_of_switch.items()}
        return Trial(
            options=options,
            target=bed.target.name,
            load=LoadRecord.read(load.result_file),
            asked_at=asked_at,
            answered_at=answered_at,
            move=report,
            into_switch=into,
            out_of_switch=out,
            overflow=taps.overflow,
            before=before,
            after=after,
            nf_dropped=sum(load.dropped for load in loads),
            cpu_s=used,
        )

    async def _await_start(self, load: Load) -> float:
        deadline = time.time() + _START_S
        while not load.status_file.exists():
            load.client.check()
            if time.time() > deadline:
                raise BedError("the load does not start")
            await asyncio.sleep(0.01)
        return float(json.loads(load.status_file.read_text())["started"])

    async def _move(
        self, started: float
    ) -> tuple[Knowledge, float, dict[str, Any] | None, float, Knowledge]:
        options = self._options
        await _sleep_until(started + options.move_at_s - _SNAPSHOT_LEAD_S)
        before = await self._ask()
        await _sleep_until(started + options.move_at_s)
        asked_at = time.time()
        report = None
        if options.strategy != "none":
            self._progress.phase = options.strategy
            report = await self._bed.northbound.move(
                options.strategy,
                plan.NF1.name,
                plan.NF2.name,
                guarantee=options.guarantee,
                keep_at=options.keep_at,
            )
            self._progress.phase = "after the move"
        answered_at = time.time()
        return before, asked_at, report, answered_at, await self._ask()

    async def _ask(self) -> Knowledge:
        """What both instances know."""
        at = time.time()
        flows = {
            name: {summary.flow: summary for summary in await client.list_flows()}
            for name, client in self._clients.items()
        }
        return Knowledge(at, flows)

    def _tick(self, load: Load, started: float) -> None:
        self._taps.drain()
        self._note_cpu()
        if load.client.exit_code is None:
            self._bed.check()
        progress = self._progress
        progress.elapsed_s = time.time() - started
        status = json.loads(load.status_file.read_text())
        progress.active, progress.done = status["active"], status["done"]
        progress.errors, progress.packets = status["errors"], self._taps.packets
        self._on_progress(progress)

    def _note_cpu(self) -> None:
        """Keeps the most that each process has used: of one that has ended nothing is known."""
        for name, pid in self._bed.pids().items():
            self._cpu_s[name] = max(self._cpu_s.get(name, 0.0), cpu_s(pid))


async def _sleep_until(wall_s: float) -> None:
    await asyncio.sleep(max(0.0, wall_s - time.time()))


async def run_trial(
    bed: Bed, options: TrialOptions, on_progress: Callable[[Progress], None]
) -> Trial:
    """Runs a trial on a bed that has just been started.

    Raises BedError, SouthboundError, NorthboundError.
    """
    async with AsyncExitStack() as stack:
        clients = {
            instance.name: await stack.enter_async_context(bed.instance(instance))
            for instance in plan.INSTANCES
        }
        return await _Run(bed, options, clients, on_progress).run()
