"""What the benchmark prints and writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from rich import box
from rich.table import Table

from experiments.bench_move.cases import OPENNF, UHAUL, Case
from experiments.spread import Spread

_OF_THE_PAPER = 1000
"""Flows, in the paper's comparison with OpenNF."""
_OPENNF_MS = 268.0  # paper §1: 1,000 flows without a guarantee


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One move."""

    flows_moved: float
    downtime_ms: float | None
    """From the beginning of the call to the last delete; None where no flow moves."""
    detect_ms: float
    held_p50_ms: float | None
    """A flow's own downtime; None where nothing is held."""
    held_p99_ms: float | None
    buffer_peak_packets: float
    buffer_peak_kib: float
    buffer_packets: float
    """In total."""
    buffer_kib: float
    rules: float
    """Updates of the switch's tables."""
    messages: float
    """Writes, packets to and from the switch, and southbound calls."""
    chunk_kib: float
    switch_cpu_ms: float
    controller_cpu_ms: float
    instances_cpu_ms: float
    loop_blocked_ms: float
    """The longest time of its processor for which the controller did one thing only."""
    lost_packets: float
    """Reported as lost: on the way from the switch, or by an instance that could not read them."""
    miscounted: float | None
    """Packets that are in no state, or in two; None where that is not promised."""

    @classmethod
    def of(
        cls, report: Mapping[str, Any], *, cpu_s: Mapping[str, float], miscounted: int | None
    ) -> Self:
        """What a move's report says, and what its processes used meanwhile."""
        held = report["flow_phases_ms"]["held"] or {}
        buffer, control = report["buffer"], report["control"]
        return cls(
            flows_moved=report["flows"]["moved"],
            downtime_ms=report["downtime_ms"],
            detect_ms=report["phases_ms"]["detect"] or 0.0,
            held_p50_ms=held.get("p50"),
            held_p99_ms=held.get("p99"),
            buffer_peak_packets=buffer["peak_packets"],
            buffer_peak_kib=buffer["peak_bytes"] / 1024,
            buffer_packets=buffer["packets"],
            buffer_kib=buffer["bytes"] / 1024,
            rules=control["updates"],
            messages=sum(
                control[each]
                for each in ("writes", "packet_ins", "packet_outs", "southbound_calls")
            )
            + control["chunks"],
            chunk_kib=control["chunk_bytes"] / 1024,
            switch_cpu_ms=cpu_s["switch"] * 1e3,
            controller_cpu_ms=cpu_s["controller"] * 1e3,
            instances_cpu_ms=1e3
            * sum(used for name, used in cpu_s.items() if name.startswith("nf")),
            loop_blocked_ms=report["loop_blocked_ms"],
            lost_packets=sum(
                lost or 0
                for lost in (
                    buffer["lost_packets"],
                    report["ports"]["source_lost"],
                    report["ports"]["destination_lost"],
                )
            ),
            miscounted=miscounted,
        )


_FELT = (
    ("flows", "flows_moved"),
    ("down ms", "downtime_ms"),
    ("held p50", "held_p50_ms"),
    ("p99", "held_p99_ms"),
    ("kept", "buffer_packets"),
    ("peak", "buffer_peak_packets"),
    ("lost", "lost_packets"),
)
"""What the traffic has to do with."""
_COST = (
    ("rules", "rules"),
    ("messages", "messages"),
    ("blocked ms", "loop_blocked_ms"),
    ("CPU ms: switch", "switch_cpu_ms"),
    ("controller", "controller_cpu_ms"),
    ("NFs", "instances_cpu_ms"),
)
"""What it costs."""
_WITH_SPREAD = ("downtime_ms",)


