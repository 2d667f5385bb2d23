"""Says in the log when the switch has lost packets that it should have forwarded."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from bmv2.embedded.library import FateCounts, PortCounts

_log = logging.getLogger(__name__)

_AT_A_PORT = {
    "ring_full": "its ring was full, the switch does not get enough of the processor",
    "send_errors": "its interface did not take them",
}
_ELSEWHERE = {
    "to_cpu_full": "packets for the controller were lost, it does not read them fast enough",
    "digests_full": "digests were lost, the controller does not read them fast enough",
}


class LossLog:
    """Warns of what has been lost since it was told before."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def tell(self, ports: Mapping[int, PortCounts], elsewhere: FateCounts) -> None:
        """Writes a line for each kind of loss whose count has grown."""
        for what, count in _losses(ports, elsewhere):
            new = count - self._known.get(what, 0)
            self._known[what] = count
            if new:
                _log.warning("%s: %d", what, new)


def _losses(ports: Mapping[int, PortCounts], elsewhere: FateCounts) -> Iterator[tuple[str, int]]:
    for number, counts in ports.items():
        for name, what in _AT_A_PORT.items():
            yield f"packets were lost at port {number}, {what}", getattr(counts, name)
    for name, what in _ELSEWHERE.items():
        yield what, getattr(elsewhere, name)
