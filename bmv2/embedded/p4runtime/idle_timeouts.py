"""When to tell the controller that an entry has not been hit (specification, 16.4).

An entry is looked at when it can have expired at the earliest, not at every scan:
ten thousand entries that are in use cost ten thousand looks a timeout.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from bmv2.embedded.p4runtime.table_state import Entry, TableState


@dataclass(slots=True, order=True)
class _Watch:
    due_ns: int
    number: int
    state: TableState = field(compare=False)
    entry: Entry = field(compare=False)
    timeout_ns: int = field(compare=False)
    since_ns: int = field(compare=False)
    """When the timer was set last: at insertion, or at a notification."""


class IdleTimeouts:
    """The timers of all entries that have one. Times are of a monotonic clock."""

    def __init__(self, idle_ns: Callable[[TableState, Entry], int]) -> None:
        """`idle_ns` tells how long ago an entry was hit or inserted."""
        self._idle_ns = idle_ns
        self._heap: list[_Watch] = []
        self._numbers = itertools.count()

    @property
    def next_due_ns(self) -> int | None:
        """When an entry can expire at the earliest; none when no entry can."""
        return self._heap[0].due_ns if self._heap else None

    def watch(self, state: TableState, entry: Entry, now_ns: int) -> None:
        """Sets the timer of an entry that was inserted, or whose timeout was changed."""
        if entry.idle_timeout_ns:
            self._push(state, entry, now_ns + entry.idle_timeout_ns, now_ns)

    def _push(self, state: TableState, entry: Entry, due_ns: int, since_ns: int) -> None:
        watch = _Watch(due_ns, next(self._numbers), state, entry, entry.idle_timeout_ns, since_ns)
        heapq.heappush(self._heap, watch)

    def expired(self, now_ns: int) -> list[tuple[TableState, Entry]]:
        """The entries that have expired by now; the timer of each starts anew."""
        found: list[tuple[TableState, Entry]] = []
        while self._heap and self._heap[0].due_ns <= now_ns:
            watch = heapq.heappop(self._heap)
            state, entry = watch.state, watch.entry
            # Deleted, or given another timeout and so another watch, meanwhile.
            if (
                state.entries.get(entry.place) is not entry
                or entry.idle_timeout_ns != watch.timeout_ns
            ):
                continue
            idle_ns = min(self._idle_ns(state, entry), now_ns - watch.since_ns)
            if idle_ns >= watch.timeout_ns:
                found.append((state, entry))
                self._push(state, entry, now_ns + watch.timeout_ns, now_ns)
            else:
                self._push(state, entry, now_ns + watch.timeout_ns - idle_ns, watch.since_ns)
        return found
