"""What comes from the switch, and whom each packet concerns."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence

from controlplane.migration.left_rules import LeftRules
from controlplane.migration.move import Move
from controlplane.migration.peers import Member, Switch
from controlplane.migration.report import UNDER_WAY
from controlplane.migration.services import Services
from controlplane.p4_constants import (
    PACKET_IN_BARRIER,
    PACKET_IN_BOUNCE,
    PACKET_IN_HOLD,
    PACKET_OUT_RELEASE,
)
from controlplane.switch.packets import PacketIn, PacketOut
from nf.southbound.inband import detoured
from nf.southbound.packet import Packet

_YIELD_EVERY = 64  # packets, before others have their turn

logger = logging.getLogger(__name__)


class Reception:
    """Takes packets from the switch as fast as those that are passed on get out."""

    def __init__(
        self,
        switch: Switch,
        members: Sequence[Member],
        services: Services,
        left_rules: LeftRules,
        moves: OrderedDict[str, Move],
    ) -> None:
        """`moves` are those that there are at any time, oldest first."""
        self._switch = switch
        self._members = members
        self._services = services
        self._left_rules = left_rules
        self._moves = moves
        self._packet = Packet()
        self.unknown = 0
        """Packets held for a flow that nobody knows; dropped."""
        self.bounced = 0
        """Packets that the owner of their bucket has refused."""
        self.lost = 0
        """Packets that the switch has sent, but that have not come."""

    async def run(self) -> None:
        """Takes packets until cancelled. Raises SwitchError when there will be no more."""
        services = self._services
        taken = 0
        async for packet in self._switch.packet_ins():
            taken += 1
            if taken % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
            if packet.lost_before:
                self._count_lost(packet.lost_before)
            match packet.reason:
                case reason if reason == PACKET_IN_HOLD:
                    self._take_held(packet)
                    await services.outbox.room()
                case reason if reason == PACKET_IN_BARRIER:
                    services.barriers.arrived(packet.migration)
                case reason if reason == PACKET_IN_BOUNCE:
                    self._take_bounce(packet)
                    await services.outbox.room()
                case _:
                    self._count_unknown(packet)

    def _take_held(self, packet: PacketIn) -> None:
        found = self._services.registry.find(packet.migration)
        if found is None:
            self._count_unknown(packet)
            self._left_rules.one_shows()
        else:
            record, holder = found
            holder.held(record, packet.payload)

    def _count_lost(self, packets: int) -> None:
        """Packets have not come: of which flow is not known, for only they could tell."""
        before, self.lost = self.lost, self.lost + packets
        for move in self._moves.values():
            if move.state in UNDER_WAY:
                move.lose(packets)
        if before.bit_length() != self.lost.bit_length():  # past 1, 2, 4, 8, …
            logger.warning("%d packets have been lost on the way from the switch", self.lost)

    def _count_unknown(self, packet: PacketIn) -> None:
        self.unknown += 1
        if self.unknown.bit_count() == 1:  # at 1, 2, 4, 8, …
            logger.warning(
                "%d packets dropped that belong to no move, last with number %d",
                self.unknown,
                packet.migration,
            )

    def _take_bounce(self, packet: PacketIn) -> None:
        """The owner of its bucket has handed a packet back: it is closed, or has turned it away."""
        self.bounced += 1
        home = self._home_of_bounced(packet.instance, packet.payload)
        if home is None:
            logger.warning("instance %d refuses a flow of its own bucket: dropped", packet.instance)
            return
        frame = detoured(packet.payload)
        self._services.outbox.add(PacketOut(PACKET_OUT_RELEASE, frame, home))

    def _home_of_bounced(self, sender: int, frame: bytes) -> int | None:
        """The instance that the flow's bucket is shared with, or the only one there is."""
        groups = {member.id: member.group for member in self._members}
        number = self._packet.flow.bucket if self._packet.read(memoryview(frame)) else None
        bucket = None
        if number is not None and sender in groups:
            bucket = self._services.buckets.last(groups[sender], number)
        if bucket is not None and bucket.owner != sender:
            return bucket.owner
        if bucket is not None and bucket.owner:
            # Nobody else has a flow of it: what the owner has turned away before, begins there.
            return bucket.previous or bucket.owner
        for move in reversed(self._moves.values()):
            if number is not None and number not in move.options.buckets:
                continue
            if move.source.id == sender:
                return move.destination.id
            if move.destination.id == sender and move.gives_back:
                return move.source.id
        others = [each for each, group in groups.items() if group == groups.get(sender)]
        others = [each for each in others if each != sender]
        return others[0] if len(others) == 1 else None
