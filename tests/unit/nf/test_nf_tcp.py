"""Connection states: rows of (flags of each direction, state). Run: pytest FILE"""

from __future__ import annotations

import pytest

from nf.runtime.tcp import ACK, FIN, RST, SYN, connection_state, has_ended

ROWS = [
    (SYN, 0, "SYN_SENT", False),
    (SYN, SYN | ACK, "SYN_RECEIVED", False),
    (SYN | ACK, SYN | ACK, "ESTABLISHED", False),
    (ACK, 0, "ESTABLISHED", False),  # joined in the middle
    (ACK, ACK, "ESTABLISHED", False),
    (SYN | ACK | FIN, SYN | ACK, "CLOSING", False),
    (FIN | ACK, 0, "CLOSING", False),
    (SYN | ACK | FIN, SYN | ACK | FIN, "ENDED", True),
    (SYN, RST | ACK, "RESET", True),
    (SYN | ACK | FIN, SYN | ACK | FIN | RST, "RESET", True),
]


@pytest.mark.parametrize(("one", "other", "state", "ended"), ROWS)
def test_the_state_of_a_connection(one: int, other: int, state: str, ended: bool) -> None:
    assert connection_state(one, other).value == state
    assert connection_state(other, one).value == state
    assert has_ended(one, other) == has_ended(other, one) == ended