class Results:
    """All samples."""

    def __init__(self) -> None:
        """Empty."""
        self._samples: dict[int, dict[Case, list[Sample]]] = {}

    def add(self, flows: int, case: Case, sample: Sample) -> None:
        """Notes a move."""
        self._samples.setdefault(flows, {}).setdefault(case, []).append(sample)

    @property
    def flows(self) -> tuple[int, ...]:
        """The numbers of flows."""
        return tuple(self._samples)

    @property
    def lost(self) -> int:
        """Packets in no state or in two, over all moves that promise that there are none."""
        return sum(
            int(sample.miscounted or 0)
            for cases in self._samples.values()
            for samples in cases.values()
            for sample in samples
        )

    def spread(self, flows: int, case: Case, quantity: str) -> Spread | None:
        """A quantity of a Sample over all rounds; None where there is none."""
        values = [getattr(sample, quantity) for sample in self._samples[flows].get(case, ())]
        known = [value for value in values if value is not None]
        return Spread.of(known) if known else None

    def ratio(self, flows: int, quantity: str) -> Spread | None:
        """Of uhaul to opennf, round by round; None where they cannot be compared."""
        cases = self._samples.get(flows, {})
        values = [
            getattr(one, quantity) / getattr(other, quantity)
            for one, other in zip(cases.get(UHAUL, ()), cases.get(OPENNF, ()), strict=True)
            if getattr(other, quantity)
        ]
        return Spread.of(values) if values else None

    def tables(self, flows: int) -> Iterator[Table]:
        """Medians; half the range beside the downtime."""
        yield self._table(f"{flows:,} flows: what the traffic meets, medians", flows, _FELT)
        yield self._table(f"{flows:,} flows: what it costs, medians", flows, _COST)

    def _table(self, title: str, flows: int, columns: Sequence[tuple[str, str]]) -> Table:
        shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        shown.add_column("", no_wrap=True)
        for heading, _ in columns:
            shown.add_column(heading, justify="right")
        for case in self._samples[flows]:
            cells = [
                _cell(self.spread(flows, case, quantity), with_range=quantity in _WITH_SPREAD)
                for _, quantity in columns
            ]
            shown.add_row(case.name, *cells)
        return shown

    def wanted(self) -> Iterator[str]:
        """What the design asks for, and what it came to; one line each."""
        if _OF_THE_PAPER not in self._samples:
            return
        for what, quantity, bound in (
            ("downtime", "downtime_ms", 0.10),
            ("buffer, packets", "buffer_packets", 0.15),
            ("buffer, bytes", "buffer_kib", 0.15),
            ("peak buffer, packets", "buffer_peak_packets", 0.15),
        ):
            spread = self.ratio(_OF_THE_PAPER, quantity)
            if spread is not None:
                yield f"{what}, uhaul ÷ opennf: {_percent(spread)} (wanted: at most {bound:.0%})"
        opennf = self.spread(_OF_THE_PAPER, OPENNF, "downtime_ms")
        if opennf is not None:
            yield f"opennf, loss-free: {_cell(opennf)} ms (the paper's OpenNF: {_OPENNF_MS:g} ms)"
        for case in (UHAUL, OPENNF):
            held = self.spread(_OF_THE_PAPER, case, "held_p50_ms")
            if held is not None:
                yield f"a flow is held, {case.name}: p50 {_cell(held)} ms (wanted: at most 5 ms)"
        yield f"packets in no state or in two, where that is promised: {self.lost}"

    def as_json(self) -> list[dict[str, Any]]:
        """Every spread, ready for JSON."""
        return [
            {
                "flows": flows,
                "case": case.name,
                **{
                    field.name: None if spread is None else asdict(spread)
                    for field in fields(Sample)
                    for spread in (self.spread(flows, case, field.name),)
                },
            }
            for flows, cases in self._samples.items()
            for case in cases
        ]


def _cell(spread: Spread | None, *, with_range: bool = True) -> str:
    if spread is None:
        return "–"
    number = f"{spread.median:,.0f}" if spread.median >= 100 else f"{spread.median:.3g}"
    if not spread.median or not with_range:
        return number
    return f"{number} ±{(spread.most - spread.least) / 2 / spread.median:.0%}"


def _percent(spread: Spread) -> str:
    return f"{spread.median:.1%} ({spread.least:.1%}–{spread.most:.1%})"
