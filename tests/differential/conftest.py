"""Switches for the programs in tests/programs: each with wires of its own.

REQUIRE_TARGETS=embedded,simple_switch in the environment makes a missing target a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from diff_switch import ProgramSwitch, Start
from ptf_targets import require

# So that they say what differs.
pytest.register_assert_rewrite("diff_pair")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a target with a program; it is stopped when the test ends."""
    with ExitStack() as stack:

        def started(target: str, program: str) -> ProgramSwitch:
            require(target)
            return ProgramSwitch(stack, target, program, tmp_path)

        yield started
