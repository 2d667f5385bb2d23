"""The fuzzer of one program: an executable made of its code, the harness and the setups."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bmv2.embedded.codegen.generate import generate
from bmv2.embedded.compiler import RUNTIME, compile_library, find_compiler
from bmv2.embedded.errors import CompileError, UnsupportedProgram
from bmv2.embedded.program.load import load_program
from bmv2.fuzz.errors import FuzzError
from bmv2.fuzz.seeds import seed_packets
from bmv2.fuzz.setups import CPU_PORT, PORTS, record_setups, setup_text

_HARNESS = Path(__file__).parent / "harness.c"
_SETUPS = 8

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_LANGUAGE = ("-std=gnu11", "-D_GNU_SOURCE", "-g", "-fno-strict-aliasing", "-fwrapv", "-w")
_COVERAGE = ("-fsanitize-coverage=trace-pc,trace-cmp",)
# The setups are recorded from a library of the same code that only has to work.
_RECORDED = (*_LANGUAGE, "-O0", "-fPIC", "-shared", "-pthread", "-fvisibility=hidden")

# The first of these that is in a report says most, in one line.
_COMPLAINTS = tuple(
    re.compile(pattern)
    for pattern in (r"\S+: runtime error: .*", r"(?<=SUMMARY: ).*", r"(?<=ERROR: ).*")
)


@dataclass(frozen=True)
class Findings:
    """What fuzzing a program has shown."""

    executions: int
    edges: int
    inputs: int
    """Packets that were kept as each took a new path, the first ones included."""

    crash: str | None
    """What the sanitizer says of a crash, in one line."""


class Fuzzer:
    """Fuzzes one program; everything it writes is in a directory of its own."""

    def __init__(self, program: Path, directory: Path, seed: int) -> None:
        """Nothing is built yet."""
        self._program = program
        self._directory = directory
        self._seed = seed
        self._executable = directory / "fuzzer"
        self._inputs = directory / "inputs.txt"
        self.crash_file = directory / "crash.txt"
        """The updates and packets that lead to a crash."""
        self.report_file = directory / "report.txt"
        """What the sanitizers have printed."""

    def build(self) -> None:
        """Makes the executable. Raises FuzzError."""
        try:
            program = load_program(self._program.read_bytes())
            source = generate(program)
            setups = record_setups(program, compile_library(source, _RECORDED), self._seed, _SETUPS)
        except OSError as error:
            raise FuzzError(f"{error.filename}: {error.strerror}") from error
        except (UnsupportedProgram, CompileError) as error:
            raise FuzzError(f"{self._program}: {error}") from error
        self._directory.mkdir(parents=True, exist_ok=True)
        code = self._directory / "program.c"
        code.write_text(source + setup_text(setups))
        self._inputs.write_text(
            "".join(
                f"packet {port} {packet.hex()}\n"
                for port in (PORTS[1], CPU_PORT)
                for packet in seed_packets()
            )
            + "".join(f"word {word.hex()}\n" for word in _words(source))
        )
        objects = [code.with_suffix(".o"), self._directory / "harness.o"]
        _compile(*_LANGUAGE, *SANITIZERS, *_COVERAGE, "-O1", f"-I{RUNTIME}", *_to(code, objects[0]))
        _compile(*_LANGUAGE, *SANITIZERS, "-O2", *_to(_HARNESS, objects[1]))
        # Fixed addresses, so that a run can be done again; a clock that can be, too.
        _compile(
            *(*SANITIZERS, "-no-pie", "-pthread", "-Wl,--wrap=clock_gettime"),
            *(*map(str, objects), "-o", str(self._executable)),
        )

    def run(self, seconds: float) -> Findings:
        """Fuzzes for some seconds, or until there is a crash. Raises FuzzError."""
        self.crash_file.unlink(missing_ok=True)
        result = self._execute(
            "run", str(self._inputs), str(self._seed), str(seconds), str(self.crash_file)
        )
        numbers = result.stdout.split()
        if result.returncode not in (0, 1) or len(numbers) != 3:
            raise FuzzError(f"{self._program}: the fuzzer does not work: {self._complaint()}")
        crash = self._complaint() if result.returncode else None
        if crash is not None:
            self._reduce()
        executions, edges, inputs = map(int, numbers)
        return Findings(executions, edges, inputs, crash)

    def replay(self, inputs: Path) -> str | None:
        """Does the updates and packets of a file again; what the sanitizer says of a crash."""
        return self._complaint() if self._execute("replay", str(inputs)).returncode else None

    def _execute(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.report_file.open("wb") as report:
            return subprocess.run(
                [str(self._executable), *arguments],
                stdout=subprocess.PIPE,
                stderr=report,
                text=True,
                check=False,
                env={**os.environ, "ASAN_OPTIONS": "abort_on_error=0"},
            )

    def _complaint(self) -> str:
        report = self.report_file.read_text(errors="replace")
        found = [match[0] for pattern in _COMPLAINTS if (match := pattern.search(report))]
        return found[0] if found else f"no report in {self.report_file}"

    def _reduce(self) -> None:
        """Leaves away what a crash does not need: ever smaller parts, the first ones first."""
        first, *rest = self.crash_file.read_text().splitlines()
        part = len(rest) // 2
        while part:
            for start in range(0, len(rest), part):
                fewer = rest[:start] + rest[start + part :]
                self.crash_file.write_text("\n".join([first, *fewer, ""]))
                if self.replay(self.crash_file) is not None:
                    rest = fewer
                    break
            else:
                part //= 2
        self.crash_file.write_text("\n".join([first, *rest, ""]))
        self.replay(self.crash_file)


def _to(source: Path, target: Path) -> tuple[str, ...]:
    return ("-c", str(source), "-o", str(target))


def _compile(*arguments: str) -> None:
    command = [find_compiler(), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if "error" in line]
        first = (lines or result.stderr.splitlines() or ["no message"])[0]
        raise FuzzError(f"{command[0]} cannot build the fuzzer: {first.strip()}")


def _words(source: str) -> Sequence[bytes]:
    """The constants of the program beyond one byte, as packets have them."""
    numbers = {int(text, 0) for text in re.findall(r"\b(0x[0-9a-f]+|\d{3,})", source)}
    sizes = ((number, (number.bit_length() + 7) // 8) for number in sorted(numbers))
    return [number.to_bytes(size, "big") for number, size in sizes if 2 <= size <= 16][:400]
