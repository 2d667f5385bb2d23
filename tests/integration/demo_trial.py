"""What an experiment writes that is run in short, on one switch target."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bmv2 import simple_switch

TARGETS = ("embedded", "simple_switch")


def skip_without(target: str) -> None:
    """Skips the test where the target is missing."""
    if target == "simple_switch" and not simple_switch.is_installed():
        pytest.skip("simple_switch_grpc is not installed")


def run_experiment(
    module: str, target: str, directory: Path, *options: str, timeout_s: float
) -> Path:
    """Runs it; where it has written. Skips the test where the target is missing."""
    skip_without(target)
    out = directory / "out"
    done = subprocess.run(
        [
            *(sys.executable, "-m", f"experiments.{module}", "--target", target),
            *("--out", str(out), "--run-directory", str(directory / "run")),
            *options,
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def run_trial(target: str, trial: str, directory: Path, *options: str) -> dict[str, Any]:
    """What the demo wrote of a trial."""
    short = ("--duration", "4", "--rate", "60", "--scale", "0.01", "--seed", "12")
    out = run_experiment(
        "demo", target, directory, "--trials", trial, *short, *options, timeout_s=60
    )
    return json.loads((out / "demo.json").read_text())["trials"][trial]


def assert_nothing_is_lost(trial: dict[str, Any]) -> None:
    """Each packet came through once, intact, and each state is in one place."""
    packets, where = trial["packets"], trial["whereabouts"]
    assert packets["sent"] > 2000
    assert (packets["lost"], packets["duplicated"]) == (0, 0)
    assert trial["traffic"]["payload_errors"] == 0
    assert (where["on_both"], where["nowhere"], where["split"]) == (0, 0, 0)
