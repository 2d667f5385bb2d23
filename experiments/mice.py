"""How long mice took: what a move costs those that have nothing to do with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from experiments.trial import Trial
from testbed.load.record import LoadRecord


@dataclass(frozen=True, kw_only=True)
class MiceTimes:
    """Completion times of the same mice in one of several trials, in milliseconds."""

    flows: int
    mean: float
    p50: float
    p99: float


def mice_met(trials: Iterable[Trial], elephant_bytes: float) -> set[int]:
    """The mice that were under way during the longest move, and completed in every trial.

    The trials have the same traffic, so that flows can be compared one by one. Numbers
    are those of the workload.
    """
    trials = list(trials)
    length_s = max(_move_s(trial) for trial in trials)
    met: set[int] | None = None
    for trial in trials:
        start = trial.load.started + trial.options.move_at_s
        here = {
            flow.number
            for flow in trial.load.flows
            if flow.outcome == "done"
            and flow.size < elephant_bytes
            and flow.started < start + length_s
            and flow.finished > start
        }
        met = here if met is None else met & here
    return met or set()


def _move_s(trial: Trial) -> float:
    return ((trial.move or {}).get("downtime_ms") or 0.0) / 1e3


def mice_times(load: LoadRecord, numbers: set[int]) -> MiceTimes:
    """The completion times of these mice."""
    times = np.array([flow.completion_s * 1e3 for flow in load.flows if flow.number in numbers])
    if not len(times):
        return MiceTimes(flows=0, mean=0.0, p50=0.0, p99=0.0)
    return MiceTimes(
        flows=len(times),
        mean=round(float(times.mean()), 3),
        p50=round(float(np.percentile(times, 50)), 3),
        p99=round(float(np.percentile(times, 99)), 3),
    )


def all_mice(load: LoadRecord, elephant_bytes: float) -> set[int]:
    """Every mouse that completed."""
    return {
        flow.number for flow in load.flows if flow.outcome == "done" and flow.size < elephant_bytes
    }
