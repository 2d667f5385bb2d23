"""What each strategy takes, and what can be asked of it.

Run: pytest tests/unit/migration/test_migration_strategy.py
"""

from __future__ import annotations

import pytest

from controlplane.cli.options import StrategyName
from controlplane.migration.options import Guarantee, KeepAt, Kind
from controlplane.migration.strategy import BY_NAME, STRATEGIES
from controlplane.northbound.models import MoveRequest


def test_there_is_one_strategy_a_call() -> None:
    assert set(STRATEGIES) == set(Kind)
    assert set(BY_NAME) == {name.value for name in StrategyName}


@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_not_asked_for_is_the_strategys_own(kind: Kind) -> None:
    options = MoveRequest(kind=kind, source="a", destination="b").options()
    assert options.keep_at is (KeepAt.DESTINATION if kind is Kind.DIST else KeepAt.CONTROLLER)
    assert options.early_release == (kind is not Kind.SPLIT_MERGE)
    assert options.guarantee is Guarantee.LOSS_FREE
    assert not STRATEGIES[kind].refusal(options)


@pytest.mark.parametrize(
    ("kind", "asked", "refusal"),
    [
        (Kind.DIST, {"keep_at": "controller"}, "dist keeps packets at the destination"),
        (Kind.DIST, {"guarantee": "none"}, "cannot go without a guarantee"),
        (Kind.SPLIT_MERGE, {"keep_at": "destination"}, "keeps packets at the controller"),
        (Kind.SPLIT_MERGE, {"early_release": True}, "no early release"),
        (Kind.MOVE, {"keep_at": "destination", "early_release": False}, ""),
        (Kind.DIST, {"early_release": False, "guarantee": "order-preserving"}, ""),
    ],
)
def test_a_strategy_stays_what_it_is(kind: Kind, asked: dict[str, object], refusal: str) -> None:
    body = {"kind": kind, "source": "a", "destination": "b", **asked}
    found = STRATEGIES[kind].refusal(MoveRequest.model_validate(body).options())
    assert refusal in found
    assert bool(found) == bool(refusal)
