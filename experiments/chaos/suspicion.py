"""A state that is smaller than it was, or gone: lost, or its connection was over.

A connection's last packets may come when its state has expired already, and begin another
one. Only the load knows, in the end, which connections were over by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nf.southbound.flow import FiveTuple
from testbed.load.record import FlowRecord

_LINGER_S = 2.0
"""How long an instance keeps the state of a connection that is over."""


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """A flow whose state is smaller than before."""

    flow: FiveTuple
    seen_at: float
    """Wall clock, in seconds, when the smaller one was seen."""
    what: str


def confirmed(
    suspicions: Iterable[Suspicion], connections: Iterable[FlowRecord]
) -> Iterator[Suspicion]:
    """Those whose connections were not over long enough for their state to have expired."""
    by_ports: dict[frozenset[int], list[FlowRecord]] = {}
    for connection in connections:
        ports = frozenset((connection.client_port, connection.server_port))
        by_ports.setdefault(ports, []).append(connection)
    for suspicion in suspicions:
        ports = frozenset((suspicion.flow.low_port, suspicion.flow.high_port))
        begun = [each for each in by_ports.get(ports, ()) if each.started <= suspicion.seen_at]
        if not any(0 < each.finished <= suspicion.seen_at - _LINGER_S for each in begun):
            yield suspicion
