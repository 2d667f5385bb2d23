"""The picture of how moves grow with the number of flows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from controlplane.migration.options import Guarantee, KeepAt
from controlplane.migration.strategy import STRATEGIES
from experiments.bench_move.cases import CASES, Case
from experiments.bench_move.report import Results

_QUANTITIES = (
    ("downtime_ms", "downtime, ms"),
    ("held_p50_ms", "a flow is held, p50, ms"),
    ("buffer_packets", "packets kept"),
)


def _drawn() -> dict[str, Case]:
    """A strategy as it usually is: one line each."""
    lines: dict[str, Case] = {}
    for case in CASES:
        strategy = STRATEGIES[case.kind]
        if case.guarantee is Guarantee.LOSS_FREE and case.keep_at is strategy.keep_at:
            lines.setdefault(strategy.name, case)
    lines["opennf @ destination"] = next(
        case
        for case in CASES
        if STRATEGIES[case.kind].name == "opennf" and case.keep_at is KeepAt.DESTINATION
    )
    return lines


def draw(results: Results, path: Path) -> None:
    """Draws medians and ranges; the kind of file is that of its name. Raises OSError."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    axes: Any = figure.subplots(1, len(_QUANTITIES))
    for axis, (quantity, title) in zip(axes, _QUANTITIES, strict=True):
        for name, case in _drawn().items():
            points = [
                (flows, spread)
                for flows in results.flows
                if (spread := results.spread(flows, case, quantity)) is not None and spread.median
            ]
            if not points:
                continue
            medians = [spread.median for _, spread in points]
            below = [spread.median - spread.least for _, spread in points]
            above = [spread.most - spread.median for _, spread in points]
            axis.errorbar(
                [flows for flows, _ in points],
                medians,
                (below, above),
                label=name,
                marker="o",
                markersize=4,
                capsize=3,
            )
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("active flows, one of fifty an elephant")
        axis.set_title(title)
        axis.grid(visible=True, alpha=0.3)
    axes[0].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
