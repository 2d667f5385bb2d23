"""Who the hash buckets of a group belong to, and what they become when flows move on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from controlplane.migration.journal import Journal
from controlplane.migration.peers import Bucket, Switch


class BucketKeeper:
    """The buckets of all groups. Nobody else writes them, so it knows what they are."""

    def __init__(self, switch: Switch, journal: Journal) -> None:
        """Nothing is read yet."""
        self._switch = switch
        self._journal = journal
        self._known: dict[int, Mapping[int, Bucket]] = {}
        self.turning = asyncio.Lock()
        """Held from reading buckets until what follows from them is written."""

    async def read(self, group: int) -> Mapping[int, Bucket]:
        """The buckets of a group, by number. Raises MoveError."""
        if group not in self._known:
            self._known[group] = await self._switch.read_buckets(group)
        return self._known[group]

    async def write(self, group: int, buckets: Mapping[int, Bucket]) -> None:
        """Gives buckets of a group to owners. Raises MoveError."""
        wanted = {**await self.read(group), **buckets}
        self._journal.turn(group, wanted)
        del self._known[group]  # if this fails, nobody knows
        await self._switch.write_buckets(group, buckets)
        self._known[group] = wanted


def turned(buckets: Mapping[int, Bucket], source: int, destination: int) -> dict[int, Bucket]:
    """The buckets of the source as they are when new flows go to the destination.

    Flows that the source has seen stay there.
    """
    return {
        number: Bucket(destination, source)
        for number, bucket in buckets.items()
        if bucket.owner == source
    }


def drained(buckets: Mapping[int, Bucket], source: int, destination: int) -> dict[int, Bucket]:
    """The buckets turned from source to destination as they are when the source is empty."""
    return {
        number: Bucket(destination)
        for number, bucket in buckets.items()
        if bucket == Bucket(destination, source)
    }


def drained_by_others(
    buckets: Mapping[int, Bucket], source: int, destination: int
) -> frozenset[int]:
    """Instances that still have flows in the source's buckets, other than the destination.

    A bucket has room for one previous owner: it cannot be turned while it has another.
    """
    return frozenset(
        bucket.previous
        for bucket in buckets.values()
        if bucket.owner == source and bucket.previous not in (0, source, destination)
    )
