"""Carries packets for the controller from the data plane to the primary of each role."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from finsy.proto import p4r

from bmv2.embedded.p4runtime.errors import P4RuntimeError
from bmv2.embedded.p4runtime.outbox import Outbox
from bmv2.embedded.p4runtime.pipeline import Pipeline

_PATIENCE_S = 1.0

_log = logging.getLogger(__name__)


class PacketInPump:
    """Reads packets only as fast as every primary takes them.

    What one does not take waits in the data plane's ring, so nothing is lost in between. Where
    there are several, one that takes nothing for a second does not hold up the others: it
    misses packets until it reads again. Without a primary nobody can take a packet: it is
    thrown away, counted and logged.
    """

    def __init__(self, primaries: Callable[[], Sequence[Outbox]]) -> None:
        self._primaries = primaries
        self._pipeline: Pipeline | None = None
        self._readable = asyncio.Event()
        self._lost = 0
        self._missed = 0

    def follow(self, pipeline: Pipeline | None) -> None:
        """From now on the packets come from this pipeline; to be called while it runs."""
        self._unwatch()
        self._pipeline = pipeline
        self._watch()

    def _watch(self) -> None:
        if self._pipeline is not None:
            descriptor = self._pipeline.backend.packet_in_fileno()
            asyncio.get_running_loop().add_reader(descriptor, self._readable.set)

    def _unwatch(self) -> None:
        if self._pipeline is not None:
            descriptor = self._pipeline.backend.packet_in_fileno()
            asyncio.get_running_loop().remove_reader(descriptor)

    async def run(self) -> None:
        """Carries packets until cancelled."""
        while True:
            await self._readable.wait()
            self._readable.clear()
            pipeline = self._pipeline
            if pipeline is None:
                continue
            # Delivery may have to wait, and the packets that come meanwhile with it.
            self._unwatch()
            for packet in pipeline.backend.receive_packet_ins():
                await self._deliver(pipeline, packet)
            if self._pipeline is pipeline:
                self._watch()

    async def _deliver(self, pipeline: Pipeline, packet: bytes) -> None:
        try:
            message = p4r.StreamMessageResponse(packet=pipeline.packet_in.unpack(packet))
        except P4RuntimeError as error:
            _log.warning("%s", error.message)
            return
        taken: dict[Outbox, bool] = {}
        # Every one is offered it, not only the first who takes it; and who becomes one meanwhile.
        while asked := [each for each in self._primaries() if each not in taken]:
            taken |= await self._offer(message, asked)
        missed = [each for each in self._primaries() if not taken[each]]
        self._count_missed(any(taken.values()) and bool(missed))
        if not any(taken.values()):
            if self._lost == 0:
                why = "no primary reads them" if missed else "no controller is the primary"
                _log.warning("packet_ins are thrown away: %s", why)
            self._lost += 1
        elif self._lost:
            _log.warning("%d packet_ins have been thrown away", self._lost)
            self._lost = 0

    async def _offer(
        self, message: p4r.StreamMessageResponse, asked: Sequence[Outbox]
    ) -> dict[Outbox, bool]:
        """Who has taken a packet, and who has not. Of the others it ended as primaries changed."""
        primaries, taken = self._primaries(), dict[Outbox, bool]()
        patience_s = _PATIENCE_S if len(primaries) > 1 else None

        def are_as_before() -> bool:
            return self._primaries() == primaries

        for each in asked:
            has_taken = await each.send_when_drained(message, patience_s, are_as_before)
            if has_taken or are_as_before():
                taken[each] = has_taken
        return taken

    def _count_missed(self, is_missed: bool) -> None:
        if is_missed:
            if self._missed == 0:
                _log.warning("a primary does not read its packet_ins: it misses some")
            self._missed += 1
        elif self._missed:
            _log.warning("%d packet_ins have been missed by a primary", self._missed)
            self._missed = 0
