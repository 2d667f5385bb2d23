"""What the engine remembers of one flow that is being moved."""

from __future__ import annotations

from enum import StrEnum

from controlplane.migration.phases import Phase
from controlplane.migration.state import State
from nf.southbound import southbound_pb2 as pb
from nf.southbound.flow import FiveTuple


class Outcome(StrEnum):
    """What became of a flow."""

    MOVED = "moved"
    ABSENT = "absent"
    """The source had no state left; the flow is steered to the destination."""
    ROLLED_BACK = "rolled back"
    STRANDED = "stranded"
    """The switch refuses its rule, or does not answer."""
    UNDER_WAY = "under way"


class FlowRecord:
    """A flow under way: the machine's state, and when it got where.

    Times are monotonic seconds; 0 means never.
    """

    __slots__ = (
        "buffered_bytes",
        "buffered_packets",
        "chunk",
        "chunk_bytes",
        "entered_s",
        "flow",
        "late_packets",
        "marker_read_s",
        "migration",
        "passed_packets",
        "released_s",
        "state",
    )

    def __init__(self, flow: FiveTuple, migration: int, state: State) -> None:
        self.flow = flow
        self.migration = migration
        """Number that its packets bear when they come from the switch."""
        self.state = state
        self.chunk: pb.StateChunk | None = None
        """Its state, from export to import."""
        self.chunk_bytes = 0
        self.entered_s: dict[Phase, float] = {}
        """When each phase was entered first."""
        self.marker_read_s = 0.0
        """When the first state behind its marker came."""
        self.released_s = 0.0
        """When its held packets had been handed to the switch."""
        self.buffered_packets = 0
        self.buffered_bytes = 0
        self.passed_packets = 0
        self.late_packets = 0

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        match self.state.phase:
            case Phase.MOVED:
                return Outcome.ABSENT if self.state.absent else Outcome.MOVED
            case Phase.ROLLED_BACK:
                return Outcome.ROLLED_BACK
            case Phase.FORWARDING | Phase.RETURNING:
                return Outcome.STRANDED
            case _:
                return Outcome.UNDER_WAY
