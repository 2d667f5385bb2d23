"""What looks wrong after a round, until the load tells what had become of the connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from nf.southbound.flow import FiveTuple
from testbed.load.record import FlowRecord

_LINGER_S = 2.0
"""How long an instance keeps the state of a connection that is over."""


class Doubt(StrEnum):
    """What looks wrong with a flow."""

    SHRUNK = "shrunk"
    """Its state is smaller than it was, or gone.

    A connection's last packets may come when its state has expired already, and begin another
    one.
    """
    DOUBLED = "doubled"
    """It has a state at both instances.

    The first packets of a connection may be lost with an instance. The switch remembers that
    this one has seen the flow, and sends it there when the traffic is moved.
    """


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """A flow that looks wrong."""

    doubt: Doubt
    flow: FiveTuple
    seen_at: float
    """Wall clock, in seconds."""
    what: str


@dataclass(frozen=True)
class Outage:
    """From when until when an instance was not there; wall clock, in seconds."""

    begin: float
    end: float

    def includes(self, at: float) -> bool:
        """Whether a packet that was sent then may have been lost with the instance."""
        return self.begin <= at <= self.end


def confirmed(
    suspicions: Iterable[Suspicion],
    connections: Iterable[FlowRecord],
    outages: Sequence[Outage] = (),
) -> Iterator[Suspicion]:
    """Those that what the load knows of the connection does not explain."""
    by_ports: dict[frozenset[int], list[FlowRecord]] = {}
    for connection in connections:
        ports = frozenset((connection.client_port, connection.server_port))
        by_ports.setdefault(ports, []).append(connection)
    for suspicion in suspicions:
        ports = frozenset((suspicion.flow.low_port, suspicion.flow.high_port))
        begun = [each for each in by_ports.get(ports, ()) if each.started <= suspicion.seen_at]
        match suspicion.doubt:
            case Doubt.SHRUNK:
                over_at = suspicion.seen_at - _LINGER_S
                is_explained = any(0 < each.finished <= over_at for each in begun)
            case Doubt.DOUBLED:
                is_explained = any(
                    outage.includes(each.started) for each in begun for outage in outages
                )
        if not is_explained:
            yield suspicion
