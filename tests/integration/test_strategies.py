"""Every strategy, guarantee and place where packets wait, on live traffic: nothing is lost.

The benchmark moves the same flows back and forth in each way, and counts every packet of
theirs in the states afterwards.

Run: pytest tests/integration/test_strategies.py
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from demo_trial import TARGETS

from controlplane.migration.options import KeepAt, Kind
from experiments.bench_move.cases import CASES

FLOWS = 100


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_lost(target: str, tmp_path: Path) -> None:
    if target == "simple_switch" and shutil.which("simple_switch_grpc") is None:
        pytest.skip("simple_switch_grpc is not installed")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "experiments.bench_move", "--target", target),
            *("--flows", str(FLOWS), "--rounds", "1"),
            *("--out", str(tmp_path / "out"), "--run-directory", str(tmp_path / "run")),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "out" / "bench-move.json").read_text())
    found = {row["case"]: medians(row) for row in rows}
    assert list(found) == [case.name for case in CASES]
    for case in CASES:
        of = found[case.name]
        assert of["lost_packets"] == 0, case.name
        assert of["miscounted"] == (0 if case.is_loss_free else None), case.name
        assert (of["flows_moved"] == FLOWS) == (not case.leaves_flows), case.name
        assert (of["flows_moved"] == 0) == (case.kind is Kind.DRAIN), case.name
        waits_here = case.is_loss_free and case.keep_at is KeepAt.CONTROLLER
        assert waits_here or of["buffer_packets"] == 0, case.name


def medians(row: dict[str, Any]) -> dict[str, float | None]:
    return {
        name: None if spread is None else spread["median"]
        for name, spread in row.items()
        if name not in ("flows", "case")
    }
