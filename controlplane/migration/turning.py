"""The buckets of one move: they are turned to the destination, and back if it is undone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
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
            known = await keeper.read(group)
            mine = owned(known, self._source.id, self._scope)
            if mine:
                counts.southbound_calls += 1
                self._services.journal.turn_for(self._move, mine)
                await self._destination.southbound.set_no_new_state(False, mine)
                self.turned = mine
                await self._close_returned(known, mine)
                counts.writes += 1
                counts.updates += len(mine)
                await keeper.write(group, dict.fromkeys(mine, turned))
            self._shared = shared(await keeper.read(group), *turned, self._scope)
            self._services.closed.rely(self, self._source.id, self._scope)
            await close_buckets(self._source, self._scope, self._services, counts)
            self._is_closed = True

    async def _close_returned(self, known: Mapping[int, Bucket], mine: Collection[int]) -> None:
        """Where the destination still has flows, the source takes none before it is turned.

        Its own have begun there since. One of the destination's that the switch takes for one
        of these, by mistake, would begin here too.
        """
        returned = [number for number in mine if known[number].previous == self._destination.id]
        if returned:
            self._counts.southbound_calls += 1
            await self._source.southbound.set_no_new_state(True, returned)

    async def take_over(self, turned: frozenset[int]) -> None:
        """What an earlier controller has turned counts as turned here. Raises SwitchError.

        Not what another move has turned that goes the same way.
        """
        buckets = await self._services.buckets.read_first(self._source.group)
        self._shared = shared(buckets, self._destination.id, self._source.id, self._scope)
        self.turned = self._shared & turned

    async def close_source(self) -> None:
        """As `turn` does, where it may not have come to that. Raises MoveError.

        The destination may have been closed already, to give the buckets back. If one of them
        does not answer, whoever watches them does it.
        """
        keeper = self._services.buckets
        async with keeper.turning:
            known = await keeper.read(self._source.group)
            others = self._scope - owned(known, self._source.id, self._scope)
            mine = owned(known, self._destination.id, self._scope)
            with suppress(SouthboundError):
                await self._destination.southbound.set_no_new_state(False, mine)
                await close_buckets(self._source, others, self._services, self._counts)
                self._services.closed.rely(self, self._source.id, self._scope)
                self._is_closed = True

    def let_go(self) -> None:
        """It does not need the source closed any more."""
        self._services.closed.release(self)

    async def give_back(self) -> None:
        """Turns the buckets back. Raises MoveError and SouthboundError.

        The destination takes no new flow any more before it is asked for those it has seen: a
        packet may have been lost on its way to it, and the flow live at the source.
        """
        keeper, group = self._services.buckets, self._source.group
        back = Bucket(self._source.id, self._destination.id)
        async with keeper.turning:
            keeper.check_holder()
            needed = self._services.closed.relied_on(self._source.id) | self._shared
            opened = self.turned | (self._scope - needed)
            await self._source.southbound.set_no_new_state(False, opened)
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
        if not self._is_closed:
            return self._watch(self._destination, self._source, self._shared)
        number = self._services.journal.watch(self._destination.id, self._source.id, self._scope)
        return self._watch(self._destination, self._source, self._shared, self._scope, number)

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
        number: int | None = None,
    ) -> Drain:
        drain = Drain(
            owner,
            previous,
            numbers,
            self._services,
            self._counts,
            scope=scope,
            watch=number,
            on_left=self._on_left,
        )
        self.let_go()
        return drain
