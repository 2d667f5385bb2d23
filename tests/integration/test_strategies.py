"""Every strategy on live traffic.

Run: pytest tests/integration/test_strategies.py
"""

from __future__ import annotations

from pathlib import Path

import pytest
from demo_trial import assert_nothing_is_lost, run_trial


@pytest.mark.parametrize(
    ("target", "strategy"),
    [
        *(("embedded", strategy) for strategy in ("dist", "split-merge", "drain", "all-live")),
        ("simple_switch", "split-merge"),  # the one that has it hold most packets
    ],
)
def test_nothing_is_lost(target: str, strategy: str, tmp_path: Path) -> None:
    """`move` and `move-elephant` are in test_demo.py."""
    trial = run_trial(target, strategy, tmp_path)
    assert_nothing_is_lost(trial)
    move = trial["move"]
    assert move["kind"] == strategy
    assert (trial["whereabouts"]["moved"] > 0) == (strategy != "drain")
    assert move["keep_at"] == ("destination" if strategy == "dist" else "controller")
    if strategy in ("dist", "drain"):
        assert move["buffer"]["packets"] == 0
