"""Python's search for reference cycles, which stops everything for as long as it takes."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


class GarbagePause:
    """Puts the search off while flows are under way.

    With the events and records of ten thousand flows in memory it takes some eighty
    milliseconds, in which packets would wait. What is in no cycle is freed all the same.
    """

    def __init__(self) -> None:
        self._users = 0
        self._was_on = False

    @contextmanager
    def paused(self) -> Generator[None]:
        """No search begins during the block, nor during any other that overlaps it."""
        if not self._users:
            self._was_on = gc.isenabled()
            gc.disable()
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users and self._was_on:
                gc.enable()
