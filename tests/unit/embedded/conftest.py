from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from small_program import SmallProgram

from bmv2.embedded.dataplane import Dataplane


@pytest.fixture
def load() -> Iterator[Callable[[str], SmallProgram]]:
    """Compiles a program of tests/programs and gives it four virtual ports."""
    running: list[Dataplane] = []

    def start(name: str) -> SmallProgram:
        program = SmallProgram(name)
        running.append(program.dataplane)
        return program

    yield start
    for dataplane in running:
        dataplane.stop()
