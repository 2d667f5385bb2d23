"""What a move reports: frozen, and the same as JSON.

Durations are in milliseconds. Times inside a move are offsets from its beginning, and
`started_at` is the wall clock there, in seconds since 1970.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from controlplane.detection.choice import Choice
from controlplane.migration.counts import BufferCounts, ControlCounts
from controlplane.migration.options import Guarantee, KeepAt, Kind, Scope
from controlplane.migration.phases import Phase
from controlplane.migration.record import FlowRecord, Outcome


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
    """Packets pass through the controller, for the switch refuses the rule."""
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


class DrainReport(_Frozen):
    """The mice left at the source."""

    instance: str
    """Whose flows die out: the source; the destination, if the buckets were given back."""
    at_turn: int | None
    """Live flows that were left when all that was selected had been moved."""
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
    """When the hold rule was asked for."""
    held_ms: float | None = None
    """When it was written."""
    exported_ms: float | None = None
    in_place_ms: float | None = None
    """When the destination had the state, and the packets were released."""
    released_ms: float | None = None
    """When the packets had been handed to the switch."""
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
    """Why it failed or was cancelled."""
    started_at: float
    downtime_ms: float | None = None
    """From the beginning of the call to the end of the last delete (paper §4.3); None while
    flows are under way, and where none was moved."""
    flows: FlowCounts
    phases_ms: OperationPhases
    flow_phases_ms: FlowPhases
    """When no flow is under way any more."""
    loop_blocked_ms: float = 0.0
    """The longest time for which the controller could do nothing else meanwhile."""
    buffer: BufferReport
    control: ControlReport
    drain: DrainReport | None = None
    stragglers: str | None = None
    """The move that takes what was left, where it was asked for and anything was."""
    taken_over: TakenOver | None = None
    """Where an earlier controller began it."""
    timeline: tuple[FlowReport, ...] | None = None
    """Every flow, where it was asked for, and the move was not long ago."""


@dataclass(frozen=True)
class FlowsSummary:
    """The flows of a move that is over, all together."""

    counts: FlowCounts
    phases: FlowPhases
    outcomes: Counter[Outcome]
    last_delete_s: float | None
    """Monotonic; None where nothing was deleted."""

    @classmethod
    def of(cls, records: Sequence[FlowRecord], selected: int, active: int | None) -> Self:
        """Takes a tenth of a second for ten thousand flows: not for the event loop."""
        return cls(
            flow_counts(records, selected, active),
            flow_phases(records),
            Counter(record.outcome for record in records),
            max(filter(None, map(deleted_s, records)), default=None),
        )


def flow_counts(records: Sequence[FlowRecord], selected: int, active: int | None) -> FlowCounts:
    """Flows by outcome."""
    outcomes = [record.outcome for record in records]
    return FlowCounts(
        active=active,
        selected=selected,
        moved=outcomes.count(Outcome.MOVED),
        absent=outcomes.count(Outcome.ABSENT),
        rolled_back=outcomes.count(Outcome.ROLLED_BACK),
        stranded=outcomes.count(Outcome.STRANDED),
        under_way=outcomes.count(Outcome.UNDER_WAY),
    )


def buffer_report(counts: BufferCounts) -> BufferReport:
    """The buffer's counts."""
    return BufferReport(
        packets=counts.packets,
        bytes=counts.bytes,
        now_packets=counts.now_packets,
        now_bytes=counts.now_bytes,
        peak_packets=counts.peak_packets,
        peak_bytes=counts.peak_bytes,
        late_packets=counts.late_packets,
        passed_packets=counts.passed_packets,
        lost_packets=counts.lost_packets,
    )


def control_report(counts: ControlCounts) -> ControlReport:
    """The control messages."""
    return ControlReport(
        writes=counts.writes,
        updates=counts.updates,
        packet_ins=counts.packet_ins,
        packet_outs=counts.packet_outs,
        southbound_calls=counts.southbound_calls,
        chunks=counts.chunks,
        chunk_bytes=counts.chunk_bytes,
    )


def _first_s(record: FlowRecord, *phases: Phase) -> float | None:
    """When the first of these phases was entered that was entered at all."""
    return next((record.entered_s[phase] for phase in phases if phase in record.entered_s), None)


