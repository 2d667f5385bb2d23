"""`python -m bmv2 fuzz`: fuzzes programs, one after the other, in a bounded time."""

from __future__ import annotations

import argparse
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bmv2.fuzz.errors import FuzzError
from bmv2.fuzz.fuzzer import Fuzzer


def add_arguments(fuzz: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    fuzz.add_argument("programs", nargs="+", type=Path, help="BMv2 JSON as p4c writes it")
    fuzz.add_argument(
        "--seconds", type=float, default=60, help="to fuzz in all, without compilation (60)"
    )
    fuzz.add_argument("--seed", type=int, default=1, help="of entries and mutations (1)")
    fuzz.add_argument(
        "--directory", type=Path, default=Path("out/fuzz"), help="where crashes go (out/fuzz)"
    )
    fuzz.add_argument("--replay", type=Path, help="run the packets of a crash again, no others")


def check_arguments(fuzz: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuses arguments that do not go together: exits with 2."""
    if arguments.replay is not None and len(arguments.programs) != 1:
        fuzz.error("--replay is of one program")
    names = [program.stem for program in arguments.programs]
    if len(set(names)) < len(names):
        fuzz.error("two programs have one name")


def execute(arguments: argparse.Namespace) -> int:
    """Fuzzes the programs; 1 when one has crashed or cannot be fuzzed. Raises FuzzError."""
    fuzzers = {
        program: Fuzzer(program, arguments.directory / program.stem, arguments.seed)
        for program in arguments.programs
    }
    if arguments.replay is not None:
        return _replay(fuzzers[arguments.programs[0]], arguments.replay)
    print(f"seed {arguments.seed}", flush=True)
    failed = 0
    # One is compiled while another one is fuzzed.
    with ThreadPoolExecutor(max_workers=1) as builder:
        builds = [builder.submit(fuzzer.build) for fuzzer in fuzzers.values()]
        for build, (program, fuzzer) in zip(builds, fuzzers.items(), strict=True):
            try:
                build.result()
                is_clean = _fuzz(program, fuzzer, arguments.seconds / len(fuzzers), arguments.seed)
            except FuzzError as error:
                print(error, flush=True)
                is_clean = False
            failed += not is_clean
    print(f"{len(fuzzers) - failed} of {len(fuzzers)} programs without a crash")
    return 1 if failed else 0


def _fuzz(program: Path, fuzzer: Fuzzer, seconds: float, seed: int) -> bool:
    found = fuzzer.run(seconds)
    print(
        f"{program.stem}: {found.executions} executions, {found.edges} edges, "
        f"{found.inputs} inputs, {'no crash' if found.crash is None else 'CRASH'}",
        flush=True,
    )
    if found.crash is None:
        return True
    again = ["python", "-m", "bmv2", "fuzz", str(program), "--seed", str(seed)]
    again += ["--replay", str(fuzzer.crash_file)]
    print(f"  {found.crash}\n  {fuzzer.report_file}\n  {shlex.join(again)}", flush=True)
    return False


def _replay(fuzzer: Fuzzer, inputs: Path) -> int:
    if not inputs.is_file():
        raise FuzzError(f"{inputs}: no such file")
    fuzzer.build()
    crash = fuzzer.replay(inputs)
    print(f"{inputs}: {crash or 'no crash'}")
    if crash is not None:
        print(fuzzer.report_file.read_text(errors="replace"))
    return 1 if crash is not None else 0
