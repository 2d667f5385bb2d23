"""Watches the flows that were left at an instance until they have died out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress

from controlplane.migration.buckets import alone, owned, shared
from controlplane.migration.counts import ControlCounts
from controlplane.migration.errors import MoveError
from controlplane.migration.handed_over import hand_over_rules, keep_copies
from controlplane.migration.marker import catch_up
from controlplane.migration.peers import Bucket, Member
from controlplane.migration.services import Services
from nf.southbound.client import SouthboundError

_LAST_ACK_S = 0.5  # of a connection that has ended: its last packet, or one sent again
_SAY_S = 0.5
"""How long an instance may take to answer while the buckets cannot be turned."""
_AGAIN_S = 2.0
"""How soon one that has not is asked again."""

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
        on_left: Callable[[int], None] = lambda left: None,
    ) -> None:
        """`numbers` are the buckets. `on_left` is told how many live flows are left.

        The previous owner is to take no new flow of the buckets while it is watched. With a
        `scope` it takes none already, of all the buckets in it: the flows that it has in those
        that others own count as left, too. `watch` is its number in the journal, if it has one.
        """
        self.owner = owner
        self.previous = previous
        self.first: int | None = None
        """Live flows when it was asked first."""
        self.left: int | None = None
        """Live flows when it was asked last."""
        self.superseded = False
        """Other moves have turned the buckets since."""
        self._services = services
        self._counts = counts
        self._buckets = services.buckets
        self._numbers = frozenset(numbers)
        self.scope = frozenset(numbers if scope is None else scope)
        self._has_scope = scope is not None
        self._number = watch
        self._is_closed = scope is not None
        self._open_owner_s: float | None = None
        """When the owner is to be opened again; none if it is known to be open."""
        if self._is_closed:
            services.closed.rely(self, previous.id, self.scope)
        self._on_left = on_left

    async def run(self) -> None:
        """Returns when the previous owner is drained, or the buckets have been turned again.

        Whoever does not answer is asked again: what it holds is not known to be gone.
        """
        try:
            await self._watch()
            if self._number is not None:
                self._services.journal.end_watch(self._number)
        finally:
            self._services.closed.release(self)

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
        was_closed = self._is_closed
        if not (was_closed or self.superseded or await self._close()):
            self._note(0)  # another watch has seen that there is none left
            return True
        if self.superseded:
            return True
        if self._open_owner_s is not None and self._services.clock() >= self._open_owner_s:
            async with self._buckets.turning:
                await self._open_owner()
        turns, ended = self._buckets.turns, self._services.registry.ended
        flows = await self.previous.southbound.list_flows()
        numbers = await self.left_behind()
        flows = [flow for flow in flows if flow.flow.bucket in numbers]
        self._note(sum(not flow.ended for flow in flows))
        if self.left or any(flow.ended and flow.idle_s < _LAST_ACK_S for flow in flows):
            return False
        if was_closed:  # it may have been started anew since, and be open
            self._is_closed = False
            return await self._is_over()
        async with self._buckets.turning:
            await self._still_shared()
            if self.superseded:
                return True
            # Flows may have begun there since it was asked, or have been moved there.
            if (turns, ended) != (self._buckets.turns, self._services.registry.ended):
                return False
            known = await self._buckets.read(self.owner.group)
            owners = {number: known[number].owner for number in numbers if known[number].owner}
            await hand_over_rules(self.previous, owners, self._services, self._counts)
            keep_copies(owners, self._services)
            if self._numbers:
                mine = dict.fromkeys(self._numbers, Bucket(self.owner.id))
                await self._buckets.write(self.owner.group, mine)
        await self._open(numbers)
        return True

    def _note(self, left: int) -> None:
        if left != self.left:
            self._on_left(left)
        self.left = left
        if self.first is None:
            self.first = left

    async def _close(self) -> bool:
        """Has the previous owner take no new flow; False if another watch has drained it.

        That is said while nobody can turn them, and holds at once: a word that came late would
        close what another move has opened. A new flow that was on its way may have begun.
        """
        async with self._buckets.turning:
            if not await self._still_shared() and (self.superseded or not self._has_scope):
                return self.superseded
            await self._open_owner()
            numbers = await self.left_behind()
            self._services.closed.rely(self, self.previous.id, self.scope)
            await self._say(self.previous, no_new_state=True, numbers=numbers)
        await catch_up(self.previous, self._services, self._counts)
        self._buckets.turns += 1  # until now flows of them could begin there
        self._is_closed = True
        return True

    async def _open_owner(self) -> None:
        """A move that failed may have left it closed."""
        self._open_owner_s = self._services.clock() + _AGAIN_S
        await self._still_shared()
        with suppress(SouthboundError):  # it is asked again
            await self._say(self.owner, no_new_state=False, numbers=self._numbers)
            self._open_owner_s = None

    async def _open(self, numbers: Collection[int]) -> None:
        """Behind what the previous owner was sent until now: it is no flow of its any more.

        If it does not answer, whoever turns the buckets to it opens them.
        """
        try:
            await catch_up(self.previous, self._services, self._counts)
            async with self._buckets.turning:
                self._services.closed.release(self)
                needed = self._services.closed.relied_on(self.previous.id)
                known = await self._buckets.read(self.owner.group)
                numbers = [n for n in numbers if known[n].previous != self.previous.id]
                numbers = [n for n in numbers if n not in needed]
                await self._say(self.previous, no_new_state=False, numbers=numbers)
        except SouthboundError as error:
            logger.warning("drained, but it takes no new flows yet: %s", error)

    async def _say(self, to: Member, *, no_new_state: bool, numbers: Collection[int]) -> None:
        self._buckets.check_holder()
        try:
            async with asyncio.timeout(_SAY_S):
                await to.southbound.set_no_new_state(no_new_state, numbers)
        except TimeoutError:
            raise SouthboundError(to.name, "did not answer in time", down=True) from None

    async def _still_shared(self) -> bool:
        """Lets go of the buckets that have been turned again; whether any is left."""
        known = await self._buckets.read(self.owner.group)
        left = shared(known, self.owner.id, self.previous.id, self._numbers)
        self.superseded = not left and alone(known, self.owner.id, self._numbers) != self._numbers
        self._numbers = left
        return bool(left)
