"""Every strategy, guarantee and place where packets wait, on live traffic: nothing is lost.

The benchmark moves the same flows back and forth in each way, and counts every packet of
theirs in the states afterwards.

Run: pytest tests/integration/test_strategies.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from demo_trial import TARGETS, run_experiment

from controlplane.migration.options import KeepAt, Kind
from experiments.bench_move.cases import CASES

FLOWS = 100


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_lost(target: str, tmp_path: Path) -> None:
    short = ("--flows", str(FLOWS), "--rounds", "1")
    out = run_experiment("bench_move", target, tmp_path, *short, timeout_s=110)
    rows = json.loads((out / "bench-move.json").read_text())
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
