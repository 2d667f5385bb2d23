"""The picture of a plan: a bar for each definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from controlplane.planning.forecast import Plan

_ROW_INCHES = 0.24


def draw(plan: Plan, title: str, path: Path) -> None:
    """Draws and writes it; the kind of file is that of its name. Raises OSError and ValueError."""
    if not path.suffix:
        raise ValueError("its name has to end in .png, .svg or .pdf")
    forecasts = plan.forecasts
    rows = list(range(len(forecasts)))
    figure = Figure(figsize=(11, 1.6 + _ROW_INCHES * len(rows)), layout="constrained")
    axes: Any = figure.subplots(1, 2, sharey=True, width_ratios=(1, 2))
    flows, times = axes
    flows.barh(rows, [each.moved for each in forecasts], color="tab:gray")
    flows.set_xlabel("flows moved")
    flows.set_xscale("symlog", linthresh=1)
    flows.set_xlim(left=0)
    names = [each.name for each in forecasts]
    flows.set_yticks(rows, names)
    flows.get_yticklabels()[plan.best].set_fontweight("bold")
    flows.invert_yaxis()
    downtimes = [each.downtime_ms for each in forecasts]
    times.barh(rows, downtimes, color="tab:red", label="downtime")
    times.barh(
        rows,
        [each.die_out_ms for each in forecasts],
        left=downtimes,
        color="tab:green",
        label="die-out of the mice",
    )
    best = forecasts[plan.best]
    times.axvline(best.total_ms, color="black", lw=0.8, ls=":")
    times.annotate(
        f" best: {best.total_ms:.4g} ms",
        (best.total_ms, plan.best),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
    )
    times.set_xlabel("milliseconds, expected")
    times.legend(loc="best")
    figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
