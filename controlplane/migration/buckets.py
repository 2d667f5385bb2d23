"""Who the hash buckets of a group belong to, and what they become when flows move on."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.migration.peers import Bucket


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
