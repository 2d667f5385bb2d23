"""Frames for the tests of network functions, made with struct, and a port."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from nf.southbound.flow import FiveTuple

CLIENT, SERVER = 0x0A00010A, 0x0A00020A
FLOW = FiveTuple(CLIENT, SERVER, 40000, 80, 6)

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

# MSS 1460, SACK permitted, timestamps, no-op, window scale: a Linux SYN.
LINUX_OPTIONS = bytes.fromhex("020405b40402080a00000001000000000103030a")[:20]
# MSS 1460, no-op, window scale, no-op, no-op, SACK permitted: a Windows SYN.
WINDOWS_OPTIONS = bytes.fromhex("020405b40103030801010402")


def ipv4(
    source: int,
    target: int,
    protocol: int,
    payload: bytes,
    *,
    ttl: int = 64,
    dont_fragment: bool = True,
) -> bytearray:
    """An Ethernet frame with an IPv4 packet."""
    header = struct.pack(
        "!BBHHHBBHII",
        *(0x45, 0, 20 + len(payload), 0, 0x4000 if dont_fragment else 0),
        *(ttl, protocol, 0, source, target),
    )
    return bytearray(b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + header + payload)


def tcp(
    flags: int,
    payload: bytes = b"",
    *,
    flow: FiveTuple = FLOW,
    from_low: bool = True,
    ttl: int = 64,
    window: int = 64240,
    options: bytes = b"",
) -> bytearray:
    """A TCP segment of a flow."""
    source, target, source_port, target_port = (
        flow[:4] if from_low else (flow[1], flow[0], flow[3], flow[2])
    )
    offset = (20 + len(options)) // 4 << 4
    header = struct.pack("!HHIIBBHHH", source_port, target_port, 1, 1, offset, flags, window, 0, 0)
    return ipv4(source, target, 6, header + options + payload, ttl=ttl)


def udp(payload: bytes, *, flow: FiveTuple, from_low: bool = True) -> bytearray:
    """A datagram of a flow."""
    source, target, source_port, target_port = (
        flow[:4] if from_low else (flow[1], flow[0], flow[3], flow[2])
    )
    header = struct.pack("!HHHH", source_port, target_port, 8 + len(payload), 0)
    return ipv4(source, target, 17, header + payload)


class SilentPort:
    """A port that nothing comes in by."""

    interface = "none"
    unsent = 4

    def fileno(self) -> int:
        return -1

    def read(self, limit: int) -> Iterator[memoryview]:
        return iter(())

    def transmit(self, frame: memoryview | bytes) -> bool:
        return True

    def read_drops(self) -> int:
        return 3

    def take_error(self) -> int:
        return 0
