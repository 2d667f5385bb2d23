"""However a sandbox ends, nothing of it stays behind.

Run: pytest tests/integration/test_bed_sandbox.py
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from leftovers import left_of, network_namespaces, started_by

# The background and nohup have signals ignored, and that is inherited.
HEEDING_SIGNALS = ("env", "--default-signal=INT,HUP")
SANDBOX = (sys.executable, "-m", "testbed.sandbox")

# Processes, anonymous namespaces and veths, then a sign of life.
INHABITED = """
import subprocess, sys, time
from ipaddress import IPv4Interface
from testbed.link import LinkEnd, connect
from testbed.namespace import NetworkNamespace
one, other = NetworkNamespace("one"), NetworkNamespace("other")
connect(LinkEnd(namespace=one, interface="stays1"), LinkEnd(namespace=other, interface="stays2"))
for each in (one, other):
    with each.entered():
        subprocess.Popen(["sleep", sys.argv[1]], start_new_session=True)
print("ready", flush=True)
time.sleep(60)
"""


def processes_with(argument: str) -> list[int]:
    """Processes that have `argument` on their command line."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        try:
            if argument.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


def interfaces() -> set[str]:
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    return {line.partition(":")[0].strip() for line in lines}


def wait_for(condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGKILL, -signal.SIGKILL),
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGINT, 128 + signal.SIGINT),
        (signal.SIGHUP, 128 + signal.SIGHUP),
    ],
)
def test_a_signal_to_the_outermost_process_leaves_nothing(
    number: signal.Signals, code: int
) -> None:
    mark = f"{3600 + os.getpid() % 1000}.{int(number)}"
    outer = subprocess.Popen(
        [*HEEDING_SIGNALS, *SANDBOX, sys.executable, "-c", INHABITED, mark],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert outer.stdout is not None
    assert outer.stdout.readline() == "ready\n"
    assert len(processes_with(mark)) >= 2
    started = started_by(outer)
    assert len(network_namespaces(started)) >= 2
    outer.send_signal(number)
    # Python's own end on an unhandled SIGINT is the signal itself.
    assert outer.wait(10) == code
    outer.stdout.close()
    assert wait_for(lambda: not processes_with(mark)), processes_with(mark)
    assert left_of(started) == []
    assert interfaces().isdisjoint({"stays1", "stays2"})


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_the_exit_code_is_the_programs(script: str, code: int) -> None:
    assert subprocess.run([*SANDBOX, "sh", "-c", script], check=False).returncode == code


def test_what_the_program_leaves_running_ends_with_it() -> None:
    mark = f"{4600 + os.getpid() % 1000}.5"
    script = f"setsid sleep {mark} & exit 0"
    assert subprocess.run([*SANDBOX, "sh", "-c", script], check=False).returncode == 0
    assert wait_for(lambda: not processes_with(mark))


def test_orphans_are_collected() -> None:
    # Orphans that have ended must not stay as zombies of the sandbox's process 1.
    script = """
import subprocess, time
from pathlib import Path
subprocess.run(["sh", "-c", "(sleep 0.05 &) ; (sleep 0.05 &)"])
deadline = time.monotonic() + 5
while time.monotonic() < deadline:
    here = list(Path("/proc").glob("[0-9]*"))
    if len(here) == 2:  # process 1 and this one
        break
print(len(here))
"""
    command = [*SANDBOX, sys.executable, "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout == "2\n", done.stderr


def test_a_command_that_does_not_exist_is_one_line() -> None:
    done = subprocess.run([*SANDBOX, "/none"], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "sandbox: /none: No such file or directory\n"


def test_without_the_right_to_namespaces_it_says_what_to_do() -> None:
    # Inside a user namespace whose owner allows no further ones.
    script = (
        "echo 0 > /proc/sys/user/max_user_namespaces; "
        "echo 0 > /proc/sys/user/max_net_namespaces; "
        f"exec {sys.executable} -m testbed.sandbox true"
    )
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", script],
        check=False,
        capture_output=True,
        text=True,
    )
    if "Permission denied" in done.stderr or "unshare failed" in done.stderr:
        pytest.skip("the limits cannot be set here")
    assert done.returncode == 1
    assert done.stderr.startswith("sandbox: no namespaces of one's own")
    assert done.stderr.count("\n") == 1
