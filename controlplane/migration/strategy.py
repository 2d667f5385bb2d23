"""Strategies: which flows move, and what holds for how they do, unless it is asked for otherwise.

All of them run on the same engine: they turn the buckets, so that new flows begin at the
destination, move the flows they take, and let the rest die out at the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from controlplane.migration.options import Guarantee, KeepAt, Kind, MoveOptions
from nf.southbound.flow import FiveTuple

if TYPE_CHECKING:  # the command line needs no gRPC
    from nf.southbound.client import FlowSummary


class Takes(Enum):
    """Which flows of the source are moved; the value says it in words."""

    ALL = "every flow"
    LIVE = "every flow that has not ended"
    ELEPHANTS = "the elephants"
    NONE = "no flow"


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """A way to move the load of one instance to another."""

    name: str
    """As operators know it."""
    kind: Kind
    """The call of the northbound API."""
    takes: Takes
    keep_at: KeepAt = KeepAt.CONTROLLER
    """Where packets wait, unless it is asked for otherwise."""
    early_release: bool = True
    """Whether flows are released one by one, unless it is asked for otherwise."""
    is_strict: bool = False
    """Whether nothing else can be asked for: it would be another strategy."""

    def choose(self, flows: Iterable[FlowSummary]) -> list[FiveTuple]:
        """Which of the flows that the source has listed are moved, in the same order.

        Elephants are the detector's to choose: of a list none is taken for one.
        """
        match self.takes:
            case Takes.ALL:
                return [flow.flow for flow in flows]
            case Takes.LIVE:
                return [flow.flow for flow in flows if not flow.ended]
            case Takes.ELEPHANTS | Takes.NONE:
                return []

    def refusal(self, options: MoveOptions) -> str:
        """Why it cannot do what is asked for, in one line; empty if it can."""
        if not self.is_strict:
            return ""
        if options.guarantee is Guarantee.NONE:
            return f"{self.name} lets packets wait: it cannot go without a guarantee"
        if options.keep_at is not self.keep_at:
            return f"{self.name} keeps packets at the {self.keep_at}"
        if options.early_release and not self.early_release:
            return f"{self.name} suspends all flows until all are in place: no early release"
        return ""


STRATEGIES: Mapping[Kind, Strategy] = {
    strategy.kind: strategy
    for strategy in (
        Strategy(name="uhaul", kind=Kind.MOVE_ELEPHANT, takes=Takes.ELEPHANTS),
        Strategy(name="opennf", kind=Kind.MOVE, takes=Takes.ALL),
        Strategy(
            name="dist",
            kind=Kind.DIST,
            takes=Takes.ALL,
            keep_at=KeepAt.DESTINATION,
            is_strict=True,
        ),
        Strategy(
            name="split-merge",
            kind=Kind.SPLIT_MERGE,
            takes=Takes.ALL,
            early_release=False,
            is_strict=True,
        ),
        Strategy(name="drain", kind=Kind.DRAIN, takes=Takes.NONE),
        Strategy(name="all-live", kind=Kind.ALL_LIVE, takes=Takes.LIVE),
    )
}
"""By the call that asks for them."""

BY_NAME: Mapping[str, Strategy] = {strategy.name: strategy for strategy in STRATEGIES.values()}
"""By the name that operators know."""
