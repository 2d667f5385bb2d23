"""What enters the sandbox by itself has one thread until it has done so.

A process with more cannot enter a user namespace, and importing numpy or gRPC starts some.
"""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module", ["testbed.__main__", "experiments.demo", "experiments.bench_switch.__main__"]
)
def test_an_entry_point_has_one_thread(module: str) -> None:
    program = f"import os, {module}; print(len(os.listdir('/proc/self/task')))"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout == "1\n"
