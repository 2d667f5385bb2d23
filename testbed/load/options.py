"""What both ends of a load agree on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from controlplane.sizes.builtin import WEB_SEARCH
from testbed.workload import Workload

SERVER_PORTS = (80, 443, 22, 25, 3306, 5432, 6379, 8080)
ECHO_PORT = 7
_LIGHT = {"simple_switch": 100.0}  # new flows a second that do not overload BMv2


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """The load; the defaults are those of the demo."""

    seed: int = 1
    """Seed of payloads, sizes and arrivals."""

    scale: float = 0.015
    """Factor on the sizes of the web-search distribution."""

    rate_per_s: float = 400.0
    """New flows a second."""

    chunk: int = 1000
    """Bytes of payload that a flow sends in one turn: one packet."""

    interval_s: float = 0.06
    """Time between two turns of a flow; well within the activity window."""

    patience_s: float = 10.0
    """A flow without progress for so long has failed."""

    grace_s: float = 5.0
    """How long flows that are open at the end may take to end."""

    witnesses: int = 8
    """UDP flows of numbered datagrams beside the TCP flows."""

    witness_interval_s: float = 0.05
    """Time between two datagrams of a witness."""

    @classmethod
    def for_target(cls, target: str, **chosen: Any) -> Self:
        """The defaults for a switch target, but for what is chosen."""
        if target in _LIGHT:
            chosen.setdefault("rate_per_s", _LIGHT[target])
        return cls(**chosen)

    def workload(self) -> Workload:
        """The flows of the load."""
        return Workload(
            seed=self.seed, rate_per_s=self.rate_per_s, sizes=WEB_SEARCH.scaled(self.scale)
        )

    def arguments(self) -> list[str]:
        """The options as command-line arguments."""
        return [
            argument
            for name, value in vars(self).items()
            for argument in (f"--{name.replace('_', '-')}", str(value))
        ]
