"""Every strategy on live traffic through the embedded switch.

Run: pytest tests/integration/test_strategies.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("strategy", ["dist", "split-merge", "drain", "all-live"])
def test_nothing_is_lost(strategy: str, tmp_path: Path) -> None:
    """`move` and `move-elephant` are in test_demo.py."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "experiments.demo", "--target", "embedded"),
            *("--trials", strategy, "--duration", "5", "--rate", "50", "--scale", "0.01"),
            *("--seed", "12", "--out", str(tmp_path / "out")),
            *("--run-directory", str(tmp_path / "run")),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    trial = json.loads((tmp_path / "out" / "demo.json").read_text())["trials"][strategy]
    packets, where, move = trial["packets"], trial["whereabouts"], trial["move"]
    assert packets["sent"] > 2000
    assert (packets["lost"], packets["duplicated"]) == (0, 0)
    assert trial["traffic"]["payload_errors"] == 0
    assert (where["on_both"], where["nowhere"], where["split"]) == (0, 0, 0)
    assert move["kind"] == strategy
    assert (where["moved"] > 0) == (strategy != "drain")
    assert move["keep_at"] == ("destination" if strategy == "dist" else "controller")
    if strategy in ("dist", "drain"):
        assert move["buffer"]["packets"] == 0
