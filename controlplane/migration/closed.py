"""In which buckets instances are to take no new flows, and who relies on it.

Several watches may rely on the same bucket of the same instance. Who needs it no longer opens
what nobody else needs closed.
"""

from __future__ import annotations

from collections.abc import Collection


class ClosedBuckets:
    """What is relied on now."""

    def __init__(self) -> None:
        self._by_holder: dict[object, tuple[int, frozenset[int]]] = {}

    def rely(self, holder: object, instance: int, buckets: Collection[int]) -> None:
        """A holder needs an instance to take no new flows in these buckets, and no others."""
        self._by_holder[holder] = instance, frozenset(buckets)

    def release(self, holder: object) -> None:
        """A holder needs nothing any more."""
        self._by_holder.pop(holder, None)

    def relied_on(self, instance: int) -> frozenset[int]:
        """The buckets in which somebody needs an instance to take no new flows."""
        return frozenset().union(
            *(buckets for number, buckets in self._by_holder.values() if number == instance)
        )
