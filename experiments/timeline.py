"""The picture of a comparison: throughput, hold windows and completions over time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.findings import timeline
from experiments.trial import Trial
from testbed import plan
from testbed.capture import Packets

_BIN_S = 0.05
_COLOURS = {plan.NF1.name: "tab:blue", plan.NF2.name: "tab:orange"}


def draw(trials: Mapping[str, Trial], elephant_bytes: float, path: Path) -> None:
    """Draws one column a trial and writes the picture. Raises OSError."""
    figure = Figure(figsize=(6.5 * len(trials), 9), layout="constrained")
    grid: Any = figure.subplots(3, len(trials), squeeze=False, sharey="row")
    for column, (name, trial) in enumerate(trials.items()):
        _draw_throughput(grid[0][column], trial)
        _draw_holds(grid[1][column], trial)
        _draw_completions(grid[2][column], trial, elephant_bytes)
        grid[0][column].set_title("no move" if name == "none" else name)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _draw_throughput(axes: Axes, trial: Trial) -> None:
    """Megabits a second to each instance."""
    for instance in plan.INSTANCES:
        packets = trial.out_of_switch[instance.name]
        edges, rates = throughput(packets, trial.load.started, trial.options.duration_s)
        axes.plot(edges, rates, label=instance.name, color=_COLOURS[instance.name], lw=1)
    _mark_move(axes, trial)
    axes.set_xlabel("time, s")
    axes.set_ylabel("to the instance, Mbit/s")
    axes.legend(loc="upper left")


def throughput(
    packets: Packets, started: float, duration_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Beginnings of the intervals in seconds, and Mbit/s in each."""
    edges = np.arange(0, duration_s + _BIN_S, _BIN_S)
    at = packets.time_ns / 1e9 - started
    bits, _ = np.histogram(at, bins=edges, weights=packets.length * 8.0)
    return edges[:-1], bits / _BIN_S / 1e6


def _draw_holds(axes: Axes, trial: Trial) -> None:
    """When the packets of each flow were held, in the order of its beginning."""
    windows = sorted(
        (each["hold_ms"], each["released_ms"])
        for each in timeline(trial)
        if each["hold_ms"] is not None and each["released_ms"] is not None
    )
    if windows:
        begin, end = np.array(windows).T
        rows = np.arange(len(windows))
        axes.hlines(rows, begin, end, color="tab:red", lw=1)
    axes.set_xlabel("time since the move was asked for, ms")
    axes.set_ylabel("flows held")
    axes.set_xlim(left=0)


def _draw_completions(axes: Axes, trial: Trial, elephant_bytes: float) -> None:
    """How long each flow took, at the time when it was done."""
    for label, is_elephant, colour in (
        ("mice", False, "tab:green"),
        ("elephants", True, "tab:purple"),
    ):
        flows = [
            (flow.finished - trial.load.started, flow.completion_s * 1e3)
            for flow in trial.load.flows
            if flow.outcome == "done" and (flow.size >= elephant_bytes) == is_elephant
        ]
        if flows:
            at, took = np.array(flows).T
            axes.scatter(at, took, s=2, color=colour, label=label)
    axes.set_yscale("log")
    _mark_move(axes, trial)
    axes.set_xlabel("time of completion, s")
    axes.set_ylabel("completion time, ms")
    axes.legend(loc="upper left")


def _mark_move(axes: Axes, trial: Trial) -> None:
    if trial.move is not None:
        begin = trial.asked_at - trial.load.started
        axes.axvspan(
            begin, begin + (trial.move["downtime_ms"] or 0.0) / 1e3, color="tab:red", alpha=0.3
        )
