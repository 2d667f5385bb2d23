"""A process of the test bed: started in a namespace, logged to a file, stopped in order."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.namespace import NetworkNamespace

_POLL_S = 0.01


class BedError(Exception):
    """Something of the test bed cannot start, or has stopped by itself.

    The message is one line: what, and where to read on.
    """


class Child:
    """A running process. It is not told of the terminal's Ctrl-C: its owner stops it."""

    def __init__(
        self, name: str, command: Sequence[str], *, namespace: NetworkNamespace, log_file: Path
    ) -> None:
        """Starts the process. Raises BedError."""
        self.name = name
        self._log_file = log_file
        try:
            with log_file.open("ab") as log, namespace.entered():
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise BedError(f"{name}: cannot start {command[0]}: {error.strerror}") from error

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How the process ended; none while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Raises BedError when the process has ended."""
        if self.exit_code is not None:
            raise BedError(f"{self.name} has ended: {self.last_words()} (log: {self._log_file})")

    def last_words(self) -> str:
        """The last line of the log that is not empty."""
        lines = self._log_file.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else f"exit code {self.exit_code}"

    def wait_until(self, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Waits for a condition. Raises BedError when it does not come true in time."""
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise BedError(
                    f"{self.name} is not ready after {timeout_s:g} s (log: {self._log_file})"
                )
            time.sleep(_POLL_S)

    def wait(self, timeout_s: float) -> int:
        """Waits for the process to end by itself; its exit code. Raises BedError."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise BedError(f"{self.name} is not done after {timeout_s:g} s") from error

    def terminate(self) -> None:
        """Asks the process to end."""
        if self.exit_code is None:
            self._process.terminate()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ends the process and waits for it; by force when it does not end in time."""
        self.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            # It leads a session of its own: whatever it started goes with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, 9)
            self._process.wait()

    def kill(self) -> None:
        """Ends the process by force, and waits for that."""
        self._process.kill()
        self._process.wait()

    def cpu_s(self) -> float:
        """Processor time that the process has used so far; 0 when it is gone."""
        return cpu_s(self.pid)


def cpu_s(pid: int) -> float:
    """Processor time of a process with all its threads, in seconds; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
