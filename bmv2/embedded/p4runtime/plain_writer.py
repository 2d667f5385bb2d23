"""Keeps what the data plane has done of a Write by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from finsy.proto import p4r

from bmv2.embedded.p4runtime.action_codec import calls
from bmv2.embedded.p4runtime.backend import Backend, PlainRun
from bmv2.embedded.p4runtime.schema import Schema
from bmv2.embedded.p4runtime.table_state import NO_COOKIE, Entry, TableState, TableStates


class PlainWriter:
    """Has plain updates done by the data plane, many at a time."""

    def __init__(
        self,
        schema: Schema,
        states: TableStates,
        backend: Backend,
        on_timeout_set: Callable[[TableState, Entry], None],
    ) -> None:
        """`on_timeout_set` hears of each entry that can expire from now on, or no more."""
        self._states = states
        self._backend = backend
        self._on_timeout_set = on_timeout_set
        backend.expect_plain_updates(schema.tables.values())

    def runs(self, request: bytes) -> Iterator[int]:
        """How many updates of a serialised WriteRequest are done, run after run.

        After each zero the next update has to be done by the caller, before the next run.
        It never ends.
        """
        place = 0
        while True:
            run = self._backend.write_plain(request, place)
            place = run.next
            if run.handles:
                self._keep(run)
            yield len(run.handles)

    def _keep(self, run: PlainRun) -> None:
        state = self._states.of(run.table_id)
        entries = state.entries
        if run.action is None:
            for place in run.places:
                del entries[place]
            return
        done = calls(run.action, run.arguments)
        if run.kind == p4r.Update.INSERT:
            entries.update(zip(run.places, map(Entry, run.handles, run.places, done), strict=True))
        else:
            for place, call in zip(run.places, done, strict=True):
                entry = entries[place]
                entry.binding, entry.cookie = call, NO_COOKIE
        self._set_timeout(state, run)

    def _set_timeout(self, state: TableState, run: PlainRun) -> None:
        if not state.table.supports_idle_timeout:
            return
        for entry in map(state.entries.__getitem__, run.places):
            if entry.idle_timeout_ns != run.idle_timeout_ns:
                entry.idle_timeout_ns = run.idle_timeout_ns
                self._on_timeout_set(state, entry)
