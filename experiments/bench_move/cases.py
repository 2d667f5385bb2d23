"""What is compared: a strategy, a guarantee and a place where packets wait."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.migration.options import Guarantee, KeepAt, Kind
from controlplane.migration.strategy import STRATEGIES, Takes
from controlplane.northbound.models import MoveRequest


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to move."""

    kind: Kind
    guarantee: Guarantee
    keep_at: KeepAt

    @property
    def name(self) -> str:
        """`uhaul, loss-free @ controller`."""
        strategy = STRATEGIES[self.kind]
        if strategy.takes is Takes.NONE:
            return strategy.name
        place = f" @ {self.keep_at}" if self.is_loss_free else ""
        return f"{strategy.name}, {self.guarantee}{place}"

    @property
    def leaves_flows(self) -> bool:
        """Whether flows are left at the source."""
        return STRATEGIES[self.kind].takes in (Takes.ELEPHANTS, Takes.NONE)

    @property
    def is_loss_free(self) -> bool:
        """Whether every packet must be in a state afterwards."""
        return self.guarantee is not Guarantee.NONE


def _cases() -> tuple[Case, ...]:
    """All that differ. At the destination packets stay in order in any case."""
    places = [
        (Guarantee.NONE, KeepAt.CONTROLLER),
        (Guarantee.LOSS_FREE, KeepAt.CONTROLLER),
        (Guarantee.LOSS_FREE, KeepAt.DESTINATION),
        (Guarantee.ORDER_PRESERVING, KeepAt.CONTROLLER),
    ]
    found: list[Case] = []
    for kind, strategy in STRATEGIES.items():
        if strategy.takes is Takes.NONE:
            found.append(Case(kind=kind, guarantee=Guarantee.LOSS_FREE, keep_at=KeepAt.CONTROLLER))
            continue
        for guarantee, keep_at in places:
            request = MoveRequest(
                kind=kind, source="", destination="", guarantee=guarantee, keep_at=keep_at
            )
            if not strategy.refusal(request.options()):
                found.append(Case(kind=kind, guarantee=guarantee, keep_at=keep_at))
    return tuple(found)


CASES = _cases()
UHAUL, OPENNF = (
    Case(kind=kind, guarantee=Guarantee.LOSS_FREE, keep_at=KeepAt.CONTROLLER)
    for kind in (Kind.MOVE_ELEPHANT, Kind.MOVE)
)
"""The two that the paper compares."""
