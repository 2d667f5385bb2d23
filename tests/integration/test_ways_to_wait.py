"""Moves whose packets wait in another way, on live traffic and on every switch target.

Run: pytest tests/integration/test_ways_to_wait.py
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TARGETS = ("embedded", "simple_switch")
WAYS = (("order-preserving", "controller"), ("loss-free", "destination"))


@pytest.mark.parametrize(("guarantee", "keep_at"), WAYS)
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_lost_and_order_is_kept(
    target: str, guarantee: str, keep_at: str, tmp_path: Path
) -> None:
    if target == "simple_switch" and shutil.which("simple_switch_grpc") is None:
        pytest.skip("simple_switch_grpc is not installed")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "experiments.demo", "--target", target, "--trials", "move"),
            *("--guarantee", guarantee, "--keep-at", keep_at),
            *("--duration", "5", "--rate", "50", "--scale", "0.01", "--seed", "12"),
            *("--out", str(tmp_path / "out"), "--run-directory", str(tmp_path / "run")),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    trial = json.loads((tmp_path / "out" / "demo.json").read_text())["trials"]["move"]
    packets, where, move = trial["packets"], trial["whereabouts"], trial["move"]
    assert packets["sent"] > 2000
    assert (packets["lost"], packets["duplicated"], packets["reordered"]) == (0, 0, 0)
    assert trial["traffic"]["payload_errors"] == 0
    assert (where["on_both"], where["nowhere"], where["split"]) == (0, 0, 0)
    assert where["moved"] > 20
    assert (move["guarantee"], move["keep_at"]) == (guarantee, keep_at)
    assert (move["buffer"]["packets"] > 0) == (keep_at == "controller")
