"""When the mice will be gone, from how fast they have been going."""

from __future__ import annotations

from math import log

_LEAST_S = 1.0  # of watching, before anything is said
_LONGEST_PAUSE = 5  # of the mean time between two ends: then those that are left are no such flows


class Forecast:
    """Flows that end one by one, each as likely as any other in any second."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last: tuple[float, int] | None = None
        self._ended_s = 0.0
        """When one was gone last."""

    def observe(self, now_s: float, left: int) -> None:
        """So many are left now."""
        if self._first is None or left > self._first[1]:
            self._first = now_s, left
        if self._last is None or left < self._last[1]:
            self._ended_s = now_s
        self._last = now_s, left

    def gone_in_s(self) -> float | None:
        """Seconds until less than half of one is left; none if that is not known yet."""
        if self._first is None or self._last is None:
            return None
        (began_s, first), (now_s, left) = self._first, self._last
        if left == 0:
            return 0.0
        if left >= first or now_s - began_s < _LEAST_S:
            return None
        per_s = log(first / left) / max(self._ended_s - began_s, _LEAST_S)
        if now_s - self._ended_s > max(_LONGEST_PAUSE / (per_s * left), _LEAST_S):
            return None
        return log(2 * left) / per_s
