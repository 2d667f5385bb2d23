"""What can be asked of a move, and the limits the engine works within."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from controlplane.detection.choice import Choice
from nf.southbound.flow import ALL_BUCKETS


class Kind(StrEnum):
    """Which flows are moved."""

    MOVE = "move"
    """All that the source has state for (OpenNF)."""
    MOVE_ELEPHANT = "move-elephant"
    """The elephants; mice die out at the source (U-HAUL)."""
    DIST = "dist"
    """All, with packets kept at the destination (DiST)."""
    SPLIT_MERGE = "split-merge"
    """All, and all of them wait until the last is in place (Split/Merge)."""
    DRAIN = "drain"
    """None: all die out at the source, as behind a load balancer of a cloud."""
    ALL_LIVE = "all-live"
    """All that have not ended."""


class Scope(StrEnum):
    """Which state is moved."""

    PER_FLOW = "per-flow"


class Guarantee(StrEnum):
    """What is promised to the packets of a flow that moves."""

    NONE = "none"
    LOSS_FREE = "loss-free"
    ORDER_PRESERVING = "order-preserving"
    """Loss-free, and each flow's packets are processed in the order they came in."""


class KeepAt(StrEnum):
    """Where the packets of a flow wait while its state moves."""

    CONTROLLER = "controller"
    """The switch holds the flow (OpenNF, U-HAUL)."""
    DESTINATION = "destination"
    """The switch steers the flow at once, and the destination keeps its packets (DiST)."""


@dataclass(frozen=True, kw_only=True)
class MoveOptions:
    """One call of the northbound API: `move` or `moveElephant` (paper §3.2)."""

    kind: Kind
    source: str
    """Name of the instance that the flows leave."""
    destination: str
    """Name of the instance that they go to."""
    scope: Scope = Scope.PER_FLOW
    guarantee: Guarantee = Guarantee.LOSS_FREE
    keep_at: KeepAt = KeepAt.CONTROLLER
    """Where packets wait; at the destination they stay in order in any case."""
    elephants: Choice = field(default_factory=Choice)
    """How the elephants are told, for `moveElephant`."""
    parallelize: bool = True
    """Each state is put as it is got."""
    early_release: bool = True
    """A flow is released when its own state is in place; else all when all are."""
    stragglers_after_s: float | None = None
    """When a second move takes the flows that are left and would outlive it; None: never."""
    share: float | None = None
    """How many of the buckets that the source owns are turned; None: all that it has to do with.

    Only flows of those move, and die out.
    """
    buckets: frozenset[int] = ALL_BUCKETS
    """Which these are; the engine chooses them where a share is asked for."""

    def overlaps(self, other: MoveOptions) -> bool:
        """Whether both could move the same flow, or turn the same bucket."""
        ends = (other.source, other.destination)
        meet = self.source in ends or self.destination == other.source
        return meet and not self.buckets.isdisjoint(other.buckets)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much the engine does at a time, and how long it waits."""

    in_flight: int = 64
    """Flows between hold and steer, when each is put as it is got and released alone.

    With four times as many a move is over a fifth sooner, and each flow is held three times
    as long.
    """
    write_batch: int = 128
    """Updates in one Write."""
    export_batch: int = 64
    """Flows behind one marker."""
    exports_at_once: int = 8
    """Gets under way at the source."""
    delete_batch: int = 256
    """Flows in one delete."""
    export_timeout_s: float = 5.0
    """How long the source may answer for no flow, of those it is asked to export."""
    import_timeout_s: float = 5.0
    """How long the destination may answer for no flow, of those it is to import."""
    marker_interval_s: float = 0.5
    """When a marker that does not seem to have arrived is sent again."""
    barrier_timeout_s: float = 1.0
    """When a barrier that has not come back is sent again."""
    barrier_attempts: int = 3
    """After so many the flow is let go; the switch is then hardly there any more."""
    write_attempts: int = 3
    """How often a write that the switch does not answer is tried."""
    write_backoff_s: float = 0.1
    """Pause before such another try; it doubles each time."""
    outbox_bytes: int = 16 << 20
    """Packets on their way to the switch, beyond which none more are taken from it."""
    drain_interval_s: float = 0.2
    """How often the source is asked which mice are left."""
