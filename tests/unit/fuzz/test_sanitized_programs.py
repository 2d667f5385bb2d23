"""The small programs' packets and entries again, under the sanitizers.

Run: pytest tests/unit/fuzz/test_sanitized_programs.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bmv2.embedded.compiler import find_compiler
from bmv2.fuzz.fuzzer import SANITIZERS

ROOT = Path(__file__).parents[3]
TESTS = "tests/unit/bmv2/test_programs_stf.py"

READ_BEHIND_THE_END = """
import ctypes, os, sys
from bmv2.embedded.compiler import compile_library
source = "#include <stdlib.h>\\n"
source += '__attribute__((visibility("default"))) '
source += "int at(int place) { return ((volatile char *)calloc(4, 1))[place]; }\\n"
file = os.memfd_create("library")
os.write(file, compile_library(source))
print(ctypes.CDLL(f"/proc/self/fd/{file}").at(int(sys.argv[1])))
"""


def sanitized() -> dict[str, str]:
    """An environment in which libraries are compiled with the sanitizers, and can be loaded."""
    name = "libasan.so"
    runtime = subprocess.run(
        [find_compiler(), f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if runtime == name:
        pytest.skip(f"the C compiler has no {name}")
    return {
        **os.environ,
        "CFLAGS": " ".join(("-O0", "-g", *SANITIZERS)),
        "LD_PRELOAD": runtime,
        "ASAN_OPTIONS": "detect_leaks=0",  # those of Python itself
    }


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=sanitized(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(400)  # each program is compiled anew, with the sanitizers
def test_all_packets_of_the_small_programs() -> None:
    result = python("-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def test_the_sanitizers_are_there() -> None:
    assert python("-c", READ_BEHIND_THE_END, "3").stdout == "0\n"
    wrong = python("-c", READ_BEHIND_THE_END, "4")
    assert wrong.returncode != 0
    assert "heap-buffer-overflow" in wrong.stderr
