"""What happens in moves, as it happens: each phase of each flow, each state of each move."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from itertools import islice
from typing import NamedTuple

from nf.southbound.flow import FiveTuple

_KEPT = 1 << 17
"""Events that are remembered: those of a move of ten thousand flows."""


class Event(NamedTuple):
    """Something that has happened. What does not apply is None, or empty."""

    number: int
    """Counts the events of this controller."""
    at: float
    """Wall clock, in seconds."""
    move: str
    flow: FiveTuple | None = None
    phase: str = ""
    """That the flow has come to."""
    state: str = ""
    """That the move has come to."""
    left: int | None = None
    """Live flows at the instance that is being drained."""
    reason: str = ""


class EventLog:
    """The last events. Who reads too slowly is told how many it has missed."""

    def __init__(self, kept: int = _KEPT, clock: Callable[[], float] = time.time) -> None:
        self._events: deque[Event] = deque(maxlen=kept)
        self._clock = clock
        self._next = 0
        self._changed = asyncio.Event()

    def flow(self, move: str, flow: FiveTuple, phase: str, reason: str = "") -> None:
        """A flow has come to a phase."""
        self._add(Event(self._next, self._clock(), move, flow, phase, reason=reason))

    def state(self, move: str, state: str, reason: str = "") -> None:
        """A move has come to a state."""
        self._add(Event(self._next, self._clock(), move, state=state, reason=reason))

    def left(self, move: str, left: int) -> None:
        """So many flows are left where a move drains."""
        self._add(Event(self._next, self._clock(), move, left=left))

    def _add(self, event: Event) -> None:
        self._events.append(event)
        self._next += 1
        self._changed.set()

    @property
    def first(self) -> int:
        """Number of the oldest event that is remembered."""
        return self._next - len(self._events)

    @property
    def next(self) -> int:
        """Number of the event that happens next."""
        return self._next

    def since(self, number: int, most: int) -> list[Event]:
        """Events from this number on, oldest first; none where it has not happened yet."""
        start = max(0, number - self.first)
        return list(islice(self._events, start, start + most))

    async def wait(self, number: int) -> None:
        """Returns when the event with this number has happened."""
        while self._next <= number:
            self._changed.clear()
            changed = self._changed
            await changed.wait()

    async def follow(
        self, number: int = 0, *, most: int = 512, forever: bool = True
    ) -> AsyncIterator[tuple[int, list[Event]]]:
        """Events from this number on in batches, each behind how many were missed before it.

        Without `forever` it ends with what has happened so far. A number that nothing has yet
        means: from now on.
        """
        number = min(number, self._next)
        end = None if forever else self._next
        while end is None or number < end:
            await self.wait(number)
            missed = max(0, self.first - number)
            batch = self.since(number + missed, most)
            number += missed + len(batch)
            yield missed, batch
