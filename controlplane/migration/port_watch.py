"""How many packets the instances of a move lose by themselves, being slower than they come."""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.migration.counts import ControlCounts
from controlplane.migration.peers import Member
from nf.southbound import southbound_pb2 as pb
from nf.southbound.client import SouthboundError


class PortWatch:
    """What the port of each instance has lost between the beginning and the end."""

    def __init__(self, members: Sequence[Member], counts: ControlCounts) -> None:
        """Nothing is known yet."""
        self._members = members
        self._counts = counts
        self._before: dict[int, int] = {}
        self._lost: dict[int, int] = {}

    def begin(self, infos: Sequence[pb.Info]) -> None:
        """Begins to count from what the members have just said, in their order."""
        for member, info in zip(self._members, infos, strict=True):
            self._before[member.id] = info.lost_packets

    async def end(self) -> None:
        """Asks for what has been lost since; of one that does not answer nothing is known."""
        for member in self._members:
            if member.id not in self._before:
                continue
            self._counts.southbound_calls += 1
            try:
                now = (await member.southbound.get_info()).lost_packets
            except SouthboundError:
                continue
            before = self._before[member.id]
            self._lost[member.id] = now - before if now >= before else now  # it began anew

    def lost(self, member: Member) -> int | None:
        """Packets that an instance has lost; None where that is not known."""
        return self._lost.get(member.id)
