"""Watches the flows that were left at an instance until they have died out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from controlplane.migration.buckets import BucketKeeper, drained
from controlplane.migration.errors import MoveError
from controlplane.migration.peers import Member
from nf.southbound.client import SouthboundError

logger = logging.getLogger(__name__)


class Drain:
    """The buckets that were turned from `previous` to `owner`, while `previous` has flows.

    When it has none any more the buckets belong to the owner alone.
    """

    def __init__(
        self,
        buckets: BucketKeeper,
        owner: Member,
        previous: Member,
        interval_s: float,
        on_left: Callable[[int], None] = lambda left: None,
    ) -> None:
        """Nothing is asked yet. `on_left` is told how many live flows are left."""
        self.owner = owner
        self.previous = previous
        self.first: int | None = None
        """Live flows when it was asked first."""
        self.left: int | None = None
        """Live flows when it was asked last."""
        self.superseded = False
        """Another move has turned the buckets since."""
        self._buckets = buckets
        self._interval_s = interval_s
        self._on_left = on_left
        self._superseding = asyncio.Event()

    def supersede(self) -> None:
        """Another move has turned the buckets: `run` ends, and leaves them alone."""
        self._superseding.set()

    async def run(self) -> None:
        """Returns when the previous owner is drained, or the buckets have been turned again.

        Whoever does not answer is asked again: what it holds is not known to be gone.
        """
        complaint = ""
        while not self._superseding.is_set():
            try:
                if await self._drained():
                    return
                complaint = ""
            except (MoveError, SouthboundError) as error:
                if str(error) != complaint:
                    complaint = str(error)
                    logger.warning("draining %s: %s", self.previous.name, complaint)
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._superseding.wait()
            except TimeoutError:
                pass
        self.superseded = True

    async def _drained(self) -> bool:
        flows = await self.previous.southbound.list_flows()
        left = sum(not flow.ended for flow in flows)
        if left != self.left:
            self._on_left(left)
        self.left = left
        if self.first is None:
            self.first = self.left
        if self.left:
            return False
        async with self._buckets.turning:
            if self._superseding.is_set():
                return False
            group = self.owner.group
            mine = drained(await self._buckets.read(group), self.previous.id, self.owner.id)
            if mine:
                await self._buckets.write(group, mine)
            await self.previous.southbound.set_no_new_state(False)
        return True
