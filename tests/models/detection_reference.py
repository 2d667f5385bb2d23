"""Elephants told exactly: no table, no hashes, no arrays, no floating point."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fit_model import ACK, FIN, RST, SYN, Packet

from nf.southbound.flow import FiveTuple


@dataclass
class Known:
    """What is known of an active flow."""

    size: int = 0
    time_us: int = 0
    instance: int = 0
    closed_by_low: bool = False
    closed_by_high: bool = False
    reset: bool = False

    @property
    def ended(self) -> bool:
        return self.reset or (self.closed_by_low and self.closed_by_high)

    @property
    def closes(self) -> bool:
        return self.reset or self.closed_by_low or self.closed_by_high


def active(packets: Iterable[Packet], window_us: int) -> dict[FiveTuple, Known]:
    """The flows that are active when the last packet has come."""
    flows: dict[FiveTuple, Known] = {}
    now_us = 0
    for packet in packets:
        now_us = packet.time_us
        known = flows.get(packet.flow, Known())
        if now_us - known.time_us > window_us:
            known = Known()
        is_tcp = packet.flow.protocol == 6
        if is_tcp and packet.flags & (SYN | ACK) == SYN and known.closes:
            known = Known(instance=known.instance)
        if is_tcp and packet.flags & RST:
            known.reset = True
        elif is_tcp and packet.flags & FIN:
            known.closed_by_low |= packet.from_low
            known.closed_by_high |= not packet.from_low
        known.size += packet.size
        known.time_us = now_us
        known.instance = packet.instance or known.instance
        flows[packet.flow] = known
    return {flow: known for flow, known in flows.items() if now_us - known.time_us <= window_us}


def check_elephants(
    found: Sequence[FiveTuple],
    flows: dict[FiveTuple, Known],
    instance: int | None,
    rho: Fraction,
) -> None:
    """What was found are the largest live flows that together reach the share `rho`.

    Of equal flows, any.
    """
    sizes = {
        flow: known.size
        for flow, known in flows.items()
        if not known.ended and instance in (None, known.instance)
    }
    largest = sorted(sizes.values(), reverse=True)
    count = 0
    while sum(largest[:count]) < rho * sum(largest):
        count += 1
    assert len(set(found)) == count
    assert [sizes[flow] for flow in found] == largest[:count]
