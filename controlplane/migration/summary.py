"""From the records of a move's flows, and its counts, to what it reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from controlplane.migration.counts import BufferCounts, ControlCounts
from controlplane.migration.journal import OpenMove
from controlplane.migration.peers import RuledPackets
from controlplane.migration.phases import Phase
from controlplane.migration.record import FlowRecord, Outcome
from controlplane.migration.report import (
    BufferReport,
    ControlReport,
    FlowCounts,
    FlowPhases,
    FlowReport,
    Percentiles,
    TakenOver,
)
from nf.southbound.flow import FiveTuple


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


def taken_over_report(
    begun: OpenMove,
    ruled: Mapping[FiveTuple, RuledPackets] | None,
    kept: int,
    *,
    holds: bool,
) -> TakenOver:
    """What was left of a move whose controller had ended.

    `ruled` tells the packets that the switch may have sent to that one, if it knows; `kept` is
    how many of them are here. Where the controller `holds` packets, what it had released to the
    destination may have been on its way out still, though the rule that held it is replaced.
    """
    lost: int | None = None
    if ruled is not None:
        sent = (
            ruled[flow.flow].packets
            for flow in begun.flows
            if flow.flow in ruled
            and (ruled[flow.flow].is_held or (flow.stage.is_committed and holds))
        )
        lost = sum(sent) - kept
    return TakenOver(
        flows=len(begun.flows),
        committed=sum(flow.stage.is_committed for flow in begun.flows),
        moved_before=begun.moved,
        lost_packets_at_most=lost,
    )
