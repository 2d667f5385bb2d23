"""Follows a move with a progress display until it is over."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from controlplane.cli.client import Northbound
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
                mice=(
                    f"{report.drain.left:,} mice left"
                    if report.drain and report.drain.left is not None
                    else ""
                ),
            )
            if not waits:
                return report
            time.sleep(_INTERVAL_S)
