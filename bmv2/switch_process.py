"""A switch as a process of its own that never outlives its starter."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bmv2.listening import ListenError, check_free
from bmv2.target import TargetError

_POLL_S = 0.01
_STOP_TIMEOUT_S = 5.0


def check_addresses(*addresses: str) -> None:
    """Raises TargetError when a switch cannot listen on one of its addresses.

    Another server there would pass for the switch that is being started.
    """
    try:
        for address in addresses:
            check_free(address)
    except ListenError as error:
        raise TargetError(str(error)) from error


def check_interfaces(ports: Mapping[int, str]) -> None:
    """Raises TargetError when a port's interface is not in the caller's network namespace.

    simple_switch_grpc would go on without it.
    """
    for number, interface in ports.items():
        try:
            socket.if_nametoindex(interface)
        except OSError as error:
            raise TargetError(f"port {number}: no network interface {interface}") from error


class SwitchProcess:
    """A running process. It is not told of the terminal's Ctrl-C: its owner stops it."""

    def __init__(self, name: str, command: Sequence[str], log_file: Path) -> None:
        """Starts the process in the caller's network namespace. Raises TargetError."""
        self._name = name
        self._log_file = log_file
        self._process = _start_tethered(name, command, log_file)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def check(self) -> None:
        """Raises TargetError when the process has ended."""
        code = self._process.poll()
        if code is not None:
            words = self._last_words() or f"exit code {code}"
            raise TargetError(f"{self._name} has ended: {words} (log: {self._log_file})")

    def _last_words(self) -> str:
        lines = self._log_file.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def wait_until(self, is_ready: Callable[[], bool], deadline: float, what: str) -> None:
        """Waits for a condition until a time of the monotonic clock. Raises TargetError."""
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise TargetError(f"{self._name}: {what} in time (log: {self._log_file})")
            time.sleep(_POLL_S)
        self.check()

    def stop(self) -> None:
        """Ends the process and waits for it; by force when it does not end in time."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # It leads a session of its own: whatever it started goes with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _start_tethered(name: str, command: Sequence[str], log_file: Path) -> subprocess.Popen[bytes]:
    """Starts a command that the kernel kills when this process ends, however it ends."""
    started: list[subprocess.Popen[bytes] | OSError] = []
    is_started = threading.Event()

    def run() -> None:
        try:
            with log_file.open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "bmv2.tether", str(os.getpid()), *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            started.append(process)
        except OSError as error:
            started.append(error)
            return
        finally:
            is_started.set()
        process.wait()

    # The kernel ties a child to the thread that started it, so that thread must live as
    # long as the child: not the caller's, which may be a worker's. A new thread is in the
    # network namespace of the one that starts it.
    threading.Thread(target=run, name=f"{name} starter", daemon=True).start()
    is_started.wait()
    result = started[0]
    if isinstance(result, OSError):
        raise TargetError(f"{name}: cannot start: {result}") from result
    return result
