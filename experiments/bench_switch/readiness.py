"""How long a switch takes from its start until its program forwards."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from bmv2.target import Target
from experiments.spread import Spread

_CACHE = "XDG_CACHE_HOME"


def measure_readiness(start: Callable[[], Target], rounds: int) -> tuple[Spread, Spread]:
    """Seconds to ready: for the first time, and again. `start` returns when it is."""
    first: list[float] = []
    again: list[float] = []
    for _ in range(rounds):
        with _empty_cache():
            first.append(_start_once(start))
            again.append(_start_once(start))
    return Spread.of(first), Spread.of(again)


def _start_once(start: Callable[[], Target]) -> float:
    began_s = time.perf_counter()
    target = start()
    seconds = time.perf_counter() - began_s
    target.stop()
    return seconds


@contextmanager
def _empty_cache() -> Generator[None]:
    """What the embedded switch has compiled before is forgotten meanwhile."""
    before = os.environ.get(_CACHE)
    with tempfile.TemporaryDirectory(prefix="uhaul-bench-") as directory:
        os.environ[_CACHE] = directory
        try:
            yield
        finally:
            if before is None:
                del os.environ[_CACHE]
            else:
                os.environ[_CACHE] = before
