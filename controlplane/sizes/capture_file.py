"""The frames in a packet capture: pcap (as libpcap writes it) and pcapng."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from controlplane.sizes.distribution import SizesError

LINK_ETHERNET = 1
LINK_RAW = (12, 101, 228, 229)  # as Linux has it; IP, IPv4, IPv6 as registered
LINK_LINUX_SLL = 113

_PCAP_TICKS = {0xA1B2C3D4: 10**6, 0xA1B23C4D: 10**9}  # magic number: fractions of a second
_PCAPNG_SECTION = 0x0A0D0D0A
_PCAPNG_INTERFACE = 1
_PCAPNG_SIMPLE = 3
_PCAPNG_PACKET = 6
_PCAPNG_RESOLUTION = 9  # option if_tsresol
_BYTE_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_MAX_BYTES = 1 << 24  # of a frame or a block; more is no capture


class Frame(NamedTuple):
    """A frame, as much of it as was captured."""

    time_s: float
    link: int
    """Kind of the link layer (LINKTYPE_ of tcpdump.org)."""
    size: int
    """Of the whole frame, in bytes."""
    data: bytes


class _Interface(NamedTuple):
    link: int
    ticks: float
    """In a second."""


def is_capture(path: Path) -> bool:
    """Whether a file begins as a packet capture does. Raises OSError."""
    with path.open("rb") as file:
        return _pcap_order(magic := file.read(4)) is not None or _is_pcapng(magic)


def frames(path: Path) -> Iterator[Frame]:
    """The frames in their order. Raises SizesError and OSError.

    A capture that ends within a frame, as one does that is being written, ends before it.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        try:
            order = _pcap_order(magic)
            if order is not None:
                yield from _pcap(file, order, _PCAP_TICKS[struct.unpack(f"{order}I", magic)[0]])
            elif _is_pcapng(magic):
                file.seek(0)
                yield from _pcapng(file)
            else:
                raise SizesError(f"{path}: is no packet capture")
        except (struct.error, IndexError):
            raise SizesError(f"{path}: is damaged at byte {file.tell()}") from None


def _pcap_order(magic: bytes) -> str | None:
    """The byte order of a pcap file; none if it is no such file."""
    for order in "<>":
        if len(magic) == 4 and struct.unpack(f"{order}I", magic)[0] in _PCAP_TICKS:
            return order
    return None


def _is_pcapng(magic: bytes) -> bool:
    return magic == _PCAPNG_SECTION.to_bytes(4, "big")


def _pcap(file: BinaryIO, order: str, ticks: int) -> Iterator[Frame]:
    (link,) = struct.unpack(f"{order}16xI", file.read(20))
    head = struct.Struct(f"{order}4I")
    while len(read := file.read(head.size)) == head.size:
        seconds, fraction, captured, size = head.unpack(read)
        if captured > _MAX_BYTES:
            raise struct.error
        data = file.read(captured)
        if len(data) < captured:
            return
        yield Frame(seconds + fraction / ticks, link & 0xFFFF, size, data)


def _pcapng(file: BinaryIO) -> Iterator[Frame]:
    order = "<"
    interfaces: list[_Interface] = []
    time_s = 0.0
    while len(head := file.read(8)) == 8:
        if _is_pcapng(head[:4]):
            order = _BYTE_ORDERS.get(file.read(4), "")
            if not order:
                raise struct.error
            file.seek(-4, 1)
            interfaces = []
        kind, length = struct.unpack(f"{order}2I", head)
        if not 12 <= length <= _MAX_BYTES or length % 4:
            raise struct.error
        body = file.read(length - 8)
        if len(body) < length - 8:
            return
        body = body[:-4]  # the length once more
        match kind:
            case _ if kind == _PCAPNG_INTERFACE:
                interfaces.append(_interface(body, order))
            case _ if kind == _PCAPNG_PACKET:
                number, high, low, captured, size = struct.unpack_from(f"{order}5I", body)
                interface = interfaces[number]
                time_s = (high << 32 | low) / interface.ticks
                yield Frame(time_s, interface.link, size, body[20 : 20 + captured])
            case _ if kind == _PCAPNG_SIMPLE:
                # It has no time of its own.
                (size,) = struct.unpack_from(f"{order}I", body)
                yield Frame(time_s, interfaces[0].link, size, body[4 : 4 + size])
            case _:
                pass


def _interface(body: bytes, order: str) -> _Interface:
    (link,) = struct.unpack_from(f"{order}H", body)
    ticks, position = 1e6, 8
    while position + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}2H", body, position)
        if code == _PCAPNG_RESOLUTION and length:
            value = body[position + 4]
            ticks = 2.0 ** (value & 0x7F) if value & 0x80 else 10.0**value
        position += 4 + (length + 3) // 4 * 4
    return _Interface(link, ticks)
