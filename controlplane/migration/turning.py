"""The buckets of one move: they are turned to the destination, and back if it is undone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

from controlplane.migration.buckets import owned, shared
from controlplane.migration.counts import ControlCounts
from controlplane.migration.drain import Drain
from controlplane.migration.errors import MoveError
from controlplane.migration.marker import close_buckets
from controlplane.migration.peers import Bucket, Member
from controlplane.migration.services import Services
from nf.southbound.client import SouthboundError

_TELL_S = 0.3


class Turning:
    """Turns buckets of a group from one instance to another."""

    def __init__(
        self,
        move: int,
        source: Member,
        destination: Member,
        scope: frozenset[int],
        services: Services,
        counts: ControlCounts,
        on_left: Callable[[int], None],
    ) -> None:
        """`move` is its number in the journal; `scope` are the buckets that may be turned;
        `on_left` is for whoever watches them.
        """
        self._move = move
        self._source = source
        self._destination = destination
        self._scope = scope
        self._services = services
        self._counts = counts
        self._on_left = on_left
        self.turned: frozenset[int] = frozenset()
        """The buckets that are given back if the move is undone."""
        self._shared: frozenset[int] = frozenset()
        """Those in which flows are left at the source."""
        self._is_closed = False
        """Whether the source takes no new flow of the scope."""

    async def turn(self) -> None:
        """New flows go to the destination. Raises MoveError and SouthboundError.

        The source takes none any more, once it has read what was steered to it before.
        """
        counts, keeper, group = self._counts, self._services.buckets, self._source.group
        turned = Bucket(self._destination.id, self._source.id)
        async with keeper.turning:
            mine = owned(await keeper.read(group), self._source.id, self._scope)
            if mine:
                counts.southbound_calls += 1
                self._services.journal.turn_for(self._move, mine)
                await self._destination.southbound.set_no_new_state(False, mine)
                counts.writes += 1
                counts.updates += len(mine)
                self.turned = mine
                await keeper.write(group, dict.fromkeys(mine, turned))
            self._shared = shared(await keeper.read(group), *turned, self._scope)
            await close_buckets(self._source, self._scope, self._services, counts)
            self._is_closed = True

    async def take_over(self, turned: frozenset[int]) -> None:
        """What an earlier controller has turned counts as turned here. Raises SwitchError.

        Not what another move has turned that goes the same way.
        """
        buckets = await self._services.buckets.read_first(self._source.group)
        self._shared = shared(buckets, self._destination.id, self._source.id, self._scope)
        self.turned = self._shared & turned

    async def close_source(self) -> None:
        """As `turn` does, where it may not have come to that. Raises MoveError.

        If the source does not answer, whoever watches it closes it.
        """
        known = await self._services.buckets.read(self._source.group)
        others = self._scope - owned(known, self._source.id, self._scope)
        with suppress(SouthboundError):
            await close_buckets(self._source, others, self._services, self._counts)
            self._is_closed = True

    async def give_back(self) -> None:
        """Turns the buckets back. Raises MoveError and SouthboundError.

        The destination takes no new flow any more before it is asked for those it has seen: a
        packet may have been lost on its way to it, and the flow live at the source.
        """
        keeper, group = self._services.buckets, self._source.group
        back = Bucket(self._source.id, self._destination.id)
        async with keeper.turning:
            keeper.check_holder()
            earlier = self._shared - self.turned
            await self._source.southbound.set_no_new_state(False, self._scope - earlier)
            await self._tell_destination(no_new_state=True)
            try:
                await keeper.write(group, dict.fromkeys(self.turned, back))
            except MoveError:
                if shared(await keeper.read(group), *back, self.turned) != self.turned:
                    await self._tell_destination(no_new_state=False)
                    raise

    async def _tell_destination(self, *, no_new_state: bool) -> None:
        """Not for long: it may be why the move is undone."""
        self._services.buckets.check_holder()
        with suppress(SouthboundError, TimeoutError):
            async with asyncio.timeout(_TELL_S):
                await self._destination.southbound.set_no_new_state(no_new_state, self.turned)

    # --- who watches them ---------------------------------------------------------------

    def watch_source(self) -> Drain:
        """A watch over the flows that were left at the source."""
        scope = self._scope if self._is_closed else None
        return self._watch(self._destination, self._source, self._shared, scope)

    def watch_source_anew(self) -> Drain:
        """The same, of a move that was undone but for its buckets."""
        return self._watch(self._destination, self._source, self.turned)

    def watch_destination(self) -> Drain:
        """A watch over the flows that began at the destination, where the buckets are back."""
        return self._watch(self._source, self._destination, self.turned)

    def _watch(
        self,
        owner: Member,
        previous: Member,
        numbers: Collection[int],
        scope: Collection[int] | None = None,
    ) -> Drain:
        return Drain(
            owner,
            previous,
            numbers,
            self._services,
            self._counts,
            scope=scope,
            on_left=self._on_left,
        )
