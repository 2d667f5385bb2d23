"""The demo in short, on every switch target: nothing lost, doubled, corrupted, left behind.

Run: pytest tests/integration/test_demo.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from demo_trial import TARGETS, skip_without


@pytest.fixture(scope="module", params=TARGETS)
def demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any], Path]:
    skip_without(request.param)
    directory = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "experiments.demo", "--target", request.param),
            *("--duration", "5", "--rate", "80", "--scale", "0.01", "--seed", "11"),
            *("--out", str(directory / "out"), "--run-directory", str(directory / "run")),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
    )
    written = directory / "out" / "demo.json"
    assert written.exists(), done.stderr
    return done, json.loads(written.read_text()), directory


def test_nothing_is_lost_doubled_or_corrupted(
    demo: tuple[subprocess.CompletedProcess[str], dict[str, Any], Path],
) -> None:
    done, written, _ = demo
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(written["trials"]) == {"none", "move", "move-elephant"}
    for trial in written["trials"].values():
        packets, traffic, where = trial["packets"], trial["traffic"], trial["whereabouts"]
        assert packets["sent"] > 5000
        assert (packets["lost"], packets["duplicated"], packets["foreign"]) == (0, 0, 0)
        assert packets["capture_overflow"] == 0
        assert (traffic["payload_errors"], traffic["resets"]) == (0, 0)
        assert traffic["witness_sent"] > 100
        assert (traffic["witness_lost"], traffic["witness_duplicated"]) == (0, 0)
        assert (where["on_both"], where["nowhere"], where["split"]) == (0, 0, 0)


def test_elephants_are_moved_and_mice_are_left(
    demo: tuple[subprocess.CompletedProcess[str], dict[str, Any], Path],
) -> None:
    _, written, _ = demo
    everything, elephants = written["trials"]["move"], written["trials"]["move-elephant"]
    for trial in (everything, elephants):
        where = trial["whereabouts"]
        assert 0 < where["moved"] == where["moved_at_destination_only"] + where["moved_gone"]
    where = elephants["whereabouts"]
    assert where["left"] == where["left_at_source_only"] + where["left_gone"]
    assert where["moved"] < everything["whereabouts"]["moved"] / 2
    assert elephants["move"]["downtime_ms"] < everything["move"]["downtime_ms"]


def test_the_same_traffic_runs_in_every_trial(
    demo: tuple[subprocess.CompletedProcess[str], dict[str, Any], Path],
) -> None:
    _, written, _ = demo
    flows = {trial["traffic"]["flows"] for trial in written["trials"].values()}
    assert len(flows) == 1


def test_the_picture_and_the_table_are_there(
    demo: tuple[subprocess.CompletedProcess[str], dict[str, Any], Path],
) -> None:
    done, _, directory = demo
    assert (directory / "out" / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert "packets lost" in done.stdout
