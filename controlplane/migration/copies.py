"""Copies of state that may be left at an instance that did not say it has deleted them."""

from __future__ import annotations

from collections import OrderedDict

from nf.southbound.flow import FiveTuple

_MOST = 1 << 16
_LIFETIME_S = 60.0  # an instance's default for a state without packets, and a copy gets none


class LeftCopies:
    """Which flows may have a copy where; in seconds of a monotonic clock.

    A copy is to be deleted before its instance takes part in a move again: a state that is
    put on it would be counted twice, and whoever lists it would take the flow for its own.
    """

    def __init__(self) -> None:
        """None is left."""
        self._since_s: OrderedDict[tuple[int, FiveTuple], float] = OrderedDict()

    def add(self, instance: int, flow: FiveTuple, now_s: float) -> None:
        """An instance may have kept a copy of a flow."""
        self._since_s[instance, flow] = now_s
        self._since_s.move_to_end((instance, flow))
        if len(self._since_s) > _MOST:
            self._since_s.popitem(last=False)

    def discard(self, instance: int, flow: FiveTuple) -> None:
        """It has deleted it."""
        self._since_s.pop((instance, flow), None)

    def take(self, instance: int, now_s: float) -> list[FiveTuple]:
        """The flows with a copy at an instance, each once: whoever takes them deletes them."""
        mine = [key for key in self._since_s if key[0] == instance]
        since_s = [self._since_s.pop(key) for key in mine]
        return [
            flow
            for (_, flow), added_s in zip(mine, since_s, strict=True)
            if now_s - added_s <= _LIFETIME_S
        ]
