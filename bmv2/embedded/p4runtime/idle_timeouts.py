"""When to tell the controller that an entry has not been hit (specification, 16.4).

An entry is looked at when it can have expired at the earliest, not at every scan:
ten thousand entries that are in use cost ten thousand looks a timeout.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from bmv2.embedded.p4runtime.place import Place
from bmv2.embedded.p4runtime.table_state import Entry, TableState

_MIN_COMPACTED = 1024


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
        self._latest: dict[tuple[int, Place], int] = {}
        """The watch that counts, by table and entry; the others are of former timeouts."""
        self._compact_at = _MIN_COMPACTED

    @property
    def size(self) -> int:
        """How many timers are held, those that no longer count among them."""
        return max(len(self._heap), len(self._latest))

    def watch(self, state: TableState, entry: Entry, now_ns: int) -> None:
        """Sets the timer of an entry that was inserted, or whose timeout was changed."""
        if entry.idle_timeout_ns:
            self._push(state, entry, now_ns + entry.idle_timeout_ns, now_ns)
        else:
            self._latest.pop(_key(state, entry), None)

    def _push(self, state: TableState, entry: Entry, due_ns: int, since_ns: int) -> None:
        if len(self._heap) >= self._compact_at:
            self._compact()
        watch = _Watch(due_ns, next(self._numbers), state, entry, entry.idle_timeout_ns, since_ns)
        self._latest[_key(state, entry)] = watch.number
        heapq.heappush(self._heap, watch)

    def _compact(self) -> None:
        """Forgets what no longer counts: timeouts may be long, and entries come and go."""
        self._heap = [watch for watch in self._heap if self._counts(watch)]
        heapq.heapify(self._heap)
        self._latest = {_key(each.state, each.entry): each.number for each in self._heap}
        self._compact_at = max(_MIN_COMPACTED, 2 * len(self._heap))

    def _counts(self, watch: _Watch) -> bool:
        """Whether its entry was neither deleted nor given another timeout meanwhile."""
        state, entry = watch.state, watch.entry
        return (
            state.entries.get(entry.place) is entry
            and entry.idle_timeout_ns == watch.timeout_ns
            and self._latest.get(_key(state, entry)) == watch.number
        )

    def expired(self, now_ns: int) -> list[tuple[TableState, Entry]]:
        """The entries that have expired by now; the timer of each starts anew."""
        found: list[tuple[TableState, Entry]] = []
        while self._heap and self._heap[0].due_ns <= now_ns:
            watch = heapq.heappop(self._heap)
            state, entry = watch.state, watch.entry
            if not self._counts(watch):
                if self._latest.get(_key(state, entry)) == watch.number:
                    del self._latest[_key(state, entry)]
                continue
            idle_ns = min(self._idle_ns(state, entry), now_ns - watch.since_ns)
            if idle_ns >= watch.timeout_ns:
                found.append((state, entry))
                self._push(state, entry, now_ns + watch.timeout_ns, now_ns)
            else:
                self._push(state, entry, now_ns + watch.timeout_ns - idle_ns, watch.since_ns)
        return found


def _key(state: TableState, entry: Entry) -> tuple[int, Place]:
    return state.table.id, entry.place
