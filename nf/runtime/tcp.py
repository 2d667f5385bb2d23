"""TCP connections, as the flags that were seen in each direction tell of them."""

from __future__ import annotations

from enum import Enum

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


class ConnectionState(Enum):
    """How far a connection is."""

    SYN_SENT = "SYN_SENT"
    """Asked for, not answered."""
    SYN_RECEIVED = "SYN_RECEIVED"
    """Answered, not confirmed."""
    ESTABLISHED = "ESTABLISHED"
    CLOSING = "CLOSING"
    """One side has sent all it has."""
    ENDED = "ENDED"
    """Both sides have."""
    RESET = "RESET"


def connection_state(one: int, other: int) -> ConnectionState:
    """The state of a connection from all flags of each direction, in either order.

    A connection whose beginning was not seen is taken for established.
    """
    both = one | other
    if both & RST:
        return ConnectionState.RESET
    if one & other & FIN:
        return ConnectionState.ENDED
    if both & FIN:
        return ConnectionState.CLOSING
    if one & other & SYN:
        # Only who answers a SYN, and who confirms the answer, sets ACK.
        return ConnectionState.ESTABLISHED if one & other & ACK else ConnectionState.SYN_RECEIVED
    if both & SYN and not both & ACK:
        return ConnectionState.SYN_SENT
    return ConnectionState.ESTABLISHED


def has_ended(one: int, other: int) -> bool:
    """Whether the connection is over: a RST, or a FIN both ways."""
    return bool((one | other) & RST or one & other & FIN)
