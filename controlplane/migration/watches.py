"""The watches over flows that one move has left behind."""

from __future__ import annotations

import asyncio

from controlplane.migration.drain import Drain
from controlplane.migration.report import DrainReport
from controlplane.migration.services import Services


class Watches:
    """One drain; two where not all of the buckets could be given back."""

    def __init__(self, move: str, begin_s: float, services: Services) -> None:
        """Nothing is watched yet. `move` is its id, `begin_s` when it began."""
        self._move = move
        self._begin_s = begin_s
        self._services = services
        self._drains: list[Drain] = []
        self._drained_ms: float | None = None

    def add(self, drain: Drain) -> None:
        """Flows are left there, too. `run` is to follow."""
        self._drains.append(drain)

    @property
    def drain(self) -> Drain | None:
        """The watch over the flows that are left, once there is one: of two, one that goes on."""
        return max(
            self._drains, key=lambda each: (not each.has_ended, not each.superseded), default=None
        )

    async def run(self) -> None:
        """Returns when all are over."""
        tasks = [
            asyncio.create_task(
                self._watch(each), name=f"{self._move}: drain of {each.previous.name}"
            )
            for each in self._drains
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _watch(self, drain: Drain) -> None:
        await drain.run()
        if not drain.superseded:
            self._drained_ms = round((self._services.clock() - self._begin_s) * 1e3, 4)

    def tell_left(self) -> None:
        """How many flows are left has changed."""
        self._services.events.left(self._move, sum(each.left or 0 for each in self._drains))

    def report(self) -> DrainReport | None:
        """What has come of them so far."""
        drain = self.drain
        if drain is None:
            return None
        return DrainReport(
            instance=drain.previous.name,
            at_turn=drain.first,
            left=drain.left,
            drained_ms=self._drained_ms if drain.has_ended else None,
            superseded=drain.superseded,
        )
