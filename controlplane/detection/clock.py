"""What the switch's clock shows, as far as can be told from outside."""

from __future__ import annotations

_DRIFT = 200e-6  # by which two clocks may differ in speed; oscillators are better than that


class SwitchClock:
    """Estimates the switch's clock: microseconds since it started.

    Nothing reads that clock, but it is at least at the time of the newest packet. As
    packets are seen the estimate comes close from below, and it goes on with ours when
    none come: flows are no longer active then. Before the first packets are seen nothing
    is known but the newest of them.

    Packets that have waited in front of an overloaded switch bear the time of their
    arrival, so the newest may be late although packets keep coming. Who sees them come
    says so with `restart`: a flow is not to be taken for idle too early.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._ahead_us: float | None = None
        self._at_us = 0.0

    def observe(self, newest_us: int, at_us: float) -> int:
        """The switch's time when ours is `at_us`, by which the newest packet was read."""
        ahead_us = newest_us - at_us
        if self._ahead_us is not None:
            slipped_us = (at_us - self._at_us) * _DRIFT
            ahead_us = max(ahead_us, self._ahead_us - slipped_us)
        self._ahead_us = ahead_us
        self._at_us = at_us
        return max(newest_us, int(at_us + ahead_us))

    def restart(self, newest_us: int, at_us: float) -> int:
        """The same, of a switch whose newest packet is late: nothing else is known any more."""
        self._ahead_us = None
        return self.observe(newest_us, at_us)
