"""Runs every case on every switch, prints a table and writes it as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from bmv2 import simple_switch, targets
from bmv2.target import SwitchOptions, TargetError
from controlplane import p4_constants
from controlplane.config import Config
from controlplane.switch.errors import SwitchError
from experiments.bench.control import (
    ACTIVE_FLOWS,
    Detection,
    configure,
    measure_detection,
    write_entries,
)
from experiments.bench.ground import CASES, Case, Ground
from experiments.bench.measure import Rate, find_rate
from experiments.bench.native import BenchError, compile_programs
from testbed import plan, terminal
from testbed.bed import P4INFO, PROGRAM
from testbed.child import BedError
from testbed.lock import RunLock
from testbed.plan import RunDirectory

BARE, EMBEDDED, SIMPLE_SWITCH = "bare loop", "embedded", "simple_switch"

Rates = dict[str, dict[str, Rate]]
"""By switch and case."""


@dataclass(frozen=True)
class Results:
    """What was measured."""

    rates: Rates = field(default_factory=Rates)
    detection: dict[str, Detection] = field(default_factory=dict[str, Detection])
    """By switch."""


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """How the benchmark is run."""

    rounds: int
    """Measurements of each case."""
    round_s: float
    """Length of one."""
    out: Path
    """Where the results go."""
    directory: Path
    """Run directory: sockets, logs, compiled programs."""


def run(options: BenchOptions) -> int:
    """Runs the benchmark; the exit code."""
    console = terminal.console()
    try:
        with RunLock(options.directory), console.status("compiling") as status:
            results = _measure_all(options, status.update)
    except (BenchError, BedError, TargetError, SwitchError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    console.print(rate_table(results.rates))
    console.print(detection_table(results.detection))
    if SIMPLE_SWITCH not in results.rates:
        console.print("simple_switch_grpc is not installed: nothing to compare with")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "bench.json"
    path.write_text(json.dumps(as_json(results), indent=1))
    console.print(f"written: {path}", soft_wrap=True)
    return 0


def _measure_all(options: BenchOptions, tell: Callable[[str], None]) -> Results:
    programs = compile_programs(options.directory)
    names = [BARE, EMBEDDED, *([SIMPLE_SWITCH] if simple_switch.is_installed() else [])]
    results = Results()
    for name in names:
        ground = Ground(programs)
        try:
            if name == BARE:
                results.rates[name] = _measure_bare(ground, options, tell)
                continue
            with _running(name, ground, options) as config:
                results.rates[name] = {
                    case_name(case): _measure(name, ground, case, options, tell) for case in CASES
                }
                tell(f"{name}: detection")
                window_us = config.timers.activity_window_ms * 1000
                results.detection[name] = asyncio.run(measure_detection(config, ground, window_us))
        finally:
            ground.close()
    return results


def _measure_bare(
    ground: Ground, options: BenchOptions, tell: Callable[[str], None]
) -> dict[str, Rate]:
    rates: dict[str, Rate] = {}
    for case in CASES:
        with ground.bare_loop(case.out_port):
            rates[case_name(case)] = _measure(BARE, ground, case, options, tell)
    return rates


def _measure(
    name: str, ground: Ground, case: Case, options: BenchOptions, tell: Callable[[str], None]
) -> Rate:
    tell(f"{name}: {case_name(case)}")
    return find_rate(
        lambda rate, seconds: ground.run(case, rate, seconds),
        rounds=options.rounds,
        round_s=options.round_s,
    )


@contextmanager
def _running(name: str, ground: Ground, options: BenchOptions) -> Generator[Config]:
    """A switch target with the benchmark's entries."""
    socket = RunDirectory(options.directory).p4runtime
    socket.unlink(missing_ok=True)
    switch_options = SwitchOptions(
        program=PROGRAM,
        p4info=P4INFO,
        ports=plan.PORTS,
        cpu_port=p4_constants.CPU_PORT,
        grpc_address=f"unix:{socket}",
        log_file=options.directory / f"{name}.log",
    )
    with ground.switch.entered():
        target = targets.create(name, switch_options)
        target.start()
    try:
        config = configure(options.directory, target)
        asyncio.run(write_entries(config))
        yield config
    finally:
        target.stop()


def case_name(case: Case) -> str:
    """`steered, 64 bytes`."""
    return f"{case.name}, {case.frame_bytes} bytes"


def ratio(rates: Rates, case: str) -> float | None:
    """Embedded ÷ simple_switch; none where the latter is not installed."""
    if SIMPLE_SWITCH not in rates or not rates[SIMPLE_SWITCH][case].median_pps:
        return None
    return rates[EMBEDDED][case].median_pps / rates[SIMPLE_SWITCH][case].median_pps


def rate_table(rates: Rates) -> Table:
    """The rates: median and spread, and embedded ÷ simple_switch."""
    shown = _table("1000 packets/s", rates)
    shown.add_column("ratio", justify="right")
    for case in map(case_name, CASES):
        quotient = ratio(rates, case)
        cells = [_rate_cell(each[case]) for each in rates.values()]
        shown.add_row(case, *cells, "–" if quotient is None else f"{quotient:.1f}")
    return shown


def detection_table(detection: Mapping[str, Detection]) -> Table:
    """How long detection takes: median and spread."""
    shown = _table(f"ms to detect, {ACTIVE_FLOWS:,} flows active", detection)
    cells = [
        f"{each.median_ms:.1f} ({each.least_ms:.1f} … {each.most_ms:.1f})"
        for each in detection.values()
    ]
    shown.add_row("read registers, choose", *cells)
    return shown


def _table(what: str, names: Iterable[str]) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column(what, no_wrap=True)
    for name in names:
        shown.add_column(name, justify="right", no_wrap=True)
    return shown


def as_json(results: Results) -> dict[str, Any]:
    """The results, ready for JSON."""
    return asdict(results) | {
        "ratio": {case_name(case): ratio(results.rates, case_name(case)) for case in CASES}
    }


def _rate_cell(rate: Rate) -> str:
    least, median, most = (
        value / 1000 for value in (rate.least_pps, rate.median_pps, rate.most_pps)
    )
    return f"{'≥ ' if rate.generator_bound else ''}{median:.1f} ({least:.1f} … {most:.1f})"
