"""Measures every quantity on every switch."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bmv2 import simple_switch, targets
from bmv2.target import SwitchOptions, Target, TargetError
from controlplane import p4_constants
from controlplane.switch.errors import SwitchError
from experiments.bench_switch import control, register_reads
from experiments.bench_switch.capacity import find_capacity
from experiments.bench_switch.client import Client
from experiments.bench_switch.detection import (
    ACTIVE_FLOWS,
    configure,
    measure_detection,
    write_entries,
)
from experiments.bench_switch.ground import CASES, Case, Ground
from experiments.bench_switch.native import BenchError, compile_programs
from experiments.bench_switch.readiness import measure_readiness
from experiments.bench_switch.report import (
    BARE,
    EMBEDDED,
    SIMPLE_SWITCH,
    Quantity,
    Results,
)
from experiments.spread import Spread
from testbed import plan, terminal
from testbed.bed import P4INFO, PROGRAM
from testbed.child import BedError
from testbed.lock import RunLock
from testbed.plan import RunDirectory

_DEVICE_ID = 1
_COMMON_PPS = 5000.0  # half of the least that any of them carries, or so


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """How the benchmark is run."""

    rounds: int
    """Measurements of each quantity."""
    round_s: float
    """Length of one run of the traffic."""
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
    console.print(results.table())
    if not results.has(SIMPLE_SWITCH):
        console.print("simple_switch_grpc is not installed: nothing to compare with")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "bench-switch.json"
    path.write_text(json.dumps(results.as_json(), indent=1))
    console.print(f"written: {path}", soft_wrap=True)
    return 0


def _measure_all(options: BenchOptions, tell: Callable[[str], None]) -> Results:
    programs = compile_programs(options.directory)
    names = [BARE, EMBEDDED, *([SIMPLE_SWITCH] if simple_switch.is_installed() else [])]
    results = Results()
    for name in names:
        ground = Ground(programs)
        try:
            bench = _Bench(name, ground, options, results, tell)
            if name == BARE:
                bench.measure_bare()
            else:
                bench.measure_switch()
        finally:
            ground.close()
    return results


class _Bench:
    """The measurements of one switch."""

    def __init__(
        self,
        name: str,
        ground: Ground,
        options: BenchOptions,
        results: Results,
        tell: Callable[[str], None],
    ) -> None:
        self._name = name
        self._ground = ground
        self._options = options
        self._results = results
        self._tell = tell
        self._socket = RunDirectory(options.directory).p4runtime

    def measure_bare(self) -> None:
        """The loop that does nothing but forward."""
        for case in CASES:
            with self._ground.bare_loop(case.out_port):
                self._measure_forwarding(case)

    def measure_switch(self) -> None:
        """A switch target."""
        with self._running(PROGRAM, P4INFO) as target:
            config = configure(self._options.directory, target)
            asyncio.run(write_entries(config))
            for case in CASES:
                self._measure_forwarding(case)
            self._tell(f"{self._name}: detection")
            window_us = config.timers.activity_window_ms * 1000
            detection = asyncio.run(measure_detection(config, self._ground, window_us))
            self._note(f"detect, {ACTIVE_FLOWS:,} flows", "ms", detection, is_rate=False)
            self._measure_control()
        with self._running(register_reads.PROGRAM, register_reads.P4INFO) as target:
            self._tell(f"{self._name}: registers")
            reads = asyncio.run(
                register_reads.measure_reads(
                    target, self._address, _DEVICE_ID, self._ground, self._options.rounds
                )
            )
            for cells, spread in reads.items():
                self._note(f"read {cells:,} registers", "ms", spread, is_rate=False)
        self._tell(f"{self._name}: time to ready")
        first, again = measure_readiness(lambda: self._start(PROGRAM, P4INFO), self._options.rounds)
        self._note("ready, first time", "s", first, is_rate=False)
        self._note("ready, again", "s", again, is_rate=False)

    def _measure_forwarding(self, case: Case) -> None:
        """Capacity without loss, and latency at half of it and at the rate that all have."""
        title = f"{case.name} {case.frame_bytes} B"
        self._tell(f"{self._name}: {title}")
        round_s = self._options.round_s
        capacity = find_capacity(
            lambda rate, seconds: self._ground.run(case, rate, seconds),
            rounds=self._options.rounds,
            round_s=round_s,
        )
        self._note(title, "packets/s", capacity, is_rate=True)
        self._measure_latency(case, capacity.median / 2, title)
        self._measure_latency(case, _COMMON_PPS, f"{title}, {_COMMON_PPS:,.0f}/s,")

    def _measure_latency(self, case: Case, rate_pps: float, title: str) -> None:
        samples = [
            self._ground.run(case, rate_pps, self._options.round_s, burst=1)
            for _ in range(self._options.rounds)
        ]
        for name, values in (
            ("p50", [sample.latency_p50_us for sample in samples]),
            ("p99", [sample.latency_p99_us for sample in samples]),
        ):
            spread = Spread.of([value for value in values if value is not None] or [float("nan")])
            self._note(f"{title} {name}", "µs", spread, is_rate=False)

    def _measure_control(self) -> None:
        rounds = self._options.rounds
        with Client.connected(self._address, _DEVICE_ID) as client:
            self._tell(f"{self._name}: batches of entries")
            for verb, spread in control.measure_batches(client, rounds).items():
                self._note(f"{verb} {control.BATCH:,}", "entries/s", spread)
            self._tell(f"{self._name}: packet_out and packet_in")
            self._note(
                "packet_out", "packets/s", control.measure_packet_out(client, self._ground, rounds)
            )
            self._note(
                "packet_in", "packets/s", control.measure_packet_in(client, self._ground, rounds)
            )

    def _note(self, name: str, unit: str, spread: Spread, *, is_rate: bool = True) -> None:
        self._results.add(Quantity(name, unit, is_rate), self._name, spread)

    # --- the switch ------------------------------------------------------------------

    @property
    def _address(self) -> str:
        return f"unix:{self._socket}"

    def _start(self, program: Path, p4info: Path) -> Target:
        self._socket.unlink(missing_ok=True)
        options = SwitchOptions(
            program=program,
            p4info=p4info,
            ports=plan.PORTS,
            cpu_port=p4_constants.CPU_PORT,
            grpc_address=self._address,
            log_file=self._options.directory / f"{self._name}.log",
            device_id=_DEVICE_ID,
        )
        with self._ground.switch.entered():
            target = targets.create(self._name, options)
            target.start()
        return target

    @contextmanager
    def _running(self, program: Path, p4info: Path) -> Generator[Target]:
        target = self._start(program, p4info)
        try:
            yield target
        finally:
            target.stop()
