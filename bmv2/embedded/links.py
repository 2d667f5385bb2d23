"""Whether network interfaces have a link."""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Mapping

_SIOCGIFFLAGS = 0x8913
_IFF_UP, _IFF_RUNNING = 0x1, 0x40


def down(interfaces: Mapping[int, str]) -> frozenset[int]:
    """The numbers of those, by number, that are down, have no carrier or are not there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        return frozenset(
            number for number, name in interfaces.items() if not _is_up(any_socket, name)
        )


def _is_up(any_socket: socket.socket, name: str) -> bool:
    try:
        reply = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16s24x", name.encode()))
    except OSError:
        return False
    (flags,) = struct.unpack_from("H", reply, 16)
    return flags & _IFF_UP != 0 and flags & _IFF_RUNNING != 0
