"""Switches as processes, without a switch: pytest tests/unit/bmv2/test_switch_process.py"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bmv2 import simple_switch, targets
from bmv2.simple_switch import SimpleSwitchTarget
from bmv2.switch_process import SwitchProcess
from bmv2.target import SwitchOptions, TargetError

_WAIT_S = 20.0
BUILD = Path(__file__).parents[3] / "p4src" / "build"


def options(tmp_path: Path, **more: object) -> SwitchOptions:
    given: dict[str, object] = {
        "program": BUILD / "uhaul.json",
        "p4info": BUILD / "uhaul.p4info.txtpb",
        "ports": {},
        "cpu_port": 510,
        "grpc_address": f"unix:{tmp_path}/p4rt.sock",
        "log_file": tmp_path / "switch.log",
        **more,
    }
    return SwitchOptions(**given)  # pyright: ignore[reportArgumentType]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("name", "installed", "expected"),
    [
        ("embedded", False, "embedded"),
        ("embedded", True, "embedded"),
        ("simple_switch", True, "simple_switch"),
        ("auto", True, "simple_switch"),
        ("auto", False, "embedded"),
    ],
)
def test_a_target_is_chosen_by_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    installed: bool,
    expected: str,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if installed:
        binary = tmp_path / "simple_switch_grpc"
        binary.write_text("#!/bin/sh\n")
        binary.chmod(0o755)
    assert targets.create(name, options(tmp_path)).name == expected


def test_a_missing_switch_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TargetError, match="no simple_switch_grpc on PATH: install BMv2, or"):
        targets.create("simple_switch", options(tmp_path))
    with pytest.raises(TargetError, match="no switch target 'bmv3'; there are embedded, simple"):
        targets.create("bmv3", options(tmp_path))


def test_an_early_end_is_told_with_the_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "import sys; sys.exit('first\\nno such interface')"]
    process = SwitchProcess("switch", command, log)
    with pytest.raises(TargetError, match=r"switch has ended: no such interface \(log: "):
        process.wait_until(lambda: False, time.monotonic() + _WAIT_S, "no answer")
    process.stop()


def test_what_does_not_get_ready_is_given_up(tmp_path: Path) -> None:
    process = SwitchProcess("switch", ["sleep", "60"], tmp_path / "log")
    with pytest.raises(TargetError, match="switch: no answer in time"):
        process.wait_until(lambda: False, time.monotonic() + 0.1, "no answer")
    process.stop()
    process.stop()
    assert not is_alive(process.pid)


def test_what_ignores_sigterm_is_ended_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bmv2.switch_process._STOP_TIMEOUT_S", 0.2)
    process = SwitchProcess(
        "switch", ["sh", "-c", "trap '' TERM; echo up; sleep 60"], tmp_path / "l"
    )
    wait_for(lambda: (tmp_path / "l").read_text() == "up\n")
    process.stop()
    assert not is_alive(process.pid)


def test_a_command_that_is_missing_is_told(tmp_path: Path) -> None:
    process = SwitchProcess("switch", ["/no/such/switch"], tmp_path / "log")
    with pytest.raises(TargetError, match="/no/such/switch: No such file or directory"):
        process.wait_until(lambda: False, time.monotonic() + _WAIT_S, "no answer")


def test_a_process_outlives_the_thread_but_not_the_process_that_started_it(
    tmp_path: Path,
) -> None:
    script = f"""
import threading, time
from pathlib import Path
from bmv2.switch_process import SwitchProcess
def start():
    process = SwitchProcess("switch", ["sleep", "600"], Path({str(tmp_path / "log")!r}))
    print(process.pid, flush=True)
thread = threading.Thread(target=start)
thread.start()
thread.join()
time.sleep(600)
"""
    starter = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=BUILD.parents[1]
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())

    def command() -> str:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()

    wait_for(lambda: command() == "sleep")
    assert is_alive(pid)
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    wait_for(lambda: not is_alive(pid))


def test_a_thrift_port_in_use_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simple_switch, "is_installed", lambda: True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: int = taken.getsockname()[1]
        target = SimpleSwitchTarget(options(tmp_path, thrift_port=port))
        with pytest.raises(TargetError, match=f"cannot listen on 127.0.0.1:{port}: Address"):
            target.start()


@pytest.mark.parametrize(
    ("what", "words"),
    [("program", "uhaul.no: No such file"), ("p4info", "uhaul.no: No such file")],
)
def test_missing_files_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, words: str
) -> None:
    monkeypatch.setattr(simple_switch, "is_installed", lambda: True)
    target = SimpleSwitchTarget(options(tmp_path, **{what: tmp_path / "uhaul.no"}))
    with pytest.raises(TargetError, match=words):
        target.start()


def test_egress_queues_are_set_over_thrift(tmp_path: Path) -> None:
    """A Thrift server that answers one call as simple_switch does."""
    from bmv2 import egress_queues

    received = bytearray()
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port: int = server.getsockname()[1]

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                received.extend(peer.recv(4096))
                name = b"set_all_egress_queue_depths"
                reply = b"\x80\x01\x00\x02" + len(name).to_bytes(4, "big") + name
                # Sequence number 0, field 0 of type i32 with value 0, end of the result.
                peer.sendall(reply + bytes(4) + b"\x08\x00\x00" + bytes(4) + b"\x00")

        thread = threading.Thread(target=answer)
        thread.start()
        assert egress_queues.set_depth(port, 100_000, 5.0)
        thread.join()
    assert b"simple_switch:set_all_egress_queue_depths" in received
    assert (100_000).to_bytes(4, "big") in received
    assert not egress_queues.set_depth(port, 100_000, 5.0)
