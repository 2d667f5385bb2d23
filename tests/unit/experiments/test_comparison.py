"""The comparison computes the paper's ratios, and its table, JSON and picture show them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from planted_trial import flow, make_trial, report
from rich.console import Console

from experiments import timeline
from experiments.comparison import Comparison, table
from experiments.findings import find
from experiments.mice import MiceTimes
from experiments.trial import Trial


def make_trials() -> dict[str, Trial]:
    everything = report(
        [flow(number) for number in (1, 2, 3)],
        downtime_ms=100.0,
        buffer={"packets": 40, "bytes": 40_000, "peak_packets": 10, "peak_bytes": 8000},
    )
    return {
        "none": make_trial("none"),
        "move": make_trial("move", move=everything),
        "move-elephant": make_trial("move-elephant"),
    }


def compare(trials: dict[str, Trial]) -> Comparison:
    p99 = {"none": 100.0, "move": 460.0, "move-elephant": 105.0}
    return Comparison(
        settings={"seed": 1},
        findings={name: find(trial) for name, trial in trials.items()},
        mice_met={
            name: MiceTimes(flows=9, mean=p99[name] / 2, p50=p99[name] / 4, p99=p99[name])
            for name in trials
        },
        mice_all={},
    )


def test_ratios() -> None:
    ratios = compare(make_trials()).ratios()
    assert ratios["downtime"] == pytest.approx(0.1)
    assert ratios["buffer_peak_bytes"] == pytest.approx(0.25)
    assert ratios["mice_p99"] == pytest.approx(460 / 105, rel=1e-3)
    assert ratios["mice_p99_to_none"] == pytest.approx(1.05)


def test_what_was_not_run_has_no_ratio() -> None:
    trials = make_trials()
    del trials["move"], trials["none"]
    assert set(compare(trials).ratios().values()) == {None}


def test_one_trial_that_is_not_clean_is_enough() -> None:
    trials = make_trials()
    assert not compare(trials).clean  # `move` claims flows that it has not moved
    del trials["move"]
    assert compare(trials).clean


def test_the_table_shows_the_numbers() -> None:
    console = Console(file=io.StringIO(), width=140)
    console.print(table(compare(make_trials())))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    rows = {line[:36].strip(): line[36:].split() for line in text.splitlines()}
    assert rows["downtime, ms"][:4] == ["–", "100.0", "10.0", "10.0%"]
    assert rows["buffer's peak, bytes"][:4] == ["–", "8,000", "2,000", "25.0%"]
    assert rows["packets lost"][:3] == ["0", "0", "0"]


def test_the_json_is_complete_and_can_be_read_back() -> None:
    written = json.loads(json.dumps(compare(make_trials()).as_json()))
    assert written["trials"]["move-elephant"]["move"]["timeline"][0]["outcome"] == "moved"
    assert written["trials"]["move"]["packets"]["lost"] == 0
    assert written["ratios"]["downtime"] == pytest.approx(0.1)


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "out" / "demo.png"
    timeline.draw(make_trials(), 150_000, path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_throughput_counts_every_bit() -> None:
    trial = make_trial()
    packets = trial.out_of_switch["nf1"]
    edges, rates = timeline.throughput(packets, trial.load.started, 8.0)
    assert (rates * (edges[1] - edges[0])).sum() * 1e6 == pytest.approx(packets.length.sum() * 8)
