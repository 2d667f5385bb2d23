"""`python -m testbed run` as a user meets it, on every switch target.

Run: pytest tests/integration/test_bed_run.py
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from demo_trial import TARGETS, skip_without
from leftovers import left_of, network_namespaces, started_by

START_S = 60.0
LOAD = ("--rate", "60", "--scale", "0.01", "--seed", "3")


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> str:
    skip_without(request.param)
    return request.param


def command(directory: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "testbed", "run", "--run-directory", str(directory), *arguments]


def controlplane(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controlplane", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"UHAUL_NORTHBOUND": f"unix:{directory}/northbound.sock"},
        timeout=60,
    )


def has_ended(process: subprocess.Popen[str]) -> bool:
    return process.poll() is not None


@contextmanager
def running(directory: Path, *arguments: str) -> Generator[subprocess.Popen[str]]:
    """The test bed, up and carrying traffic; killed at the end if it still runs."""
    with (directory / "output").open("w") as output:
        process = subprocess.Popen(
            command(directory, *LOAD, *arguments), stdout=output, stderr=output, text=True
        )
    try:
        deadline = time.monotonic() + START_S
        while flows_done(directory) < 30:
            assert not has_ended(process), (directory / "output").read_text()
            assert time.monotonic() < deadline, (directory / "output").read_text()
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def flows_done(directory: Path) -> int:
    try:
        return json.loads((directory / "load.json").read_text())["done"]
    except OSError:
        return 0


def test_an_operator_moves_elephants_from_another_terminal(target: str, tmp_path: Path) -> None:
    with running(tmp_path, "--target", target) as process:
        started = started_by(process)
        status = controlplane(tmp_path, "status", "--json")
        assert status.returncode == 0, status.stderr
        instances = {each["name"]: each for each in json.loads(status.stdout)["instances"]}
        assert instances["nf1"]["flows"] > 0
        assert instances["nf2"]["flows"] == 0

        elephants = controlplane(tmp_path, "elephants", "--json")
        assert elephants.returncode == 0, elephants.stderr
        assert json.loads(elephants.stdout)["flows"]

        plan = controlplane(
            tmp_path, "plan", "--at", "nf1", "--distribution", "web-search", "--json"
        )
        assert plan.returncode == 0, plan.stderr
        found = {each["name"]: each for each in json.loads(plan.stdout)["definitions"]}
        assert 0 < found["proportion, ρ = 0.35"]["flows_moved"] < found["all-live"]["flows_moved"]

        moved = controlplane(tmp_path, "move-elephant", "nf1", "nf2", "--json")
        assert moved.returncode == 0, moved.stderr
        report: dict[str, Any] = json.loads(moved.stdout)
        assert report["flows"]["moved"] > 0
        assert report["flows"]["rolled_back"] == 0

        assert json.loads((tmp_path / "load.json").read_text())["errors"] == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    text = (tmp_path / "output").read_text()
    assert f"switch: {target}" in text
    assert text.endswith("stopped\n")
    assert left_of(started) == []


def test_the_instance_counts_what_the_switch_counts(target: str, tmp_path: Path) -> None:
    def look(edm: str) -> tuple[dict[str, int], float | None]:
        arguments = ("--edm", edm, "--detector", "all-live", "--at", "nf1", "--json")
        asked = controlplane(tmp_path, "elephants", *arguments)
        assert asked.returncode == 0, asked.stderr
        found: dict[str, Any] = json.loads(asked.stdout)
        assert found["elephants"]["edm"] == edm
        return {flow["flow"]: flow["bytes"] for flow in found["flows"]}, found["nf_cpu_ms"]

    with running(tmp_path, "--target", target):
        # The load's flows differ in length; those that all three looks see have gone on.
        exact = 0
        deadline = time.monotonic() + START_S
        while exact < 10:
            assert time.monotonic() < deadline, exact
            (before, no_cpu_ms), (counted, cpu_ms), (after, _) = map(
                look, ("switch", "nf", "switch")
            )
            assert no_cpu_ms is None
            assert cpu_ms is not None
            assert cpu_ms > 0
            for flow in before.keys() & counted.keys() & after.keys():
                assert counted[flow] >= before[flow]
                # Where the switch took a flow for over in a pause, it has begun anew.
                exact += counted[flow] <= after[flow]

        moved = controlplane(tmp_path, "move-elephant", "nf1", "nf2", "--edm", "nf", "--json")
        assert moved.returncode == 0, moved.stderr
        report: dict[str, Any] = json.loads(moved.stdout)
        assert report["elephants"]["edm"] == "nf"
        assert report["flows"]["moved"] > 0
        assert report["flows"]["rolled_back"] == 0
        assert json.loads((tmp_path / "load.json").read_text())["errors"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_however_it_is_ended_nothing_is_left(number: signal.Signals, tmp_path: Path) -> None:
    with running(tmp_path, "--target", "embedded") as process:
        started = started_by(process)
        assert len(network_namespaces(started)) >= 5
        process.send_signal(number)
        assert process.wait(30) == (0 if number == signal.SIGINT else -number)
    assert left_of(started) == []


def test_a_second_run_is_refused_in_one_line(tmp_path: Path) -> None:
    with running(tmp_path, "--target", "embedded") as process:
        second = subprocess.run(
            command(tmp_path), check=False, capture_output=True, text=True, timeout=30
        )
        assert second.returncode == 1
        assert second.stderr == f"testbed: another run is under way in {tmp_path}: stop it first\n"
        assert not has_ended(process)


def test_an_instance_that_dies_does_not_end_the_run(tmp_path: Path) -> None:
    with running(tmp_path, "--target", "embedded") as process:
        os.kill(process_with(f"unix:{tmp_path / 'nf2.sock'}"), signal.SIGKILL)
        refused = controlplane(tmp_path, "move-elephant", "nf1", "nf2")
        assert refused.returncode != 0
        assert "nf2" in refused.stderr
        done = flows_done(tmp_path)
        deadline = time.monotonic() + 20
        while flows_done(tmp_path) < done + 30:
            assert not has_ended(process)
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert json.loads((tmp_path / "load.json").read_text())["errors"] == 0


def test_a_controller_that_dies_is_followed_by_one_that_stands_by(tmp_path: Path) -> None:
    config = str(tmp_path / "topology.yaml")
    with running(tmp_path, "--target", "embedded") as process:
        first = process_with(config)
        standing_by = [
            sys.executable,
            "-m",
            "controlplane",
            "run",
            "--config",
            config,
            "--stand-by",
        ]
        log = tmp_path / "second.log"
        with log.open("wb") as file, subprocess.Popen(standing_by, stderr=file) as second:
            try:
                deadline = time.monotonic() + 30
                while b"standing by" not in log.read_bytes():
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                os.kill(first, signal.SIGKILL)
                deadline = time.monotonic() + 30
                while controlplane(tmp_path, "status").returncode != 0:
                    assert time.monotonic() < deadline
                moved = controlplane(tmp_path, "move", "nf1", "nf2", "--json")
                assert moved.returncode == 0, moved.stderr
                assert json.loads(moved.stdout)["flows"]["moved"] > 0
                assert not has_ended(process)
                assert json.loads((tmp_path / "load.json").read_text())["errors"] == 0
            finally:
                second.kill()


def process_with(argument: str) -> int:
    """The one process that was started with an argument."""
    (found,) = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and argument in arguments_of(entry)
    ]
    return found


def arguments_of(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--target", "tofino"), "no switch target 'tofino'"),
        (("--rate", "0"), "--rate: '0' is no number above 0"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path, *arguments), check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert says in done.stderr.splitlines()[-1]


def test_a_path_that_is_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path / ("long" * 25)),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "too long for a socket" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_the_real_switch_it_says_so(tmp_path: Path) -> None:
    if shutil.which("simple_switch_grpc") is not None:
        pytest.skip("simple_switch_grpc is installed")
    done = subprocess.run(
        command(tmp_path, "--target", "simple_switch"),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("testbed: no simple_switch_grpc on PATH")
