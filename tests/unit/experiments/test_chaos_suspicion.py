"""What the fault runs take for a lost state, or for one too many.

Run: pytest tests/unit/experiments/test_chaos_suspicion.py
"""

from __future__ import annotations

import pytest

from experiments.chaos.suspicion import Doubt, Outage, Suspicion, confirmed
from nf.southbound.flow import FiveTuple
from testbed.load.record import FlowRecord

CLIENT, SERVER = 40_000, 443
FLOW = FiveTuple(1, 2, CLIENT, SERVER, 6)
SEEN = Suspicion(doubt=Doubt.SHRUNK, flow=FLOW, seen_at=100.0, what="had 5 packets, has 2")
TWICE = Suspicion(doubt=Doubt.DOUBLED, flow=FLOW, seen_at=100.0, what="at both")
OUTAGES = (Outage(60.0, 61.0), Outage(95.0, 95.5))


def connection(started: float, finished: float, port: int = CLIENT) -> FlowRecord:
    return FlowRecord(
        number=0,
        size=1,
        reverse=False,
        client_port=port,
        server_port=SERVER,
        started=started,
        finished=finished,
    )


@pytest.mark.parametrize(
    ("case", "connections", "is_lost"),
    [
        ("it goes on", [connection(90, 0)], True),
        ("it ended afterwards", [connection(90, 101)], True),
        ("it has just ended", [connection(90, 99)], True),
        ("it had ended", [connection(90, 97)], False),
        ("another had ended", [connection(90, 97, 40_001)], True),
        ("its port was used again", [connection(80, 90), connection(99, 0)], False),
        ("the load knows nothing of it", [], True),
    ],
)
def test_a_smaller_state_is_lost_unless_its_connection_was_over(
    case: str, connections: list[FlowRecord], is_lost: bool
) -> None:
    assert list(confirmed([SEEN], connections)) == ([SEEN] if is_lost else []), case


@pytest.mark.parametrize(
    ("case", "connections", "is_wrong"),
    [
        ("it began before", [connection(94, 0)], True),
        ("it began meanwhile", [connection(95.2, 0)], False),
        ("its port was used for one that did", [connection(60.5, 90), connection(97, 0)], False),
        ("another did", [connection(95.2, 0, 40_001)], True),
        ("it began afterwards", [connection(96, 0)], True),
        ("the load knows nothing of it", [], True),
    ],
)
def test_a_second_state_is_wrong_unless_the_first_packets_were_lost_with_an_instance(
    case: str, connections: list[FlowRecord], is_wrong: bool
) -> None:
    assert list(confirmed([TWICE], connections, OUTAGES)) == ([TWICE] if is_wrong else []), case
