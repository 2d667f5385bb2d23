"""The Promela model has the machine as it is, holds, and notices a machine that is broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from controlplane.migration import promela
from experiments.model_check import MODEL, search

SMALL = {"PACKETS": 2, "FAULTS": 1, "CANCELS": 1}
MACHINE = "machine.pml"

needs_spin = pytest.mark.skipif(shutil.which("spin") is None, reason="spin is not on PATH")


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
    ("row", "broken"),
    [
        ("barrier(); phase = P_SETTLING;", "phase = P_MOVED;"),
        ("release_to_destination(); steer();", "steer();"),
        ("delete_at_destination(); phase = P_CLEARING;", "phase = P_UNWINDING; barrier();"),
    ],
)
def test_a_broken_machine_is_noticed(tmp_path: Path, row: str, broken: str) -> None:
    for path in MODEL.glob("*.pml"):
        shutil.copy(path, tmp_path)
    machine = (tmp_path / MACHINE).read_text()
    assert row in machine
    (tmp_path / MACHINE).write_text(machine.replace(row, broken))
    assert "assertion violated" in search(SMALL, tmp_path).violation
