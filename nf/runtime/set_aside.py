"""Packets that wait in an instance, flow by flow, until it has the flow's state.

What cannot wait, because there is no room, is not to be lost: the caller sends it on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nf.southbound.flow import FiveTuple

_SECOND_US = 1_000_000


@dataclass(frozen=True, kw_only=True)
class SetAsideOptions:
    """How much waits, and for how long."""

    max_bytes: int = 64 << 20
    """Of all frames together."""

    timeout_s: float = 30.0
    """After so long a flow is taken for forgotten by its controller."""


@dataclass(slots=True)
class _Waiting:
    since_us: int
    frames: list[bytes] = field(default_factory=list[bytes])


class SetAside:
    """The flows whose packets are set aside, and the packets. Times are in microseconds."""

    def __init__(self, options: SetAsideOptions) -> None:
        """Nothing is set aside yet."""
        self._options = options
        self._flows: dict[tuple[int, int, int, int, int], _Waiting] = {}
        self._bytes = 0
        self.waiting = 0
        """Packets that wait now."""
        self.count = 0
        """Packets that have waited, or do."""
        self.refused = 0
        """Packets for which there was no room."""

    def __bool__(self) -> bool:
        return bool(self._flows)

    def __contains__(self, key: tuple[int, int, int, int, int]) -> bool:
        """Whether a flow's packets are set aside."""
        return key in self._flows

    def begin(self, flows: Iterable[FiveTuple], now_us: int) -> None:
        """Sets packets of these flows aside from now on, or goes on with it."""
        for flow in flows:
            self._flows.setdefault(flow, _Waiting(now_us)).since_us = now_us

    def add(self, key: tuple[int, int, int, int, int], frame: memoryview) -> bool:
        """Sets a frame aside; False, and counted, if there is no room for it."""
        if self._bytes + len(frame) > self._options.max_bytes:
            self.refused += 1
            return False
        self._flows[key].frames.append(bytes(frame))
        self._bytes += len(frame)
        self.waiting += 1
        self.count += 1
        return True

    def take(self, flow: FiveTuple) -> list[bytes]:
        """The flow's frames in order; it is set aside no more."""
        entry = self._flows.pop(flow, None)
        if entry is None:
            return []
        self._bytes -= sum(map(len, entry.frames))
        self.waiting -= len(entry.frames)
        return entry.frames

    def forgotten(self, now_us: int) -> list[FiveTuple]:
        """The flows that have been set aside for too long."""
        latest_us = now_us - round(self._options.timeout_s * _SECOND_US)
        return [FiveTuple(*key) for key, entry in self._flows.items() if entry.since_us < latest_us]
