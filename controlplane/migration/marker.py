"""Markers: an instance that has read one has read every packet that was sent to it before."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from controlplane.migration.counts import ControlCounts
from controlplane.migration.peers import Member
from controlplane.migration.services import Services
from controlplane.p4_constants import PACKET_OUT_MARKER
from controlplane.switch.packets import PacketOut
from nf.southbound.inband import build_marker


class Marker:
    """A marker on its way: sent again while the instance does not seem to have read it."""

    def __init__(self, to: Member, services: Services, counts: ControlCounts) -> None:
        self.number = services.numbers.next()
        self._packet = PacketOut(PACKET_OUT_MARKER, build_marker(self.number), to.id)
        self._services = services
        self._counts = counts
        self._timer: asyncio.TimerHandle | None = None
        self._send()

    def _send(self) -> None:
        self._services.outbox.add(self._packet)
        self._counts.packet_outs += 1
        self._timer = asyncio.get_running_loop().call_later(
            self._services.limits.marker_interval_s, self._send
        )

    def stop(self) -> None:
        """It has been read, or nobody waits for it any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def close_buckets(
    instance: Member, buckets: Collection[int], services: Services, counts: ControlCounts
) -> None:
    """Lets an instance take no new flow of buckets, once it has read all that it was sent.

    Raises SouthboundError.
    """
    marker = Marker(instance, services, counts)
    counts.southbound_calls += 1
    services.buckets.check_holder()
    try:
        await instance.southbound.set_no_new_state(True, buckets, marker=marker.number)
    finally:
        marker.stop()
        if buckets:
            services.buckets.turns += 1  # until now flows of them could begin there


async def catch_up(instance: Member, services: Services, counts: ControlCounts) -> None:
    """Returns when an instance has read all that it was sent. Raises SouthboundError."""
    await close_buckets(instance, (), services, counts)
