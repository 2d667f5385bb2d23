"""`python -m bmv2 run` from the shell: pytest tests/integration/test_targets_command.py"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from finsy.proto import p4r, p4r_grpc

BUILD = Path(__file__).parents[2] / "p4src" / "build"
PROGRAM = [str(BUILD / "uhaul.json"), "--p4info", str(BUILD / "uhaul.p4info.txtpb")]
_WAIT_S = 30.0


def run(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bmv2", "run", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def last_words(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate(timeout=_WAIT_S)
    return errors.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give either a program or --no-p4"),
        ([PROGRAM[0]], "--p4info is needed with a program"),
        ([*PROGRAM, "--no-p4"], "give either a program or --no-p4"),
        ([*PROGRAM, "-i", "eth0"], "'eth0' is not NUMBER@INTERFACE"),
        (["--no-p4", "-i", "1@a", "-i", "1@b"], "port 1 is given twice"),
        (["--no-p4", "-i", "1@a", "-i", "2@a"], "interface a is given twice"),
        (["--no-p4", "-i", "511@a"], "port 511 is not 0 … 510"),
        (["--no-p4", "--cpu-port", "-1"], "port -1 is not 0 … 510"),
        (["--no-p4", "--device-id", str(1 << 64)], f"device {1 << 64} is not 0 … {(1 << 64) - 1}"),
        (["--no-p4", "-i", "510@a"], "port 510 is the CPU port"),
        (["--no-p4", "--grpc-server-addr", "here"], "neither host:port nor unix:/path"),
        (["--no-p4", "--", "--grpc-server-addr", "127.0.0.1:99999"], "a port is at most 65535"),
        (["/no/such.json", *PROGRAM[1:]], "/no/such.json: No such file or directory"),
        ([PROGRAM[0], "--p4info", PROGRAM[0]], "uhaul.json is no P4Info"),
        (["--no-p4", "--log-file", "/no/such/log"], "/no/such/log"),
    ],
)
def test_bad_arguments_are_one_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    address = ["--grpc-server-addr", f"unix:{tmp_path}/s"]
    process = run(*address, *arguments)
    assert words in last_words(process)
    assert process.returncode != 0


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = run(*PROGRAM, "--grpc-server-addr", address)
        _, errors = process.communicate(timeout=_WAIT_S)
    assert errors == f"bmv2: cannot listen on {address}: Address already in use\n"
    assert process.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    address = f"unix:{tmp_path}/p4rt.sock"
    process = run("--no-p4", "--grpc-server-addr", address, "--log-file", f"{tmp_path}/log")
    with grpc.insecure_channel(address) as channel:
        stub = p4r_grpc.P4RuntimeStub(channel)
        deadline = time.monotonic() + _WAIT_S
        while True:
            assert process.poll() is None
            assert time.monotonic() < deadline
            try:
                stub.Capabilities(p4r.CapabilitiesRequest(), timeout=1)
                break
            except grpc.RpcError:
                time.sleep(0.05)
        # Also while a controller is connected.
        stream = stub.StreamChannel(iter([]))
        process.send_signal(number)
        output, errors = process.communicate(timeout=_WAIT_S)
        stream.cancel()
    assert (process.returncode, output, errors) == (0, "", "")
    assert not (tmp_path / "p4rt.sock").exists()
    assert "stopped" in (tmp_path / "log").read_text()
