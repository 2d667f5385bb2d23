"""Who the hash buckets of a group belong to, and what they become when flows move on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from controlplane.migration.errors import MoveError
from controlplane.migration.journal import Journal
from controlplane.migration.peers import Bucket, Switch
from controlplane.switch.errors import SwitchError


class BucketKeeper:
    """The buckets of all groups. Nobody else writes them, so it knows what they are."""

    def __init__(self, switch: Switch, journal: Journal) -> None:
        """Nothing is read yet."""
        self._switch = switch
        self._journal = journal
        self._known: dict[int, Mapping[int, Bucket]] = {}
        self._last: dict[int, Mapping[int, Bucket]] = {}
        self.turns = 0
        """How often buckets have begun or ended to be written, or been closed at an instance."""
        self.turning = asyncio.Lock()
        """Held from reading buckets until what follows from them is written."""
        self.changed = asyncio.Event()
        """Set when buckets are written next; there is another one then."""

    async def read(self, group: int) -> Mapping[int, Bucket]:
        """The buckets of a group, by number. Raises MoveError."""
        known = self._known.get(group)
        if known is None:
            turns = self.turns
            known = await self._switch.read_buckets(group)
            if turns == self.turns:  # else they may have changed since they were read
                self._known[group] = self._last[group] = known
        return known

    async def read_first(self, group: int) -> Mapping[int, Bucket]:
        """The same, where nothing can be gone on with without them. Raises SwitchError."""
        try:
            return await self.read(group)
        except MoveError as error:
            raise SwitchError(str(error), is_unanswered=True) from None

    def last(self, group: int, number: int) -> Bucket | None:
        """A bucket as it was known last, while it is being written too; none if it never was."""
        return self._last.get(group, {}).get(number)

    async def write(self, group: int, buckets: Mapping[int, Bucket]) -> None:
        """Gives buckets of a group to owners. Raises MoveError and JournalError."""
        wanted = {**await self.read(group), **buckets}
        self._journal.turn(group, wanted)
        self._known.pop(group, None)
        self.turns += 1
        try:
            await self._switch.write_buckets(group, buckets)
        except BaseException:
            self._known.pop(group, None)  # nobody knows what they are, whoever read meanwhile
            raise
        finally:
            self.turns += 1
        self._known[group] = self._last[group] = wanted
        self.changed.set()
        self.changed = asyncio.Event()

    def check_holder(self) -> None:
        """Raises JournalError when another controller has taken over."""
        self._journal.flush()


def owned(buckets: Mapping[int, Bucket], instance: int, scope: Collection[int]) -> frozenset[int]:
    """Which of the buckets in the scope an instance owns."""
    return frozenset(number for number in scope if buckets[number].owner == instance)


def alone(buckets: Mapping[int, Bucket], owner: int, scope: Collection[int]) -> frozenset[int]:
    """Which of the buckets in the scope belong to an instance, and to no previous one."""
    return frozenset(number for number in scope if buckets[number] == Bucket(owner))


def share_of(
    buckets: Mapping[int, Bucket], source: int, share: float, scope: frozenset[int]
) -> frozenset[int]:
    """A share of the buckets in the scope that the source owns.

    With all of these go the buckets in the scope that it does not own: it may still have
    flows of them.
    """
    mine = sorted(owned(buckets, source, scope))
    count = round(share * len(mine))
    return scope if mine and count == len(mine) else frozenset(mine[:count])


def shared(
    buckets: Mapping[int, Bucket], owner: int, previous: int, scope: Collection[int]
) -> frozenset[int]:
    """Which of the buckets in the scope have been turned from one instance to another."""
    return frozenset(number for number in scope if buckets[number] == Bucket(owner, previous))


def is_between(bucket: Bucket, one: int, other: int) -> bool:
    """Whether no third instance owns a bucket, or may have flows of it as its previous owner."""
    return bucket.owner in (one, other) and bucket.previous in (0, one, other)


def drained_by_others(
    buckets: Mapping[int, Bucket], source: int, destination: int, scope: Collection[int]
) -> frozenset[int]:
    """Instances that still have flows in the source's buckets, other than the destination.

    A bucket has room for one previous owner: it cannot be turned while it has another.
    """
    return frozenset(
        buckets[number].previous
        for number in owned(buckets, source, scope)
        if buckets[number].previous not in (0, source, destination)
    )
