"""Watches the flows that were left at an instance until they have died out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

from controlplane.migration.buckets import BucketKeeper, shared
from controlplane.migration.errors import MoveError
from controlplane.migration.peers import Bucket, Member
from nf.southbound.client import SouthboundError

logger = logging.getLogger(__name__)


class Drain:
    """Buckets that were turned from `previous` to `owner`, while `previous` has flows of them.

    When it has none any more the buckets belong to the owner alone.
    """

    def __init__(
        self,
        buckets: BucketKeeper,
        owner: Member,
        previous: Member,
        numbers: Collection[int],
        interval_s: float,
        let_take_new: Callable[[bool, Collection[int]], Awaitable[None]],
        *,
        is_closed: bool = False,
        on_left: Callable[[int], None] = lambda left: None,
    ) -> None:
        """`numbers` are the buckets. `on_left` is told how many live flows are left.

        `let_take_new` says whether the previous owner takes new flows of buckets, from behind a
        marker on. It is not to while it is watched: `is_closed` if it takes none already. One
        that is still on its way to it would be missed otherwise.
        """
        self.owner = owner
        self.previous = previous
        self.first: int | None = None
        """Live flows when it was asked first."""
        self.left: int | None = None
        """Live flows when it was asked last."""
        self.superseded = False
        """Other moves have turned the buckets since."""
        self._buckets = buckets
        self._numbers = frozenset(numbers)
        self._interval_s = interval_s
        self._let_take_new = let_take_new
        self._is_closed = is_closed
        self._on_left = on_left

    async def run(self) -> None:
        """Returns when the previous owner is drained, or the buckets have been turned again.

        Whoever does not answer is asked again: what it holds is not known to be gone.
        """
        complaint = ""
        while True:
            changed = self._buckets.changed
            try:
                if await self._is_over():
                    return
                complaint = ""
            except (MoveError, SouthboundError) as error:
                if str(error) != complaint:
                    complaint = str(error)
                    logger.warning("draining %s: %s", self.previous.name, complaint)
            try:
                async with asyncio.timeout(self._interval_s):
                    await changed.wait()
            except TimeoutError:
                pass

    async def _is_over(self) -> bool:
        if not await self._still_shared():
            if not self.superseded:  # another watch has seen that there is none left
                self._note(0)
            return True
        if not self._is_closed:
            await self._let_take_new(False, self._numbers)
            self._is_closed = True
        flows = await self.previous.southbound.list_flows()
        self._note(sum(not flow.ended and flow.flow.bucket in self._numbers for flow in flows))
        if self.left:
            return False
        async with self._buckets.turning:
            if not await self._still_shared():
                return True
            alone = dict.fromkeys(self._numbers, Bucket(self.owner.id))
            await self._buckets.write(self.owner.group, alone)
        await self._open()
        return True

    def _note(self, left: int) -> None:
        if left != self.left:
            self._on_left(left)
        self.left = left
        if self.first is None:
            self.first = left

    async def _open(self) -> None:
        """Behind what the previous owner was sent until now: it is no flow of its any more.

        If it does not answer, whoever turns the buckets to it opens them.
        """
        try:
            await self._let_take_new(True, self._numbers)
        except SouthboundError as error:
            logger.warning("drained, but it takes no new flows yet: %s", error)

    async def _still_shared(self) -> bool:
        """Lets go of the buckets that have been turned again; whether any is left."""
        known = await self._buckets.read(self.owner.group)
        left = shared(known, self.owner.id, self.previous.id, self._numbers)
        alone = Bucket(self.owner.id)
        self.superseded = not left and any(known[each] != alone for each in self._numbers)
        if not left and not self.superseded and self._numbers:
            self.left = 0  # as another watch over the same buckets has seen
        self._numbers = left
        return bool(left)
