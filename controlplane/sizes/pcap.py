"""The sizes of the flows in a packet capture.

A flow is bidirectional, as everywhere here: both directions of a five-tuple, counted in bytes
of frames. It is over when TCP has closed both directions or reset the connection, or after a
pause; packets of the same five-tuple after that are another flow's, unless they only finish
what has ended.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from controlplane.sizes.capture_file import (
    LINK_ETHERNET,
    LINK_LINUX_SLL,
    LINK_RAW,
    Frame,
    frames,
)
from controlplane.sizes.distribution import SizesError

PAUSE_S = 10.0
"""A flow that has sent nothing for so long is over."""

_IPV4, _IPV6 = 0x0800, 0x86DD
_VLANS = (0x8100, 0x88A8)
_TCP, _UDP = 6, 17
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10
_FRAGMENT = 0x1FFF  # offset, in the flags of IPv4

_End = bytes
"""Address and port, in network byte order."""


class _Packet(NamedTuple):
    low: _End
    high: _End
    protocol: int
    from_low: bool
    flags: int
    """Of TCP; 0 for others."""


class Captured(NamedTuple):
    """The flows of a capture."""

    ended: npt.NDArray[np.int64]
    """Bytes of those that have ended."""
    live: npt.NDArray[np.int64]
    """Bytes so far of those that go on when the capture ends."""
    flow_s: float
    """Sum of the times from the first packet of a flow to its last."""
    span_s: float
    """From the first packet to the last."""

    def live_flows(self) -> float:
        """How many were under way at a time, on average; 0 where all came at once."""
        return self.flow_s / self.span_s if self.span_s > 0 else 0.0

    def bytes_per_s(self) -> float:
        """Of all flows together; 0 where all came at once."""
        total = int(self.ended.sum()) + int(self.live.sum())
        return total / self.span_s if self.span_s > 0 else 0.0


@dataclass(slots=True)
class _Flow:
    began_s: float
    size: int = 0
    seen_s: float = 0.0
    fin_low: bool = False
    fin_high: bool = False
    reset: bool = False

    @property
    def ended(self) -> bool:
        return self.reset or (self.fin_low and self.fin_high)


def captured_flows(path: Path) -> Captured:
    """The flows in a capture.

    Frames that are not IP are passed over. Raises SizesError and OSError.
    """
    flows: dict[tuple[_End, _End, int], _Flow] = {}
    ended: list[_Flow] = []
    begin_s, now_s = inf, 0.0
    for frame in frames(path):
        packet = _parse(frame)
        if packet is None:
            continue
        begin_s, now_s = min(begin_s, frame.time_s), max(now_s, frame.time_s)
        key = packet.low, packet.high, packet.protocol
        flow = flows.get(key)
        if flow is None or _is_another(flow, packet, frame.time_s):
            if flow is not None:
                ended.append(flow)
            flow = flows[key] = _Flow(frame.time_s)
        flow.size += frame.size
        flow.seen_s = frame.time_s
        flow.reset |= bool(packet.flags & _RST)
        if packet.flags & _FIN:
            flow.fin_low |= packet.from_low
            flow.fin_high |= not packet.from_low
    if not flows:
        raise SizesError(f"{path}: has no IP packet")
    live: list[_Flow] = []
    for flow in flows.values():
        (ended if flow.ended or now_s - flow.seen_s > PAUSE_S else live).append(flow)
    return Captured(
        np.array([flow.size for flow in ended], np.int64),
        np.array([flow.size for flow in live], np.int64),
        sum(max(flow.seen_s - flow.began_s, 0.0) for flow in (*ended, *live)),
        now_s - begin_s,
    )


def _is_another(flow: _Flow, packet: _Packet, time_s: float) -> bool:
    """Whether a packet begins a flow of its own, on the five-tuple of one that is over."""
    if time_s - flow.seen_s > PAUSE_S:
        return True
    return flow.ended and packet.flags & (_SYN | _ACK) == _SYN


def _parse(frame: Frame) -> _Packet | None:
    """The flow of a frame; none if it is no IP, or cut before its ports."""
    data = frame.data
    try:
        match frame.link:
            case _ if frame.link == LINK_ETHERNET:
                kind, offset = struct.unpack_from("!H", data, 12)[0], 14
                while kind in _VLANS:
                    kind, offset = struct.unpack_from("!H", data, offset + 2)[0], offset + 4
            case _ if frame.link == LINK_LINUX_SLL:
                kind, offset = struct.unpack_from("!H", data, 14)[0], 16
            case _ if frame.link in LINK_RAW:
                kind, offset = {4: _IPV4, 6: _IPV6}.get(data[0] >> 4, 0), 0
            case _:
                return None
        if kind == _IPV4:
            return _parse_ipv4(data, offset)
        return _parse_ipv6(data, offset) if kind == _IPV6 else None
    except (struct.error, IndexError):
        return None


def _parse_ipv4(data: bytes, at: int) -> _Packet:
    (fragment,) = struct.unpack_from("!H", data, at + 6)
    one, other = struct.unpack_from("!4s4s", data, at + 12)
    transport = 0 if fragment & _FRAGMENT else at + (data[at] & 0x0F) * 4
    return _transport(data, transport, data[at + 9], one, other)


def _parse_ipv6(data: bytes, at: int) -> _Packet:
    one, other = struct.unpack_from("!16s16s", data, at + 8)
    return _transport(data, at + 40, data[at + 6], one, other)


def _transport(data: bytes, at: int, protocol: int, one: bytes, other: bytes) -> _Packet:
    """`at` is 0 where no ports can be read, as in further fragments."""
    flags = 0
    if at and protocol in (_TCP, _UDP):
        one_port, other_port = struct.unpack_from("!2s2s", data, at)
        one, other = one + one_port, other + other_port
        flags = data[at + 13] if protocol == _TCP else 0
    from_low = one <= other
    low, high = (one, other) if from_low else (other, one)
    return _Packet(low, high, protocol, from_low, flags)
