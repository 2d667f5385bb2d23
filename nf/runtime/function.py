"""What a network function has to be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from nf.runtime.tcp import ConnectionState, connection_state, has_ended
from nf.southbound.flow import FiveTuple
from nf.southbound.packet import TCP, Packet


class StateError(Exception):
    """State cannot be imported. The message is one line that says why."""


class FlowState:
    """What the runtime keeps of a flow for every function.

    A function derives its own from it, with `__slots__` for what it adds.
    """

    __slots__ = (
        "bytes_from_high",
        "bytes_from_low",
        "due_us",
        "ended",
        "first_seen_us",
        "flow",
        "imported_crc32",
        "imported_us",
        "last_seen_us",
        "packets_from_high",
        "packets_from_low",
        "tcp_flags_from_high",
        "tcp_flags_from_low",
    )

    def __init__(self, flow: FiveTuple, now_us: int) -> None:
        self.flow = flow
        self.packets_from_low = 0
        self.packets_from_high = 0
        self.bytes_from_low = 0
        """Of frames."""
        self.bytes_from_high = 0
        self.tcp_flags_from_low = 0
        """All that have been seen."""
        self.tcp_flags_from_high = 0
        self.first_seen_us = now_us
        """Wall clock."""
        self.last_seen_us = now_us
        self.ended = False
        """Whether the connection is over."""
        self.imported_us = 0
        """When the state was imported; 0 if it was not."""
        self.imported_crc32 = -1
        """Of the payload that was imported last; -1 if none was."""
        self.due_us = 0
        """When the flow table looks at it next."""

    @property
    def packets(self) -> int:
        """Packets of both directions."""
        return self.packets_from_low + self.packets_from_high

    @property
    def bytes(self) -> int:
        """Bytes of frames of both directions."""
        return self.bytes_from_low + self.bytes_from_high

    @property
    def connection_state(self) -> ConnectionState | None:
        """How far the connection is; None if the flow is not of TCP."""
        if self.flow.protocol != TCP:
            return None
        return connection_state(self.tcp_flags_from_low, self.tcp_flags_from_high)

    def count(self, packet: Packet, now_us: int) -> None:
        """Counts a packet of the flow."""
        if packet.from_low:
            self.packets_from_low += 1
            self.bytes_from_low += len(packet.frame)
            self.tcp_flags_from_low |= packet.tcp_flags
        else:
            self.packets_from_high += 1
            self.bytes_from_high += len(packet.frame)
            self.tcp_flags_from_high |= packet.tcp_flags
        self.last_seen_us = now_us

    def add(self, other: FlowState) -> None:
        """Adds what another instance has seen of the same flow."""
        self.packets_from_low += other.packets_from_low
        self.packets_from_high += other.packets_from_high
        self.bytes_from_low += other.bytes_from_low
        self.bytes_from_high += other.bytes_from_high
        self.tcp_flags_from_low |= other.tcp_flags_from_low
        self.tcp_flags_from_high |= other.tcp_flags_from_high
        self.first_seen_us = min(self.first_seen_us, other.first_seen_us)
        self.last_seen_us = max(self.last_seen_us, other.last_seen_us)
        self.judge_end()

    def judge_end(self) -> None:
        """Sets `ended` by the TCP flags seen."""
        self.ended = has_ended(self.tcp_flags_from_low, self.tcp_flags_from_high)


State = TypeVar("State", bound=FlowState)


class NetworkFunction(ABC, Generic[State]):
    """A function over packets with state per flow.

    The runtime owns the states: it makes them, counts packets and bytes in them, moves
    them between instances and lets them expire. The function says what is in them.
    Every method is called on the one event loop and has to return soon.
    """

    name: ClassVar[str]
    """As in `python -m nf run NAME`, and in the chunks of its state."""

    state_version: ClassVar[int]
    """Version of what `export` writes. Goes up when an older `restore` would misread it."""

    @abstractmethod
    def new_state(self, flow: FiveTuple, now_us: int) -> State:
        """Empty state for a flow; time is the wall clock in microseconds."""

    @abstractmethod
    def process(self, packet: Packet, state: State, now_us: int) -> None:
        """Looks at a packet of the flow, which has been counted in the state already."""

    @abstractmethod
    def export(self, state: State) -> bytes:
        """What the function itself has added to the state, as a protobuf message."""

    @abstractmethod
    def restore(self, state: State, payload: bytes, version: int) -> None:
        """Fills in empty state from what `export` of this or an older version wrote.

        The counters of the state are in place already. Raises StateError.
        """

    @abstractmethod
    def merge(self, state: State, other: State) -> None:
        """Adds to the state what `other`, of the same flow, knows beyond it.

        Called when state arrives for a flow whose packets have come first.
        """

    def on_import(self, state: State) -> None:
        """Called when imported state is in place."""
