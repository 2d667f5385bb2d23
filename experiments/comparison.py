"""The trials side by side, each number with the paper's beside it where it has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.table import Table

from experiments.findings import Findings
from experiments.mice import MiceTimes

MOVE, MOVE_ELEPHANT, NONE = "move", "move-elephant", "none"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The same traffic with different moves."""

    settings: Mapping[str, Any]
    """What was run: seed, duration, scale, target, …"""
    findings: Mapping[str, Findings]
    """By strategy."""
    mice_met: Mapping[str, MiceTimes]
    """Mice that were under way during the longest move, by strategy."""
    mice_all: Mapping[str, MiceTimes]
    """Every mouse that completed, by strategy."""

    @property
    def clean(self) -> bool:
        """Whether no trial lost, doubled or corrupted anything."""
        return all(each.clean for each in self.findings.values())

    def ratios(self) -> dict[str, float | None]:
        """What the paper compares. None where a trial or a number is missing."""
        downtime = self._report_ratio("downtime_ms")
        return {
            "downtime": downtime,
            "buffer_packets": self._report_ratio("buffer", "packets"),
            "buffer_bytes": self._report_ratio("buffer", "bytes"),
            "buffer_peak_packets": self._report_ratio("buffer", "peak_packets"),
            "buffer_peak_bytes": self._report_ratio("buffer", "peak_bytes"),
            "mice_p50": self._mice_ratio("p50", MOVE, MOVE_ELEPHANT),
            "mice_p99": self._mice_ratio("p99", MOVE, MOVE_ELEPHANT),
            "mice_mean": self._mice_ratio("mean", MOVE, MOVE_ELEPHANT),
            "mice_p99_to_none": self._mice_ratio("p99", MOVE_ELEPHANT, NONE),
        }

    def as_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "settings": dict(self.settings),
            "clean": self.clean,
            "ratios": self.ratios(),
            "mice_met": {name: asdict(each) for name, each in self.mice_met.items()},
            "mice_all": {name: asdict(each) for name, each in self.mice_all.items()},
            "trials": {name: asdict(each) for name, each in self.findings.items()},
        }

    def _report_ratio(self, *path: str) -> float | None:
        return _ratio(
            _dig(self.findings.get(MOVE_ELEPHANT), path), _dig(self.findings.get(MOVE), path)
        )

    def _mice_ratio(self, name: str, over: str, under: str) -> float | None:
        if over not in self.mice_met or under not in self.mice_met:
            return None
        return _ratio(getattr(self.mice_met[over], name), getattr(self.mice_met[under], name))


def table(comparison: Comparison) -> Table:
    """The comparison as a table for the terminal."""
    strategies = list(comparison.findings)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    shown.add_column("")
    for name in strategies:
        shown.add_column("no move" if name == NONE else name, justify="right")
    shown.add_column("elephant ÷ all", justify="right")
    shown.add_column("the paper (web search)", style="dim")
    for section in _sections(comparison):
        for label, values, ratio, paper in section:
            cells = [_cell(values.get(name)) for name in strategies]
            shown.add_row(label, *cells, _percent(ratio), paper)
        shown.add_section()
    return shown


_Row = tuple[str, Mapping[str, Any], float | None, str]


def _sections(comparison: Comparison) -> Sequence[Sequence[_Row]]:
    found, ratios = comparison.findings, comparison.ratios()

    def of(*path: str) -> dict[str, Any]:
        return {name: _dig(each, path) for name, each in found.items()}

    def field(*path: str) -> dict[str, Any]:
        return {name: _attribute(each, path) for name, each in found.items()}

    def mice(times: Mapping[str, MiceTimes], name: str) -> dict[str, Any]:
        return {strategy: getattr(each, name) for strategy, each in times.items()}

    def row(
        label: str, values: Mapping[str, Any], ratio: float | None = None, paper: str = ""
    ) -> _Row:
        return label, values, ratio, paper

    return (
        (
            row("active flows (100 ms)", field("active_flows"), paper="142"),
            row("flows known to the source", field("known_flows")),
            row("flows moved", field("whereabouts", "moved")),
        ),
        (
            row("downtime, ms", of("downtime_ms"), ratios["downtime"], "9 … 18 %"),
            row("  detection, ms", of("phases_ms", "detect")),
            row("  hold of a flow p50, ms", of("flow_phases_ms", "held", "p50")),
            row("  hold of a flow p99, ms", of("flow_phases_ms", "held", "p99")),
        ),
        (
            row("packets buffered", of("buffer", "packets"), ratios["buffer_packets"]),
            row("bytes buffered", of("buffer", "bytes"), ratios["buffer_bytes"]),
            row(
                "buffer's peak, packets",
                of("buffer", "peak_packets"),
                ratios["buffer_peak_packets"],
            ),
            row(
                "buffer's peak, bytes",
                of("buffer", "peak_bytes"),
                ratios["buffer_peak_bytes"],
                "18 … 41 %",
            ),
        ),
        (
            row("packets sent by the hosts", field("packets", "sent")),
            row("packets lost", field("packets", "lost"), paper="0"),
            row("packets duplicated", field("packets", "duplicated"), paper="0"),
            row("packets reordered", field("packets", "reordered")),
            row("payload errors", field("traffic", "payload_errors")),
            row("connections broken", field("traffic", "resets")),
            row("longest delay of a packet, ms", field("packets", "delay_ms_max")),
        ),
        (
            row("mice met by the move", mice(comparison.mice_met, "flows")),
            row("  completion p50, ms", mice(comparison.mice_met, "p50")),
            row("  completion p99, ms", mice(comparison.mice_met, "p99")),
            row("  mean, ms", mice(comparison.mice_met, "mean")),
        ),
        (
            row("moved, state at destination", field("whereabouts", _AT_DESTINATION)),
            row("moved, ended and expired since", field("whereabouts", "moved_gone")),
            row("left, state at source", field("whereabouts", "left_at_source_only")),
            row("left, ended and expired since", field("whereabouts", "left_gone")),
            row("state on both instances", field("whereabouts", "on_both")),
            row("state nowhere", field("whereabouts", "nowhere")),
            row("left, packets at both", field("whereabouts", "split")),
        ),
    )


_AT_DESTINATION = "moved_at_destination_only"


def _attribute(found: Findings, path: Sequence[str]) -> Any:
    value: Any = found
    for name in path:
        value = getattr(value, name)
    return value


def _dig(found: Findings | None, path: Sequence[str]) -> Any:
    """A number of the controller's report; none where there is none."""
    value: Any = found.move if found is not None else None
    for name in path:
        if value is None:
            return None
        value = value.get(name)
    return value


def _ratio(one: float | None, other: float | None) -> float | None:
    return round(one / other, 4) if one is not None and other else None


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1%}"
