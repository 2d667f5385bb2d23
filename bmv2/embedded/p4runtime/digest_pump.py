"""Carries digests from the data plane to the primary of each role."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from finsy.proto import p4r

from bmv2.embedded.p4runtime.outbox import Outbox
from bmv2.embedded.p4runtime.pipeline import Pipeline

_log = logging.getLogger(__name__)


class DigestPump:
    """Collects digests into lists and sends those when they are due.

    A list that no primary can take is thrown away, and its digests may come again.
    """

    def __init__(self, primaries: Callable[[], Sequence[Outbox]]) -> None:
        self._primaries = primaries
        self._last_primaries: Sequence[Outbox] = ()
        self._pipeline: Pipeline | None = None
        self._woken = asyncio.Event()

    def follow(self, pipeline: Pipeline | None) -> None:
        """From now on the digests come from this pipeline; to be called while it runs."""
        loop = asyncio.get_running_loop()
        if self._pipeline is not None:
            loop.remove_reader(self._pipeline.backend.digest_fileno())
        self._pipeline = pipeline
        if pipeline is not None:
            loop.add_reader(pipeline.backend.digest_fileno(), self._woken.set)
            pipeline.entities.digests.on_change = self._woken.set
        self._woken.set()

    async def run(self) -> None:
        """Carries digests until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._wait_s()):
                    await self._woken.wait()
            except TimeoutError:
                pass  # a list is due
            self._woken.clear()
            if self._pipeline is not None:
                self._carry(self._pipeline)

    def _wait_s(self) -> float | None:
        due_ns = None if self._pipeline is None else self._pipeline.entities.digests.due_ns
        return None if due_ns is None else max(0, due_ns - time.monotonic_ns()) / 1e9

    def _carry(self, pipeline: Pipeline) -> None:
        digests = pipeline.entities.digests
        primaries = self._primaries()
        if primaries != self._last_primaries:
            self._last_primaries = primaries
            digests.forget()  # what another one was told
        received = pipeline.backend.receive_digests()
        now_ns = time.monotonic_ns()
        for message in [*digests.receive(received, now_ns), *digests.tick(now_ns)]:
            response = p4r.StreamMessageResponse(digest=message)
            taken = [primary.offer(response) for primary in primaries]
            if not any(taken):
                ack = p4r.DigestListAck(digest_id=message.digest_id, list_id=message.list_id)
                digests.acknowledge(ack)
                _log.warning("%d digests are thrown away", len(message.data))