def _imported_s(record: FlowRecord) -> float | None:
    return _first_s(record, Phase.IMPORTED, Phase.STEERING, Phase.ADMITTING)


def _steered_s(record: FlowRecord) -> float | None:
    if Phase.STEERING not in record.entered_s:
        return None
    if record.state.rules.aside:
        return _first_s(record, Phase.SETTLING)
    return _first_s(record, Phase.DELETING, Phase.SETTLING, Phase.MOVED)


def _admitted_s(record: FlowRecord) -> float | None:
    if Phase.ADMITTING not in record.entered_s:
        return None
    return _first_s(record, Phase.DELETING, Phase.MOVED)


def _free_s(record: FlowRecord) -> float | None:
    """When the flow's packets no longer waited."""
    if record.state.rules.aside:
        return _admitted_s(record)
    return record.released_s or None


def _lasted(
    records: Sequence[FlowRecord],
    first: Callable[[FlowRecord], float | None],
    then: Callable[[FlowRecord], float | None],
) -> Percentiles | None:
    times = [(first(record), then(record)) for record in records]
    return Percentiles.of(
        [(then_s - first_s) * 1e3 for first_s, then_s in times if first_s and then_s]
    )


def flow_phases(records: Sequence[FlowRecord]) -> FlowPhases:
    """The distributions of the flows' phases."""

    def entered(*phases: Phase) -> Callable[[FlowRecord], float | None]:
        return lambda record: _first_s(record, *phases)

    def marker_read_s(record: FlowRecord) -> float | None:
        return record.marker_read_s or None

    def released_s(record: FlowRecord) -> float | None:
        return record.released_s if Phase.STEERING in record.entered_s else None

    begun = entered(Phase.HOLDING, Phase.DIVERTING)
    return FlowPhases(
        announce=_lasted(records, entered(Phase.ANNOUNCING), begun),
        hold=_lasted(records, begun, entered(Phase.EXPORTING)),
        marker=_lasted(records, entered(Phase.EXPORTING), marker_read_s),
        get=_lasted(records, marker_read_s, _exported_s),
        put=_lasted(records, entered(Phase.IMPORTING), _imported_s),
        release=_lasted(records, entered(Phase.STEERING), released_s),
        steer=_lasted(records, entered(Phase.STEERING), _steered_s),
        admit=_lasted(records, entered(Phase.ADMITTING), _admitted_s),
        delete=_lasted(records, entered(Phase.DELETING), deleted_s),
        held=_lasted(records, begun, _free_s),
    )


def _exported_s(record: FlowRecord) -> float | None:
    return _first_s(record, Phase.EXPORTED, Phase.IMPORTING, Phase.STEERING, Phase.ADMITTING)


def deleted_s(record: FlowRecord) -> float | None:
    """When the source had deleted the state of a flow; None if it has not."""
    if Phase.DELETING not in record.entered_s:
        return None
    if record.state.rules.aside:
        return _first_s(record, Phase.MOVED)
    return _first_s(record, Phase.SETTLING, Phase.MOVED)


def flow_report(record: FlowRecord, begin_s: float) -> FlowReport:
    """One flow, with offsets from the beginning of the move."""

    def offset(time_s: float | None) -> float | None:
        return None if not time_s else round((time_s - begin_s) * 1e3, 4)

    entered_s = record.entered_s
    return FlowReport(
        flow=str(record.flow),
        outcome=record.outcome,
        phase=record.state.phase.value,
        reason=record.state.reason,
        hold_ms=offset(_first_s(record, Phase.HOLDING, Phase.DIVERTING)),
        held_ms=(
            offset(entered_s.get(Phase.EXPORTING)) if record.state.rules.is_loss_free else None
        ),
        exported_ms=offset(_exported_s(record)),
        in_place_ms=offset(_imported_s(record)) if Phase.IMPORTING in entered_s else None,
        released_ms=offset(_free_s(record)),
        steered_ms=offset(_steered_s(record)),
        deleted_ms=offset(deleted_s(record)),
        buffered_packets=record.buffered_packets,
        buffered_bytes=record.buffered_bytes,
        passed_packets=record.passed_packets,
        late_packets=record.late_packets,
        chunk_bytes=record.chunk_bytes,
    )
