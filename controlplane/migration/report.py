"""What a move reports: frozen, and the same as JSON.

Durations are in milliseconds. Times inside a move are offsets from its beginning, and
`started_at` is the wall clock there, in seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from pydantic import BaseModel, ConfigDict

from controlplane.detection.choice import Choice
from controlplane.migration.options import Guarantee, KeepAt, Kind, Scope
from controlplane.migration.record import Outcome


class MoveState(StrEnum):
    """Where a move is."""

    PREPARING = "preparing"
    """Instances are asked, flows chosen, buckets turned."""
    MOVING = "moving"
    """Flows are being moved."""
    UNDOING = "undoing"
    """The buckets are given back, after a cancel or a failure."""
    DRAINING = "draining"
    """All that was to be moved has been; mice are left at the source."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


CANCELLABLE = frozenset({MoveState.PREPARING, MoveState.MOVING})
"""States in which something is left to roll back."""

UNDER_WAY = frozenset({MoveState.PREPARING, MoveState.MOVING, MoveState.UNDOING})
"""States in which no other move of the same flows is begun."""

ENDED = frozenset({MoveState.DONE, MoveState.FAILED, MoveState.CANCELLED})
"""States that a move does not leave."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Percentiles(_Frozen):
    """A distribution over flows, in milliseconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float

    @classmethod
    def of(cls, values_ms: Sequence[float]) -> Percentiles | None:
        """None of no values."""
        if not values_ms:
            return None
        values = np.asarray(values_ms)
        p50, p90, p99 = (float(v) for v in np.percentile(values, (50, 90, 99)))
        return cls(
            count=len(values_ms),
            mean=round(float(values.mean()), 4),
            p50=round(p50, 4),
            p90=round(p90, 4),
            p99=round(p99, 4),
            max=round(float(values.max()), 4),
        )


class OperationPhases(_Frozen):
    """How long the parts of the call took; None where it did not come to that."""

    prepare: float | None = None
    """Asking both instances."""
    detect: float | None = None
    """Choosing the flows: registers for the elephants, ListFlows for all."""
    turn: float | None = None
    """Turning the buckets, and telling the source to take no new flows."""
    move: float | None = None
    """From the first hold to the last end."""
    undo: float | None = None
    """Giving the buckets back."""


class FlowPhases(_Frozen):
    """How long the flows were in each phase."""

    announce: Percentiles | None
    """Until the destination set the flow's packets aside."""
    hold: Percentiles | None
    """Until the switch had written the first rule: the hold, or the one to the destination."""
    marker: Percentiles | None
    """Until the source had read the marker and the first state of the batch came."""
    get: Percentiles | None
    """Until the flow's own state came."""
    put: Percentiles | None
    """Until it was in place."""
    release: Percentiles | None
    """Until the held packets had been handed to the switch."""
    steer: Percentiles | None
    """Until the switch had written the rule to the destination."""
    admit: Percentiles | None
    """Until the destination had processed what it had set aside."""
    delete: Percentiles | None
    """Until the source had deleted its state."""
    held: Percentiles | None
    """From the first rule asked for until its packets waited no more: the flow's downtime."""


class FlowCounts(_Frozen):
    """Flows by what became of them."""

    active: int | None = None
    """Active at the source when the elephants were chosen."""
    selected: int = 0
    moved: int = 0
    absent: int = 0
    """Steered to the destination; the source had no state left."""
    rolled_back: int = 0
    stranded: int = 0
    """The switch refuses the rule, or does not answer: where packets wait at the controller, they
    pass through it."""
    under_way: int = 0


class BufferReport(_Frozen):
    """What waited at the controller."""

    packets: int
    """In total."""
    bytes: int
    now_packets: int
    now_bytes: int
    peak_packets: int
    peak_bytes: int
    late_packets: int
    """Came when the rule that ended the hold was already written."""
    passed_packets: int
    """Sent on at once, late ones included."""
    lost_packets: int
    """Lost on the way from the switch, which had more to send than that way carries. Where
    several moves hold flows at the time, it is not known of which: each counts them."""


class ControlReport(_Frozen):
    """Control messages."""

    writes: int
    updates: int
    packet_ins: int
    packet_outs: int
    southbound_calls: int
    chunks: int
    chunk_bytes: int


class PortsReport(_Frozen):
    """Packets that the instances lost meanwhile, being slower than they came.

    None until the flows have moved, and where an instance does not say.
    """

    source_lost: int | None
    destination_lost: int | None


class DrainReport(_Frozen):
    """The mice left at the source."""

    instance: str
    """Whose flows die out: the source; the destination, if the buckets were given back.

    If only some were, one of the two until it is drained, then the other.
    """
    at_turn: int | None
    """Live flows that were left when it was asked first, after all that was selected had moved."""
    left: int | None
    """Live flows that are left now."""
    drained_ms: float | None = None
    """When the last had died out."""
    superseded: bool = False
    """Another move has turned the buckets since."""


class FlowReport(_Frozen):
    """One flow."""

    flow: str
    outcome: Outcome
    phase: str
    reason: str = ""
    hold_ms: float | None = None
    """When the first rule was asked for: *hold*, or *to the destination* where that keeps them."""
    held_ms: float | None = None
    """When that rule was written."""
    exported_ms: float | None = None
    in_place_ms: float | None = None
    """When the destination had the state."""
    released_ms: float | None = None
    """When the packets had been handed to the switch, or admitted by the destination."""
    steered_ms: float | None = None
    deleted_ms: float | None = None
    buffered_packets: int = 0
    buffered_bytes: int = 0
    passed_packets: int = 0
    late_packets: int = 0
    chunk_bytes: int = 0


class TakenOver(_Frozen):
    """What was left of a move whose controller had ended."""

    flows: int
    """Flows that were under way."""
    committed: int
    """Of those, flows that went on to the destination; the others went back to the source."""
    moved_before: int
    """Flows that were moved by then, and of which nothing more is known."""
    lost_packets_at_most: int | None
    """Packets that the switch had sent to that controller, as far as nobody has them. Of a
    flow that was committed some may have been released. None where the switch has been
    restarted, and does not know."""


class MoveReport(_Frozen):
    """A move, under way or over."""

    id: str
    kind: Kind
    source: str
    destination: str
    scope: Scope
    guarantee: Guarantee
    keep_at: KeepAt
    elephants: Choice | None
    """How they were told, for `moveElephant`."""
    parallelize: bool
    early_release: bool
    buckets: int
    """Hash buckets whose flows it takes; of all of them some may not be the source's."""
    state: MoveState
    reason: str = ""
    """Why it failed or was cancelled, or what of it did not come about."""
    started_at: float
    downtime_ms: float | None = None
    """From the beginning of the call to the end of the last delete (paper §4.3); None while
    flows are under way, and where none was moved."""
    flows: FlowCounts
    phases_ms: OperationPhases
    flow_phases_ms: FlowPhases
    """When no flow is under way any more."""
    loop_blocked_ms: float = 0.0
    """The longest time of its processor for which the controller did one thing only."""
    loop_late_ms: float = 0.0
    """The longest time for which it came to nothing else, whoever had the processor."""
    buffer: BufferReport
    control: ControlReport
    ports: PortsReport
    drain: DrainReport | None = None
    stragglers: str | None = None
    """The move that takes what was left, where it was asked for and anything was."""
    taken_over: TakenOver | None = None
    """Where an earlier controller began it."""
    timeline: tuple[FlowReport, ...] | None = None
    """Every flow, where it was asked for, and the move was not long ago."""
