"""What a process has started, and what of it is left when that has ended."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil


def started_by(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Each process that runs for it."""
    return psutil.Process(process.pid).children(recursive=True)


def network_namespaces(processes: list[psutil.Process]) -> set[Path]:
    """Those that the processes are in. One that has no name lives as long as they do."""
    return {Path(f"/proc/{process.pid}/ns/net").readlink() for process in processes}


def left_of(processes: list[psutil.Process], patience_s: float = 5.0) -> list[psutil.Process]:
    """Those that still run after a while."""
    deadline_s = time.monotonic() + patience_s
    while (left := list(filter(_runs, processes))) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
