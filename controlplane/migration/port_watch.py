"""How many packets the instances of a move lose by themselves, being slower than they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from controlplane.migration.counts import ControlCounts
from controlplane.migration.peers import Member
from nf.southbound.client import SouthboundError


class PortWatch:
    """Asks each instance at the beginning and at the end what its port has lost."""

    def __init__(self, members: Sequence[Member], counts: ControlCounts) -> None:
        """Nothing is asked yet."""
        self._members = members
        self._counts = counts
        self._before: dict[int, int] = {}
        self._lost: dict[int, int] = {}

    async def begin(self) -> None:
        """Begins to count. Raises SouthboundError."""
        before = await asyncio.gather(*map(self._read, self._members))
        self._before = dict(zip((member.id for member in self._members), before, strict=True))

    async def end(self) -> None:
        """Counts what has been lost since; of an instance that does not answer nothing is known."""
        for member in self._members:
            if member.id not in self._before:
                continue
            try:
                now = await self._read(member)
            except SouthboundError:
                continue
            before = self._before[member.id]
            self._lost[member.id] = now - before if now >= before else now  # it began anew

    async def _read(self, member: Member) -> int:
        self._counts.southbound_calls += 1
        load = await member.southbound.get_load()
        return load.dropped + load.unsent

    def lost(self, member: Member) -> int | None:
        """Packets that an instance has lost; None where that is not known."""
        return self._lost.get(member.id)
