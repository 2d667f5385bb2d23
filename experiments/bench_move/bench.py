"""Moves the same flows in every way, back and forth, and measures each move."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.bench_move.cases import CASES, Case
from experiments.bench_move.picture import draw
from experiments.bench_move.report import Results, Sample
from experiments.bench_move.traffic import ACTIVITY_WINDOW_MS, Mix, Traffic
from testbed import plan, terminal
from testbed.bed import FAILURES, Bed, BedOptions
from testbed.child import BedError, cpu_s
from testbed.lock import RunLock
from testbed.plan import RunDirectory

_RHO_SLACK = 0.01  # of the elephants' share: counters are not quite even at any moment
_WARM_UP_S = 2.5
_BEFORE_S = 0.3
_AFTER_S = 0.2
_QUIET_S = 0.3
_DEADLINE_S = 60.0
_POLL_S = 0.02


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """How the benchmark is run."""

    flows: Sequence[int]
    """Numbers of active flows."""
    rounds: int
    """Moves in each way."""
    target: str
    """Switch target, or `auto`."""
    out: Path
    """Where the results go."""
    picture: Path
    """Where the picture goes."""
    directory: Path
    """Run directory: sockets, logs."""


def run(options: BenchOptions) -> int:
    """Runs the benchmark; the exit code."""
    console = terminal.console()
    results = Results()
    try:
        with RunLock(options.directory), console.status("starting") as status:
            for flows in options.flows:
                _measure(options, flows, results, status.update)
    except (*FAILURES, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    for flows in options.flows:
        for table in results.tables(flows):
            console.print(table)
    for line in results.wanted():
        console.print(line, highlight=False, soft_wrap=True)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "bench-move.json"
    path.write_text(json.dumps(results.as_json(), indent=1))
    draw(results, options.picture)
    console.print(f"written: {path}, {options.picture}", soft_wrap=True)
    return 1 if results.lost else 0


def _measure(
    options: BenchOptions, flows: int, results: Results, tell: Callable[[str], None]
) -> None:
    """All cases on one bed, one after the other in each round."""
    tell(f"{flows:,} flows: starting")
    mix = Mix(flows)
    bed_options = BedOptions(
        run=RunDirectory(options.directory),
        target=options.target,
        rho=mix.elephants_share - _RHO_SLACK,
        activity_window_ms=ACTIVITY_WINDOW_MS,
    )
    with Bed(bed_options) as bed:
        hosts = (bed.namespace(host.name) for host in plan.HOSTS)
        with contextlib.closing(Traffic(mix, *hosts)) as traffic:
            ground = _Ground(bed, traffic)
            with traffic:
                time.sleep(_WARM_UP_S)
            for number in range(options.rounds):
                for case in CASES:
                    tell(f"{flows:,} flows, round {number + 1} of {options.rounds}: {case.name}")
                    results.add(flows, case, asyncio.run(ground.measure(case)))


class _Ground:
    """A bed with traffic; all flows are at one of its instances between two measurements."""

    def __init__(self, bed: Bed, traffic: Traffic) -> None:
        self._bed = bed
        self._traffic = traffic
        self._at, self._other = plan.NF1, plan.NF2

    async def measure(self, case: Case) -> Sample:
        """A move in this way, and what came of it. Raises what FAILURES says."""
        counted = await self._counted()
        with self._traffic:
            await asyncio.sleep(_BEFORE_S)
            used = self._cpu_s()
            report = await self._move(case.kind.value, case)
            used = {name: now - used[name] for name, now in self._cpu_s().items()}
            await asyncio.sleep(_AFTER_S)
        now = await self._counted()
        missing = sum(abs(now.get(flow, 0) - there) for flow, there in counted.items())
        with self._traffic:
            if case.leaves_flows:
                await self._move("move", None)
            await self._drained()
        self._at, self._other = self._other, self._at
        return Sample.of(report, cpu_s=used, miscounted=missing if case.is_loss_free else None)

    async def _move(self, kind: str, case: Case | None) -> dict[str, Any]:
        how = {} if case is None else {"guarantee": case.guarantee, "keep_at": case.keep_at}
        return await self._bed.northbound.move(kind, self._at.name, self._other.name, **how)

    async def _drained(self) -> None:
        """Waits until the buckets belong to the destination alone."""
        deadline_s = time.monotonic() + _DEADLINE_S
        while any(
            instance["buckets_drained"]
            for instance in (await self._bed.northbound.status())["instances"]
        ):
            if time.monotonic() > deadline_s:
                raise BedError(f"{self._at.name} is not drained")
            await asyncio.sleep(_POLL_S)

    async def _counted(self) -> dict[Any, int]:
        """By flow: packets in states less packets sent. Nothing is under way meanwhile."""
        await asyncio.sleep(_QUIET_S)
        differences = {flow: -count for flow, count in self._traffic.sent().items()}
        for instance in plan.INSTANCES:
            async with self._bed.instance(instance) as client:
                for summary in await client.list_flows():
                    if summary.flow in differences:
                        differences[summary.flow] += summary.packets
        return differences

    def _cpu_s(self) -> dict[str, float]:
        return {name: cpu_s(pid) for name, pid in self._bed.pids().items()}
