"""Follows a move with a progress display until it is over."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from controlplane.cli.client import Northbound
from controlplane.cli.forecast import Forecast
from controlplane.cli.render import size
from controlplane.migration.report import UNDER_WAY, MoveReport, MoveState

_INTERVAL_S = 0.1


def follow(northbound: Northbound, number: str, *, drain: bool, console: Console) -> MoveReport:
    """Returns when all has been moved, or with `drain` when the mice are gone too.

    Raises CommandError.
    """
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[flows]}"),
        TextColumn("{task.fields[held]}"),
        TextColumn("{task.fields[mice]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        forecast = Forecast()
        task = progress.add_task(number, total=None, flows="", held="", mice="")
        while True:
            report = northbound.move(number)
            counts = report.flows
            ended = counts.selected - counts.under_way
            waits = report.state in UNDER_WAY or (drain and report.state is MoveState.DRAINING)
            progress.update(
                task,
                description=f"{number} {report.state}",
                total=counts.selected or None,
                completed=ended,
                flows=f"{ended:,} of {counts.selected:,} flows",
                held=f"{size(report.buffer.now_bytes)} held",
                mice=_mice(report, forecast),
            )
            if not waits:
                return report
            time.sleep(_INTERVAL_S)


def _mice(report: MoveReport, forecast: Forecast) -> str:
    """`28 mice left, gone in about 12 s`."""
    if report.drain is None or report.drain.left is None:
        return ""
    forecast.observe(time.monotonic(), report.drain.left)
    gone_in_s = forecast.gone_in_s()
    when = "" if gone_in_s is None else f", gone in about {gone_in_s:.0f} s"
    return f"{report.drain.left:,} mice left{when}"
