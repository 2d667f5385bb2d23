"""One switch for each module and target.

REQUIRE_TARGETS=embedded,simple_switch in the environment makes a missing target a failure.
PTF_SEED chooses the random flows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random

import pytest
from ptf_start import start
from ptf_switch import PtfSwitch
from ptf_targets import TARGETS, require


@pytest.fixture(scope="module", params=TARGETS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PtfSwitch]:
    target: str = request.param
    require(target)
    with ExitStack() as stack:
        yield start(stack, target, tmp_path_factory.mktemp("switch"))


@pytest.fixture
def switch(running: PtfSwitch) -> Iterator[PtfSwitch]:
    """The switch, with the entries of the plan."""
    yield running
    running.restore()


@pytest.fixture
def random(request: pytest.FixtureRequest) -> Random:
    """Random numbers, the same in every run."""
    seed = f"{os.environ.get('PTF_SEED', '1')} {request.node.name}"
    print(f"seed: {seed}")
    return Random(seed)
