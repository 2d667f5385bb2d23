"""The benchmark's C programs, compiled with the system's compiler."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SOURCES = Path(__file__).with_name("native")


class BenchError(Exception):
    """The benchmark cannot run. The message is one line."""


@dataclass(frozen=True)
class Programs:
    """The compiled programs."""

    traffic: Path
    forwarder: Path


def compile_programs(directory: Path) -> Programs:
    """Compiles both programs into a directory. Raises BenchError."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise BenchError("no C compiler on PATH: install gcc")
    directory.mkdir(parents=True, exist_ok=True)
    return Programs(*(_compile(compiler, name, directory) for name in ("traffic", "forwarder")))


def _compile(compiler: str, name: str, directory: Path) -> Path:
    source, program = _SOURCES / f"{name}.c", directory / name
    command = [compiler, "-O2", "-Wall", "-o", str(program), str(source)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        first = done.stderr.strip().partition("\n")[0]
        raise BenchError(f"{compiler} does not compile {source.name}: {first}")
    return program
