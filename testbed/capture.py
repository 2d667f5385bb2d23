"""Captures every packet that comes in on an interface, at next to no cost.

The kernel copies the first bytes of each packet into a ring that is mapped into
this process; nothing is read until it is asked for. A ring that overflows says so.
"""

from __future__ import annotations

import mmap
import socket
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.namespace import NetworkNamespace

_SOL_PACKET = 263
_PACKET_RX_RING = 5
_PACKET_STATISTICS = 6
_PACKET_VERSION = 10
_PACKET_IGNORE_OUTGOING = 23
_TPACKET_V2 = 1
_ETH_P_ALL = 0x0003
_STATUS_KERNEL = 0

_FRAME_BYTES = 128
_BLOCK_BYTES = 1 << 20
SNAP_BYTES = 54
"""Ethernet, IPv4 and TCP headers without options."""

# struct tpacket2_hdr (linux/if_packet.h), the socket address, then the packet at `mac`.
_FRAME = np.dtype(
    {
        "names": ["status", "length", "captured", "mac", "seconds", "nanoseconds", "bytes"],
        "formats": ["<u4", "<u4", "<u4", "<u2", "<u4", "<u4", ("u1", (_FRAME_BYTES,))],
        "offsets": [0, 4, 8, 12, 16, 20, 0],
        "itemsize": _FRAME_BYTES,
    }
)


@dataclass(frozen=True)
class Packets:
    """Packets of one point of the network, in the order in which they passed it."""

    time_ns: NDArray[np.int64]
    """Time of each, of the wall clock."""

    length: NDArray[np.int64]
    """Length of the frame in bytes."""

    head: NDArray[np.uint8]
    """The first SNAP_BYTES of each frame, zero-padded; shape (n, SNAP_BYTES)."""

    def __len__(self) -> int:
        return len(self.time_ns)

    @classmethod
    def join(cls, parts: list[Packets]) -> Packets:
        """Several captures of the same point, one after the other."""
        if not parts:
            return cls(
                np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, SNAP_BYTES), np.uint8)
            )
        return cls(
            np.concatenate([part.time_ns for part in parts]),
            np.concatenate([part.length for part in parts]),
            np.concatenate([part.head for part in parts]),
        )


class Capture:
    """What comes in on one interface, from the start until it is closed."""

    def __init__(
        self, namespace: NetworkNamespace, interface: str, *, ring_bytes: int = 1 << 25
    ) -> None:
        """Starts. Raises OSError."""
        self.interface = interface
        blocks = max(1, ring_bytes // _BLOCK_BYTES)
        self._frames = blocks * _BLOCK_BYTES // _FRAME_BYTES
        self._next = 0
        self._parts: list[Packets] = []
        self._overflow = 0
        self._count = 0
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            self._socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            request = struct.pack("4I", _BLOCK_BYTES, blocks, _FRAME_BYTES, self._frames)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
            self._map = mmap.mmap(self._socket.fileno(), blocks * _BLOCK_BYTES)
            self._ring = np.frombuffer(self._map, dtype=_FRAME)
            self._socket.bind((interface, _ETH_P_ALL))
        except BaseException:
            self._socket.close()
            raise

    @property
    def overflow(self) -> int:
        """Packets that found the ring full, up to the last drain. Must be 0 to judge by."""
        return self._overflow

    @property
    def count(self) -> int:
        """Packets captured, up to the last drain."""
        return self._count

    def drain(self) -> None:
        """Takes what is in the ring and makes room. Call it often enough (`ring_bytes`)."""
        while True:
            # The kernel fills frames in order: those used are one run from `_next`.
            status = self._ring["status"][self._next :]
            free = np.flatnonzero(status == _STATUS_KERNEL)
            count = int(free[0]) if len(free) else len(status)
            if count:
                frames = self._ring[self._next : self._next + count]
                self._parts.append(_copy(frames))
                self._count += count
                frames["status"] = _STATUS_KERNEL
            wrapped = self._next + count == self._frames
            self._next = (self._next + count) % self._frames
            if not wrapped:
                break
        raw = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self._overflow += struct.unpack("II", raw)[1]  # reading it sets it to zero

    def close(self) -> Packets:
        """Stops; all that was captured."""
        self.drain()
        del self._ring
        self._map.close()
        self._socket.close()
        return Packets.join(self._parts)


def _copy(frames: NDArray[np.void]) -> Packets:
    time_ns = frames["seconds"].astype(np.int64) * 1_000_000_000 + frames["nanoseconds"]
    # All packets of an interface start at the same place of their frames.
    start = int(frames["mac"][0])
    head = frames["bytes"][:, start : start + SNAP_BYTES].copy()
    captured = frames["captured"]
    for short in np.flatnonzero(captured < SNAP_BYTES):
        head[short, captured[short] :] = 0
    return Packets(time_ns, frames["length"].astype(np.int64), head)
