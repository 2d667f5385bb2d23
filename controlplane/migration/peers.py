"""What the engine needs of the switch, of an instance and of the detector.

Protocols, so that the engine is tested against a model of them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, Protocol

from controlplane.detection.choice import Choice
from controlplane.detection.registry import Rule
from controlplane.switch.entries import Operation
from controlplane.switch.packets import PacketIn, PacketOut
from nf.southbound import southbound_pb2 as pb
from nf.southbound.client import FlowSummary, SouthboundError
from nf.southbound.flow import FiveTuple

# --- the switch -----------------------------------------------------------------


class HoldRule(NamedTuple):
    """Action `hold` of a flow rule."""

    migration: int


class InstanceRule(NamedTuple):
    """Action `to_instance` of a flow rule."""

    instance: int


FlowRule = HoldRule | InstanceRule


class RuledPackets(NamedTuple):
    """What a flow's rule has done."""

    packets: int
    """That have met it."""
    is_held: bool
    """Whether it holds the flow now: then all of those came to the controller, else some may."""


class RuleUpdate(NamedTuple):
    """One update of the table `flow_rules`."""

    operation: Operation
    flow: FiveTuple
    rule: FlowRule | None
    """None to delete it."""


class WriteResult(Enum):
    """What became of an update."""

    WRITTEN = auto()
    EXISTS = auto()
    """Refused: to be inserted, but there already."""
    MISSING = auto()
    """Refused: to be modified or deleted, but not there."""
    REFUSED = auto()
    """Refused for another reason."""
    UNANSWERED = auto()
    """The switch did not answer: it may be in force or not."""


class UpdateOutcome(NamedTuple):
    """What became of one update, and why."""

    result: WriteResult
    reason: str = ""


class Bucket(NamedTuple):
    """Who a bucket of a group belongs to; instance 0 is nobody."""

    owner: int
    previous: int = 0
    """Whose flows stay while it is drained."""


class Switch(Protocol):
    """The switch's flow rules, buckets and packets."""

    @property
    def refused_packet_outs(self) -> int:
        """Packets that it was sent and could not take."""
        ...

    async def write_rules(self, updates: Sequence[RuleUpdate]) -> Sequence[UpdateOutcome]:
        """Applies updates of different flows in one Write; one outcome each, in order."""
        ...

    async def read_rules(self) -> Mapping[FiveTuple, FlowRule]:
        """The flow rules that are in force. Raises SwitchError."""
        ...

    async def count_ruled(self) -> Mapping[FiveTuple, RuledPackets]:
        """The packets that have met the rule of each flow so far.

        A rule that was replaced counts on. Raises SwitchError.
        """
        ...

    async def write_buckets(self, group: int, buckets: Mapping[int, Bucket]) -> None:
        """Gives buckets of a group to owners, in one Write. Raises MoveError."""
        ...

    async def read_buckets(self, group: int) -> Mapping[int, Bucket]:
        """Who the buckets of a group belong to. Raises MoveError."""
        ...

    async def send(self, packets: Sequence[PacketOut]) -> None:
        """Sends packets in this order; waits while the switch is slow to take them.

        Raises SwitchError when it takes none any more.
        """
        ...

    def packet_ins(self) -> AsyncIterator[PacketIn]:
        """Packets as they come. Raises SwitchError when there will be no more."""
        ...

    def idle_rules(self) -> AsyncIterator[FiveTuple]:
        """Flows whose rule has been idle for its timeout; it is still there.

        Raises SwitchError when there will be no more.
        """
        ...


# --- an instance ----------------------------------------------------------------


class PutStream(Protocol):
    """States on their way into an instance."""

    @property
    def broken(self) -> SouthboundError | None:
        """Why it takes no more states; None while it does."""
        ...

    async def send(self, chunk: pb.StateChunk) -> asyncio.Future[None]:
        """Sends a chunk; the future is done when it is in place.

        Both raise SouthboundError.
        """
        ...


class Instance(Protocol):
    """The southbound calls, as `nf.southbound.client.InstanceClient` has them."""

    @property
    def name(self) -> str:
        """Name of the instance."""
        ...

    async def get_info(self) -> pb.Info:
        """Who it is."""
        ...

    async def list_flows(self) -> list[FlowSummary]:
        """The flows it has state for."""
        ...

    def get_perflow(
        self, flows: Sequence[FiveTuple], *, marker: int = 0, timeout_s: float = 5.0
    ) -> AsyncGenerator[pb.StateChunk]:
        """Exports state, one chunk a flow, in order, once the marker has been read."""
        ...

    def open_put(self) -> AbstractAsyncContextManager[PutStream]:
        """A stream to put state through."""
        ...

    async def delete_perflow(self, flows: Iterable[FiveTuple]) -> int:
        """Deletes state."""
        ...

    async def set_aside(self, flows: Iterable[FiveTuple], *, again: bool = False) -> None:
        """Has packets of these flows wait in the instance, from when this returns, or go on to."""
        ...

    async def admit(self, flows: Iterable[FiveTuple], *, marker: int = 0) -> int:
        """Has it process what waits, behind a marker if any; how many packets that were."""
        ...

    async def recall(
        self, flows: Iterable[FiveTuple], *, marker: int = 0
    ) -> Mapping[FiveTuple, Sequence[bytes]]:
        """Takes back what waits, behind a marker if any: the frames of each flow, in order."""
        ...

    async def set_no_new_state(
        self, no_new_state: bool, buckets: Iterable[int], *, marker: int = 0
    ) -> None:
        """Whether it bounces packets of flows of these hash buckets that it has no state for.

        Behind a marker, if any.
        """
        ...


@dataclass(frozen=True)
class Member:
    """An instance in its group."""

    id: int
    """As the switch knows it."""
    name: str
    group: int
    group_name: str
    southbound: Instance


# --- the detector ---------------------------------------------------------------


class Selection(NamedTuple):
    """The elephants that a detector has found."""

    flows: tuple[FiveTuple, ...]
    """Largest first."""
    active: int
    """Active flows at the instance, elephants and mice."""


class Detector(Protocol):
    """Finds elephants: the filter API of the paper (§3.2)."""

    async def rule(self, choice: Choice) -> Rule:
        """The rule that is asked for, with all its parameters. Raises MoveError."""
        ...

    async def select(self, instance: int, rule: Rule) -> Selection:
        """The live elephants at an instance. Raises MoveError."""
        ...
