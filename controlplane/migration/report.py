"""What a move reports: frozen, and the same as JSON.

Durations are in milliseconds. Times inside a move are offsets from its beginning, and
`started_at` is the wall clock there, in seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from pydantic import BaseModel, ConfigDict

from controlplane.migration.counts import BufferCounts, ControlCounts
from controlplane.migration.options import Guarantee, Kind, Scope
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
"""States in which no other move of the same group is begun."""


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

    hold: Percentiles | None
    """Until the switch had written the hold rule."""
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
    delete: Percentiles | None
    """Until the source had deleted its state."""
    held: Percentiles | None
    """From the hold rule asked for to the held packets released: the flow's downtime."""


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


class MoveReport(_Frozen):
    """A move, under way or over."""

    id: str
    kind: Kind
    source: str
    destination: str
    scope: Scope
    guarantee: Guarantee
    rho: float | None
    parallelize: bool
    early_release: bool
    state: MoveState
    reason: str = ""
    """Why it failed or was cancelled."""
    started_at: float
    downtime_ms: float | None = None
    """From the beginning of the call to the end of the last delete (paper §4.3)."""
    flows: FlowCounts
    phases_ms: OperationPhases
    flow_phases_ms: FlowPhases
    buffer: BufferReport
    control: ControlReport
    drain: DrainReport | None = None
    timeline: tuple[FlowReport, ...] | None = None
    """Every flow, where it was asked for."""


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


def _between(records: Sequence[FlowRecord], first: Phase, second: Phase) -> Percentiles | None:
    return Percentiles.of(
        [
            (record.entered_s[second] - record.entered_s[first]) * 1e3
            for record in records
            if first in record.entered_s and second in record.entered_s
        ]
    )


def _imported_s(record: FlowRecord) -> float | None:
    return record.entered_s.get(Phase.IMPORTED, record.entered_s.get(Phase.STEERING))


def flow_phases(records: Sequence[FlowRecord]) -> FlowPhases:
    """The distributions of the flows' phases."""
    got = [r for r in records if r.marker_read_s and Phase.EXPORTING in r.entered_s]
    exported_s = {id(record): _exported_s(record) for record in got}
    steered = [r for r in records if r.released_s and Phase.STEERING in r.entered_s]
    held = [r for r in records if r.released_s and Phase.HOLDING in r.entered_s]
    put = [r for r in records if Phase.IMPORTING in r.entered_s and _imported_s(r) is not None]
    return FlowPhases(
        hold=_between(records, Phase.HOLDING, Phase.EXPORTING),
        marker=Percentiles.of(
            [(r.marker_read_s - r.entered_s[Phase.EXPORTING]) * 1e3 for r in got]
        ),
        get=Percentiles.of(
            [
                (then_s - r.marker_read_s) * 1e3
                for r in got
                if (then_s := exported_s[id(r)]) is not None
            ]
        ),
        put=Percentiles.of(
            [
                (then_s - r.entered_s[Phase.IMPORTING]) * 1e3
                for r in put
                if (then_s := _imported_s(r)) is not None
            ]
        ),
        release=Percentiles.of(
            [(r.released_s - r.entered_s[Phase.STEERING]) * 1e3 for r in steered]
        ),
        steer=_between(records, Phase.STEERING, Phase.DELETING),
        delete=Percentiles.of(
            [
                (then_s - r.entered_s[Phase.DELETING]) * 1e3
                for r in records
                if Phase.DELETING in r.entered_s and (then_s := deleted_s(r)) is not None
            ]
        ),
        held=Percentiles.of([(r.released_s - r.entered_s[Phase.HOLDING]) * 1e3 for r in held]),
    )


def _exported_s(record: FlowRecord) -> float | None:
    for phase in (Phase.EXPORTED, Phase.IMPORTING, Phase.STEERING):
        if phase in record.entered_s:
            return record.entered_s[phase]
    return None


def deleted_s(record: FlowRecord) -> float | None:
    """When the source had deleted the state of a flow; None if it has not."""
    if Phase.DELETING not in record.entered_s:
        return None
    return record.entered_s.get(Phase.SETTLING, record.entered_s.get(Phase.MOVED))


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
        hold_ms=offset(entered_s.get(Phase.HOLDING)),
        held_ms=offset(entered_s.get(Phase.EXPORTING)) if Phase.HOLDING in entered_s else None,
        exported_ms=offset(_exported_s(record)),
        in_place_ms=offset(_imported_s(record)) if Phase.IMPORTING in entered_s else None,
        released_ms=offset(record.released_s),
        steered_ms=offset(
            entered_s.get(Phase.DELETING, entered_s.get(Phase.SETTLING))
            if Phase.STEERING in entered_s
            else None
        ),
        deleted_ms=offset(deleted_s(record)),
        buffered_packets=record.buffered_packets,
        buffered_bytes=record.buffered_bytes,
        passed_packets=record.passed_packets,
        late_packets=record.late_packets,
        chunk_bytes=record.chunk_bytes,
    )
