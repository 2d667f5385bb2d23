"""Which hash buckets each instance takes new flows of.

    closed(i) = (turned away from i and not drained  ∪  needed by a move or a watch)  −  owned by i

It is open in all others. Whoever changes one of the three tells the instance, or says that it
is in doubt. Each instance is also looked at every two seconds: one that was hung, was started anew
or was left behind by an earlier controller is set right.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress

from controlplane.migration.buckets import BucketKeeper, owned
from controlplane.migration.errors import MoveError
from controlplane.migration.peers import Bucket, Member
from nf.southbound.client import SouthboundError

_ANSWER_S = 0.5
"""How long an instance may take to be set right: the buckets cannot be turned meanwhile."""
_LOOK_S = 2.0
"""How often each is looked at."""


class Intake:
    """Opens and closes the buckets of instances."""

    def __init__(self, buckets: BucketKeeper) -> None:
        """Nobody needs any bucket closed, and what instances have closed is not known."""
        self._buckets = buckets
        self._needs: dict[object, tuple[Member, frozenset[int]]] = {}
        self._doubts: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)

    def need_closed(self, claimant: object, instance: Member, buckets: Collection[int]) -> None:
        """A claimant needs an instance to take no new flows of these buckets, and no others.

        It is told by `settle`.
        """
        self._needs[claimant] = instance, frozenset(buckets)

    def release(self, claimant: object) -> None:
        """A claimant needs nothing any more: what nobody else needs closed is opened soon."""
        instance, _ = self._needs.pop(claimant, (None, None))
        if instance is not None:
            self.doubt(instance)

    def doubt(self, *instances: Member) -> None:
        """What these have closed may be wrong: they are looked at soon."""
        for instance in instances:
            self._doubts[instance.id].set()

    def _closed(self, instance: Member, known: Mapping[int, Bucket]) -> frozenset[int]:
        away = (number for number, bucket in known.items() if bucket.previous == instance.id)
        needed = (buckets for who, buckets in self._needs.values() if who is instance)
        return frozenset(away).union(*needed) - owned(known, instance.id, known)

    async def settle(self, instance: Member) -> None:
        """Has an instance closed what it is to have closed, and nothing else, from now on.

        `turning` of the buckets is to be held: a word that came late would close what has been
        turned to it. Raises MoveError and SouthboundError; then it is tried again. Raises
        JournalError when another controller has taken over.
        """
        try:
            await self._settle(instance)
        except BaseException:
            self.doubt(instance)
            raise

    async def _settle(self, instance: Member) -> None:
        known = await self._buckets.read(instance.group)
        wanted = self._closed(instance, known)
        try:
            async with asyncio.timeout(_ANSWER_S):
                has = frozenset((await instance.southbound.get_info()).closed_buckets)
                if wanted - has:
                    self._buckets.check_holder()
                    try:
                        await instance.southbound.set_no_new_state(True, wanted - has)
                    finally:
                        self._buckets.turns += 1  # until now flows of them could begin there
                if has - wanted:
                    self._buckets.check_holder()
                    await instance.southbound.set_no_new_state(False, has - wanted)
        except TimeoutError:
            raise SouthboundError(instance.name, "did not answer in time", down=True) from None

    async def keep(self, instance: Member) -> None:
        """Sets an instance right whenever that may be needed, until cancelled.

        Raises JournalError when another controller has taken over.
        """
        doubt = self._doubts[instance.id]
        while True:
            doubt.clear()
            try:
                await instance.southbound.get_info()  # else it would hold up who turns buckets
                async with self._buckets.turning:
                    await self._settle(instance)
            except (MoveError, SouthboundError):
                pass  # it is asked again
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await doubt.wait()
