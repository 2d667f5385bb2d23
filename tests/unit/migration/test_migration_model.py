"""The Promela model has the machine as it is, holds, and notices a machine that is broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from controlplane.migration import promela
from experiments.model_check import MODEL, search

SMALL = {"PACKETS": 2, "FAULTS": 1, "CANCELS": 1}
MACHINE = "machine.pml"
_COMMITTED = ":: COMMITTED && !absent -> stage = S_COMMITTED;"
_PUT = ":: !COMMITTED && put -> stage = S_PUT;"

needs_spin = pytest.mark.skipif(shutil.which("spin") is None, reason="spin is not on PATH")


def spoilt(directory: Path, name: str, before: str, after: str) -> Path:
    """A copy of the model in which one of its files says something else."""
    for path in MODEL.glob("*.pml"):
        shutil.copy(path, directory)
    text = (directory / name).read_text()
    assert before in text
    (directory / name).write_text(text.replace(before, after))
    return directory


def test_the_model_has_the_machine_as_it_is() -> None:
    assert (MODEL / MACHINE).read_text() == promela.model()


@needs_spin
@pytest.mark.parametrize("holds", [0, 1])
def test_what_is_promised_holds(holds: int) -> None:
    found = search(SMALL | {"HOLDS": holds})
    assert found.violation == ""
    assert found.states > 1000


@needs_spin
@pytest.mark.parametrize(
    "way",
    [
        {"HOLDS": 0},
        {"HOLDS": 0, "ABSENT": 1},
        {"HOLDS": 1},
        {"HOLDS": 1, "ASIDE": 1, "CANCELS": 0},
        {"HOLDS": 0, "DIVERTS": 1, "ASIDE": 1},
    ],
    ids=str,
)
def test_whoever_takes_over_from_a_dead_controller_keeps_it(way: dict[str, int]) -> None:
    found = search(SMALL | {"DEATHS": 1} | way)
    assert found.violation == ""
    assert found.states > 1000


@needs_spin
@pytest.mark.parametrize(
    ("known", "taken", "way"),
    [
        (_COMMITTED, "S_PUT", {"HOLDS": 1}),
        (_PUT, "S_BEGUN", {"HOLDS": 0}),
        (_PUT, "S_BEGUN", {"HOLDS": 0, "DIVERTS": 1, "ASIDE": 1}),
    ],
)
def test_one_who_does_not_know_how_far_it_was_is_noticed(
    tmp_path: Path, known: str, taken: str, way: dict[str, int]
) -> None:
    ignorant = known.partition("stage = ")[0] + f"stage = {taken};"
    model = spoilt(tmp_path, "take_over.pml", known, ignorant)
    alone = {"PACKETS": 1, "FAULTS": 0, "CANCELS": 0, "DEATHS": 1}
    assert "assertion violated" in search(alone | way, model).violation


@needs_spin
@pytest.mark.parametrize(
    ("row", "broken"),
    [
        ("barrier(); phase = P_SETTLING;", "phase = P_MOVED;"),
        ("release_to_destination(); steer();", "steer();"),
        ("delete_at_destination(); phase = P_CLEARING;", "phase = P_UNWINDING; barrier();"),
    ],
)
def test_a_broken_machine_is_noticed(tmp_path: Path, row: str, broken: str) -> None:
    model = spoilt(tmp_path, MACHINE, row, broken)
    assert "assertion violated" in search(SMALL, model).violation
