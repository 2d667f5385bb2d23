"""The flows of an instance: which have state, and for how long."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic

from nf.runtime.chunk import absent_chunk, export_chunk, import_chunk
from nf.runtime.function import NetworkFunction, State, StateError
from nf.runtime.tcp import ACK, FIN, RST, SYN
from nf.runtime.turned_away import TurnedAway
from nf.southbound import southbound_pb2 as pb
from nf.southbound.flow import FiveTuple
from nf.southbound.packet import TCP, Packet

_SECOND_US = 1_000_000


@dataclass(frozen=True, kw_only=True)
class FlowTableOptions:
    """How long state is kept, and how much of it."""

    linger_s: float = 2.0
    """How long an ended connection stays after its last packet."""

    tcp_idle_s: float = 60.0
    """How long a TCP connection stays without a packet."""

    other_idle_s: float = 30.0
    """How long any other flow does."""

    max_flows: int = 1 << 18
    """How many flows can have state; packets of further ones pass unprocessed."""


class FlowTable(Generic[State]):
    """The state of every flow, by five-tuple. Times are the wall clock in microseconds."""

    def __init__(self, function: NetworkFunction[State], options: FlowTableOptions) -> None:
        self._function = function
        self._options = options
        self._linger_us = round(options.linger_s * _SECOND_US)
        self._tcp_idle_us = round(options.tcp_idle_s * _SECOND_US)
        self._other_idle_us = round(options.other_idle_s * _SECOND_US)
        self._states: dict[tuple[int, int, int, int, int], State] = {}
        # What may be due, soonest first: (due, number, state). A state that has been
        # given another time, or is gone, is passed over when its turn comes.
        self._due: list[tuple[int, int, State]] = []
        self._scheduled = 0
        self.closed: frozenset[int] = frozenset()
        """Hash buckets whose flows without state get none."""
        self.turned_away = TurnedAway()
        self.created = 0
        self.imported = 0
        self.deleted = 0
        self.expired = 0

    def __len__(self) -> int:
        return len(self._states)

    @property
    def full(self) -> bool:
        """Whether there is no room for another flow."""
        return len(self._states) >= self._options.max_flows

    def get(self, flow: FiveTuple) -> State | None:
        """The state of a flow, if there is any."""
        return self._states.get(flow)

    def states(self) -> Iterator[State]:
        """All states; the table must not change meanwhile."""
        return iter(self._states.values())

    def state_for(self, packet: Packet, now_us: int, *, detour: bool = False) -> State | None:
        """The state for a packet, a new one for a new flow; None if it may not have one.

        `detour` is whether the packet has been elsewhere: then whom it has turned away may begin.
        """
        state = self._states.get(packet.key)
        if state is not None:
            if not state.ended or packet.tcp_flags & (SYN | ACK) != SYN:
                return state
            # The ports of an ended connection are used again.
            del self._states[packet.key]
            self.expired += 1
        flow = packet.flow
        if self.is_refused(flow, now_us, detour=detour) or self.full:
            return None
        self.turned_away.forget(flow)
        state = self._states[flow] = self._function.new_state(flow, now_us)
        self.created += 1
        self._schedule(state)
        return state

    def is_refused(self, flow: FiveTuple, now_us: int, *, detour: bool) -> bool:
        """Whether a flow without state gets none: it belongs to another instance."""
        if self.closed and flow.bucket in self.closed:
            return True
        return bool(self.turned_away) and not detour and self.turned_away.has(flow, now_us)

    def count(self, packet: Packet, state: State, now_us: int) -> None:
        """Counts a packet in the state that `state_for` gave."""
        state.count(packet, now_us)
        if packet.tcp_flags & (FIN | RST) and not state.ended:
            state.judge_end()
            if state.ended:
                self._schedule(state)

    def export(self, flow: FiveTuple) -> pb.StateChunk:
        """The state of a flow as a chunk; an absent one if there is none."""
        state = self._states.get(flow)
        if state is None:
            return absent_chunk(self._function, flow)
        return export_chunk(self._function, state)

    def put(self, chunk: pb.StateChunk, now_us: int) -> None:
        """Imports a chunk. Adds to the state that is there already. Raises StateError.

        A put that is repeated, by a controller that could not see the answer, changes
        nothing: state that is exported a second time is the same only if no packet has
        come in between.
        """
        arrived = import_chunk(self._function, chunk)
        state = self._states.get(arrived.flow)
        if state is None:
            if self.full:
                raise StateError(f"no room for more than {self._options.max_flows} flows")
            state = self._states[arrived.flow] = arrived
            self.turned_away.forget(arrived.flow)
        elif state.imported_crc32 == chunk.crc32:
            return
        else:
            state.add(arrived)
            self._function.merge(state, arrived)
        state.imported_us = now_us
        state.imported_crc32 = chunk.crc32
        self.imported += 1
        self._schedule(state)
        self._function.on_import(state)

    def delete(self, flow: FiveTuple) -> bool:
        """Deletes the state of a flow; whether there was any."""
        if self._states.pop(flow, None) is None:
            return False
        self.deleted += 1
        return True

    def expire(self, now_us: int, limit: int) -> bool:
        """Lets go of what is due, looking at no more than `limit`; whether more is due."""
        for _ in range(limit):
            if not self._due or self._due[0][0] > now_us:
                return False
            due_us, _, state = heapq.heappop(self._due)
            if state.due_us != due_us or self._states.get(state.flow) is not state:
                continue
            if self._deadline_us(state) > now_us:
                self._schedule(state)
            else:
                del self._states[state.flow]
                self.expired += 1
        return True

    def _deadline_us(self, state: State) -> int:
        if state.ended:
            timeout_us = self._linger_us
        elif state.flow.protocol == TCP:
            timeout_us = self._tcp_idle_us
        else:
            timeout_us = self._other_idle_us
        # The clock of the instance that the state came from may be behind.
        return max(state.last_seen_us, state.imported_us) + timeout_us

    def _schedule(self, state: State) -> None:
        due_us = self._deadline_us(state)
        if state.due_us == due_us:
            return
        state.due_us = due_us
        self._scheduled += 1
        heapq.heappush(self._due, (due_us, self._scheduled, state))
