"""One trial of the demo, in short, on one switch target."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TARGETS = ("embedded", "simple_switch")


def run_trial(target: str, trial: str, directory: Path, *options: str) -> dict[str, Any]:
    """What the demo wrote of it. Skips the test where the target is missing."""
    if target == "simple_switch" and shutil.which("simple_switch_grpc") is None:
        pytest.skip("simple_switch_grpc is not installed")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "experiments.demo", "--target", target, "--trials", trial),
            *("--duration", "4", "--rate", "60", "--scale", "0.01", "--seed", "12"),
            *("--out", str(directory / "out"), "--run-directory", str(directory / "run")),
            *options,
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((directory / "out" / "demo.json").read_text())["trials"][trial]


def assert_nothing_is_lost(trial: dict[str, Any]) -> None:
    """Each packet came through once, intact, and each state is in one place."""
    packets, where = trial["packets"], trial["whereabouts"]
    assert packets["sent"] > 2000
    assert (packets["lost"], packets["duplicated"]) == (0, 0)
    assert trial["traffic"]["payload_errors"] == 0
    assert (where["on_both"], where["nowhere"], where["split"]) == (0, 0, 0)
