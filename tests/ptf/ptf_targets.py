"""Which switch targets there are to be tested.

REQUIRE_TARGETS=embedded,simple_switch in the environment makes a missing one a failure.
"""

from __future__ import annotations

import os

import pytest

from bmv2 import simple_switch
from bmv2.embedded.compiler import find_compiler
from bmv2.embedded.errors import CompileError

TARGETS = ("embedded", "simple_switch")
NO_SANDBOX = "needs a sandbox: python -m testbed.sandbox pytest …"


def why_missing(target: str) -> str | None:
    """Why a target cannot be tested here; none where it can."""
    if target == "simple_switch" and not simple_switch.is_installed():
        return "simple_switch_grpc is not on PATH"
    if target == "embedded":
        try:
            find_compiler()
        except CompileError as error:
            return str(error)
    return None


def require(target: str) -> None:
    """Skips the test where a target is missing; fails it where it must not be."""
    reason = why_missing(target)
    if reason is not None:
        give_up(target, reason)


def give_up(target: str, reason: str) -> None:
    """Skips the test, or fails it where the target is required."""
    if target in os.environ.get("REQUIRE_TARGETS", "").split(","):
        pytest.fail(f"target {target} is required: {reason}")
    pytest.skip(reason)
