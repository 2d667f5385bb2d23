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
        on_left: Callable[[], None],
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

    async def turn(self) -> None:
        """New flows go to the destination. Raises MoveError and SouthboundError.

        The source takes none any more, once it has read what was steered to it before.
        """
        async with self._services.buckets.turning:
            try:
                await self._turn()
            except BaseException:
                self._services.intake.doubt(self._source, self._destination)
                raise

    async def _turn(self) -> None:
        counts, keeper, group = self._counts, self._services.buckets, self._source.group
        turned = Bucket(self._destination.id, self._source.id)
        known = await keeper.read(group)
        mine = owned(known, self._source.id, self._scope)
        if mine:
            counts.southbound_calls += 1
            self._services.journal.turn_for(self._move, mine)
            keeper.check_holder()
            await self._destination.southbound.set_no_new_state(False, mine)
            self.turned = mine
            await self._close_returned(known, mine)
            counts.writes += 1
            counts.updates += len(mine)
            await keeper.write(group, dict.fromkeys(mine, turned))
        self._shared = shared(await keeper.read(group), *turned, self._scope)
        self._need_source_closed()
        await close_buckets(self._source, self._scope, self._services, counts)

    def _need_source_closed(self) -> None:
        self._services.intake.need_closed(self, self._source, self._scope)

    async def _close_returned(self, known: Mapping[int, Bucket], mine: Collection[int]) -> None:
        """Where the destination still has flows, the source takes none before it is turned.

        Its own have begun there since. One of the destination's that the switch takes for one
        of these, by mistake, would begin here too.
        """
        returned = [number for number in mine if known[number].previous == self._destination.id]
        if returned:
            self._counts.southbound_calls += 1
            self._services.buckets.check_holder()
            await self._source.southbound.set_no_new_state(True, returned)

    def take_over(self) -> None:
        """An earlier controller has begun to turn them. `finish` is to follow."""
        self._need_source_closed()

    async def finish(self, turned: frozenset[int]) -> None:
        """What an earlier controller has turned counts as turned here. Raises SwitchError.

        Not what another move has turned that goes the same way. The source is closed, if it
        answers; whoever watches it waits until it has read what it was sent before.
        """
        buckets = await self._services.buckets.read_first(self._source.group)
        self._shared = shared(buckets, self._destination.id, self._source.id, self._scope)
        self.turned = self._shared & turned
        async with self._services.buckets.turning:
            for instance in (self._destination, self._source):
                with suppress(MoveError, SouthboundError):
                    await self._services.intake.settle(instance)

    def let_go(self) -> None:
        """It does not need the source closed any more."""
        self._services.intake.release(self)

    async def give_back(self) -> None:
        """Turns the buckets back. Raises MoveError and SouthboundError.

        The destination takes no new flow any more before it is asked for those it has seen: a
        packet may have been lost on its way to it, and the flow live at the source.
        """
        keeper, group = self._services.buckets, self._source.group
        back = Bucket(self._source.id, self._destination.id)
        async with keeper.turning:
            try:
                keeper.check_holder()
                await self._source.southbound.set_no_new_state(False, self.turned)
                await self._close_destination()
                await keeper.write(group, dict.fromkeys(self.turned, back))
            except MoveError:
                if shared(await keeper.read(group), *back, self.turned) != self.turned:
                    raise
            finally:
                self._services.intake.doubt(self._source, self._destination)

    async def _close_destination(self) -> None:
        """It is not waited for long: it may be why the move is undone."""
        self._services.buckets.check_holder()
        with suppress(SouthboundError, TimeoutError):
            async with asyncio.timeout(_TELL_S):
                await self._destination.southbound.set_no_new_state(True, self.turned)

    # --- who watches them ---------------------------------------------------------------

    def watch_source(self) -> Drain:
        """A watch over the flows that were left at the source."""
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
