"""A counter's value as P4Runtime has it."""

from __future__ import annotations

from finsy.proto import p4r

_MOST = (1 << 63) - 1


def counter_data(packets: int, byte_count: int) -> p4r.CounterData:
    """The data plane counts with 64 bits, the message with a sign: beyond it, the most it holds."""
    return p4r.CounterData(
        packet_count=min(packets, _MOST),
        byte_count=min(byte_count, _MOST),
    )
