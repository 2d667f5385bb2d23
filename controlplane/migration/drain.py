"""Watches the flows that were left at an instance until they have died out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress

from controlplane.migration.buckets import alone, owned, shared
from controlplane.migration.counts import ControlCounts
from controlplane.migration.errors import MoveError
from controlplane.migration.handed_over import adopt_copies, hand_over_rules
from controlplane.migration.marker import catch_up
from controlplane.migration.peers import Bucket, Member
from controlplane.migration.services import Services
from nf.southbound.client import SouthboundError

_LAST_ACK_S = 0.5  # of a connection that has ended: its last packet, or one sent again

logger = logging.getLogger(__name__)


class Drain:
    """Buckets that were turned from `previous` to `owner`, while `previous` has flows of them.

    When it has none any more the buckets belong to the owner alone.
    """

    def __init__(
        self,
        owner: Member,
        previous: Member,
        numbers: Collection[int],
        services: Services,
        counts: ControlCounts,
        *,
        scope: Collection[int] | None = None,
        watch: int | None = None,
        on_left: Callable[[], None] = lambda: None,
    ) -> None:
        """`numbers` are the buckets. `on_left` is called when `left` has changed.

        The previous owner is to take no new flow of the buckets while it is watched, or of all
        that are in the `scope`: the flows that it has in those that others own count as left,
        too. `watch` is its number in the journal, if it has one.
        """
        self.owner = owner
        self.previous = previous
        self.first: int | None = None
        """Live flows when it was asked first."""
        self.left: int | None = None
        """Live flows when it was asked last."""
        self.superseded = False
        """Other moves have turned the buckets since."""
        self.has_ended = False
        """Nobody watches any more."""
        self._services = services
        self._counts = counts
        self._buckets = services.buckets
        self._numbers = frozenset(numbers)
        self.scope = frozenset(numbers if scope is None else scope)
        self._has_scope = scope is not None
        self._number = watch
        self._is_closed = False
        """Whether the previous owner is known to have been closed."""
        self._on_left = on_left
        services.intake.need_closed(self, previous, self.scope)

    async def run(self) -> None:
        """Returns when the previous owner is drained, or the buckets have been turned again.

        Whoever does not answer is asked again: what it holds is not known to be gone.
        """
        try:
            await self._watch()
            if self._number is not None:
                self._services.journal.end_watch(self._number)
        finally:
            self.has_ended = True
            self._services.intake.release(self)
        with suppress(MoveError, SouthboundError):  # it is told later
            async with self._buckets.turning:
                await self._services.intake.settle(self.previous)

    async def _watch(self) -> None:
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
                async with asyncio.timeout(self._services.limits.drain_interval_s):
                    await changed.wait()
            except TimeoutError:
                pass

    async def left_behind(self) -> frozenset[int]:
        """The buckets in which flows may be left, and that are not its own. Raises MoveError."""
        known = await self._buckets.read(self.owner.group)
        return self.scope - owned(known, self.previous.id, self.scope)

    async def _is_over(self) -> bool:
        await self._still_shared()
        if not (self._is_closed or self.superseded or await self._close()):
            self._note(0)  # another watch has seen that there is none left
            return True
        if self.superseded:
            return True
        turns, ended = self._buckets.turns, self._services.registry.ended
        flows = await self.previous.southbound.list_flows()
        numbers = await self.left_behind()
        flows = [flow for flow in flows if flow.flow.bucket in numbers]
        self._note(sum(not flow.ended for flow in flows))
        if self.left or any(flow.ended and flow.idle_s < _LAST_ACK_S for flow in flows):
            return False
        async with self._buckets.turning:
            await self._still_shared()
            if self.superseded:
                return True
            # It may have been started anew, and be open. Flows may have begun there since it was
            # asked, or have been moved there.
            await self._services.intake.settle(self.previous)
            if (turns, ended) != (self._buckets.turns, self._services.registry.ended):
                return False
            known = await self._buckets.read(self.owner.group)
            owners = {number: known[number].owner for number in numbers if known[number].owner}
            # In the others a third instance may have flows.
            sole = {
                number: owner
                for number, owner in owners.items()
                if known[number].previous in (0, self.previous.id)
            }
            homes = {number: sole.get(number) for number in owners}
            await hand_over_rules(self.previous, homes, self._services, self._counts)
            adopt_copies(sole, self._services)
            if self._numbers:
                mine = dict.fromkeys(self._numbers, Bucket(self.owner.id))
                await self._buckets.write(self.owner.group, mine)
        # What it was sent until now is no new flow of its. Else all this is done once more.
        await catch_up(self.previous, self._services, self._counts)
        return True

    def _note(self, left: int) -> None:
        before, self.left = self.left, left
        if self.first is None:
            self.first = left
        if left != before:
            self._on_left()

    async def _close(self) -> bool:
        """Has the previous owner take no new flow; False if another watch has drained it."""
        async with self._buckets.turning:
            if not await self._still_shared() and (self.superseded or not self._has_scope):
                return self.superseded
            self._services.intake.doubt(self.owner)  # a move that failed may have left it closed
            await self._services.intake.settle(self.previous)
        # A new flow that was on its way may have begun.
        await catch_up(self.previous, self._services, self._counts)
        self._is_closed = True
        return True

    async def _still_shared(self) -> bool:
        """Lets go of the buckets that have been turned again; whether any is left."""
        known = await self._buckets.read(self.owner.group)
        left = shared(known, self.owner.id, self.previous.id, self._numbers)
        self.superseded = not left and alone(known, self.owner.id, self._numbers) != self._numbers
        self._numbers = left
        return bool(left)
