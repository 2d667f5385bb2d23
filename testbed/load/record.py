"""What a load has seen: one record a flow, one a UDP witness."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

ERRORS = ("refused", "reset", "timeout", "corrupt")
"""How a flow can fail. The others are `done`, or `cut` by the end of the load."""


@dataclass(slots=True)
class FlowRecord:
    """One TCP connection, as its client saw it. Times are of the wall clock, in seconds."""

    number: int
    size: int
    reverse: bool
    client_port: int = 0
    server_port: int = 0
    started: float = 0.0
    """When the connection was asked for."""
    connected: float = 0.0
    finished: float = 0.0
    """When the last byte was known to have arrived, intact or not; 0 if it was not."""
    received: int = 0
    """Bytes of payload that reached the receiver."""
    outcome: str = "open"
    """`open` while it lasts; then `done`, `cut` or one of ERRORS."""

    @property
    def completion_s(self) -> float:
        """From asking for the connection to the receiver's last acknowledgement."""
        return self.finished - self.started


@dataclass(slots=True)
class WitnessRecord:
    """A UDP flow of numbered datagrams that the server sends back."""

    client_port: int
    server_port: int
    sent: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0


@dataclass(slots=True)
class LoadRecord:
    """All that the client of a load has seen."""

    started: float = 0.0
    flows: list[FlowRecord] = field(default_factory=list)
    witnesses: list[WitnessRecord] = field(default_factory=list)

    def count(self, *outcomes: str) -> int:
        """How many flows ended in one of these ways."""
        return sum(flow.outcome in outcomes for flow in self.flows)

    def write(self, path: Path) -> None:
        """Writes the record as JSON."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> LoadRecord:
        """Reads what `write` wrote."""
        data = json.loads(path.read_text())
        return cls(
            data["started"],
            [FlowRecord(**flow) for flow in data["flows"]],
            [WitnessRecord(**witness) for witness in data["witnesses"]],
        )
