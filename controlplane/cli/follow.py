"""Follows moves with a progress display until they are over."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from controlplane.cli.client import Northbound
from controlplane.cli.forecast import Forecast
from controlplane.cli.render import size
from controlplane.migration.report import UNDER_WAY, MoveReport, MoveState

_INTERVAL_S = 0.1
_NARROW = 100  # columns


def follow(
    northbound: Northbound, numbers: Sequence[str], *, drain: bool, console: Console
) -> list[MoveReport]:
    """Returns when each has moved all it is to, or with `drain` when the mice are gone too.

    Raises CommandError.
    """
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30 if console.width > _NARROW else 10),
        TextColumn("{task.fields[flows]}"),
        TextColumn("{task.fields[held]}"),
        TextColumn("{task.fields[mice]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        tasks = {
            number: (progress.add_task(number, total=None, flows="", held="", mice=""), Forecast())
            for number in numbers
        }
        while True:
            reports = [northbound.move(number) for number in numbers]
            for report in reports:
                _show(progress, report, *tasks[report.id])
            if not any(_is_waited_for(report, drain=drain) for report in reports):
                return reports
            time.sleep(_INTERVAL_S)


def _is_waited_for(report: MoveReport, *, drain: bool) -> bool:
    return report.state in UNDER_WAY or (drain and report.state is MoveState.DRAINING)


def _show(progress: Progress, report: MoveReport, task: TaskID, forecast: Forecast) -> None:
    counts = report.flows
    ended = counts.selected - counts.under_way
    progress.update(
        task,
        description=f"{report.id} {report.state}",
        total=counts.selected or None,
        completed=ended,
        flows=f"{ended:,} of {counts.selected:,} flows",
        held=f"{size(report.buffer.now_bytes)} held",
        mice=_mice(report, forecast),
    )


def _mice(report: MoveReport, forecast: Forecast) -> str:
    """`28 mice left, gone in about 12 s`."""
    if report.drain is None or report.drain.left is None:
        return ""
    forecast.observe(time.monotonic(), report.drain.left)
    gone_in_s = forecast.gone_in_s()
    when = "" if gone_in_s is None else f", gone in about {gone_in_s:.0f} s"
    return f"{report.drain.left:,} mice left{when}"
