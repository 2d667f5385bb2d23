"""Moves whose packets wait in another way, on live traffic and on every switch target.

Run: pytest tests/integration/test_ways_to_wait.py
"""

from __future__ import annotations

from pathlib import Path

import pytest
from demo_trial import TARGETS, assert_nothing_is_lost, run_trial

WAYS = (("order-preserving", "controller"), ("loss-free", "destination"))


@pytest.mark.parametrize(("guarantee", "keep_at"), WAYS)
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_lost_and_order_is_kept(
    target: str, guarantee: str, keep_at: str, tmp_path: Path
) -> None:
    trial = run_trial(target, "move", tmp_path, "--guarantee", guarantee, "--keep-at", keep_at)
    assert_nothing_is_lost(trial)
    move = trial["move"]
    assert trial["packets"]["reordered"] == 0
    assert trial["whereabouts"]["moved"] > 20
    assert (move["guarantee"], move["keep_at"]) == (guarantee, keep_at)
    assert (move["buffer"]["packets"] > 0) == (keep_at == "controller")
