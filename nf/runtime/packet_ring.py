"""The port of an instance: a raw socket whose receive ring is mapped into the process.

The kernel writes frames into the ring (TPACKET_V2, packet_mmap in the kernel's
documentation); reading one is reading memory, without a system call. What the ring
cannot take is counted by the kernel.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import select
import socket
import struct
from collections.abc import Iterator

_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_RX_RING = 5
_PACKET_STATISTICS = 6
_PACKET_VERSION = 10
_PACKET_IGNORE_OUTGOING = 23
_PACKET_MR_PROMISC = 1
_TPACKET_V2 = 1
_ETH_P_ALL = 0x0003
_SIOCGIFMTU = 0x8921
_IFNAMSIZ = 16
_SO_SNDTIMEO = 21

_STATUS_KERNEL = 0
_STATUS_USER = 0x01
_STATUS_VLAN_VALID = 0x10
_STATUS_VLAN_TPID_VALID = 0x40

# struct tpacket2_hdr (linux/if_packet.h), in 32-bit words and 16-bit halves.
_LENGTH_WORD, _CAPTURED_WORD = 1, 2
_MAC_HALF, _VLAN_TAG_HALF, _VLAN_TYPE_HALF = 6, 12, 13

_BLOCK_BYTES = 1 << 20
_HEADROOM_BYTES = 128  # header, address and alignment before a frame, with room to spare
_ETHERNET_BYTES = 18  # with a VLAN tag
_ETHERTYPE_VLAN = 0x8100
_ETHERTYPE_OFFSET = 12
_MIN_SLOT_BYTES = 2048
_SEND_TIMEOUT_S = 0.1


class PacketRingError(Exception):
    """The interface cannot be opened. The message is one line."""


class PacketRing:
    """Reads and sends whole Ethernet frames on one interface."""

    def __init__(self, interface: str, *, ring_bytes: int = 16 << 20) -> None:
        """Opens the interface. Raises PacketRingError."""
        self.interface = interface
        self.unsent = 0
        """Frames that the interface did not take."""
        self._dropped = 0
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            raise PacketRingError(
                f"{interface}: not permitted to open raw sockets: run as root or in a user "
                "namespace, or grant CAP_NET_RAW"
            ) from None
        except OSError as error:
            raise PacketRingError(f"{interface}: {error.strerror}") from None
        try:
            self._map = self._open(interface, ring_bytes)
        except OSError as error:
            self._socket.close()
            reason = error.strerror or str(error)
            if error.errno == errno.ENODEV:
                reason = "no such interface"
            raise PacketRingError(f"{interface}: {reason}") from None
        # An event loop may give up a descriptor that reports an error, as that of a socket
        # does when its interface goes down; the one of an epoll is readable then.
        self._readiness = select.epoll()
        self._readiness.register(self._socket, select.EPOLLIN)
        self._bytes = memoryview(self._map)
        self._words = self._bytes.cast("I")
        self._halves = self._bytes.cast("H")
        self._slots = len(self._map) // self._slot_bytes
        self._next = 0

    def _open(self, interface: str, ring_bytes: int) -> mmap.mmap:
        mtu = self._mtu(interface)
        self._slot_bytes = _MIN_SLOT_BYTES
        while self._slot_bytes < mtu + _ETHERNET_BYTES + _HEADROOM_BYTES:
            self._slot_bytes *= 2
        blocks = max(1, ring_bytes // _BLOCK_BYTES)
        size = blocks * _BLOCK_BYTES
        option = self._socket.setsockopt
        option(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
        request = struct.pack(
            "IIII", _BLOCK_BYTES, blocks, self._slot_bytes, size // self._slot_bytes
        )
        option(_SOL_PACKET, _PACKET_RX_RING, request)
        option(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        # Sending waits for the interface, but not for ever.
        option(socket.SOL_SOCKET, _SO_SNDTIMEO, struct.pack("ll", 0, round(_SEND_TIMEOUT_S * 1e6)))
        ring = mmap.mmap(self._socket.fileno(), size)
        try:
            self._socket.bind((interface, _ETH_P_ALL))
            # Frames for hosts: no address of this interface is in them.
            index = socket.if_nametoindex(interface)
            membership = struct.pack("iHH8x", index, _PACKET_MR_PROMISC, 0)
            option(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
        except OSError:
            ring.close()
            raise
        return ring

    def _mtu(self, interface: str) -> int:
        name = interface.encode()
        if not 0 < len(name) < _IFNAMSIZ:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        reply = fcntl.ioctl(self._socket, _SIOCGIFMTU, struct.pack("16si20x", name, 0))
        (mtu,) = struct.unpack_from("i", reply, 16)
        return mtu

    def fileno(self) -> int:
        """Readable while a frame waits or an error is pending."""
        return self._readiness.fileno()

    def read(self, limit: int) -> Iterator[memoryview]:
        """The frames that wait, at most `limit`.

        Each is valid, and may be written to, until the next one is asked for.
        """
        words, halves, slot_words = self._words, self._halves, self._slot_bytes // 4
        for _ in range(limit):
            word = self._next * slot_words
            status = words[word]
            if not status & _STATUS_USER:
                return
            captured = words[word + _CAPTURED_WORD]
            start = word * 4 + halves[word * 2 + _MAC_HALF]
            try:
                if words[word + _LENGTH_WORD] > captured:
                    self._dropped += 1  # longer than the MTU: the rest of it is gone
                elif status & _STATUS_VLAN_VALID:
                    yield self._tagged(word, start, captured)
                else:
                    yield self._bytes[start : start + captured]
            finally:
                words[word] = _STATUS_KERNEL
                self._next = (self._next + 1) % self._slots

    def _tagged(self, word: int, start: int, captured: int) -> memoryview:
        """The frame with its VLAN tag, which the kernel hands over beside it."""
        kind = self._halves[word * 2 + _VLAN_TYPE_HALF]
        if not self._words[word] & _STATUS_VLAN_TPID_VALID:
            kind = _ETHERTYPE_VLAN
        frame = bytearray(self._bytes[start : start + captured])
        tag = struct.pack("!HH", kind, self._halves[word * 2 + _VLAN_TAG_HALF])
        frame[_ETHERTYPE_OFFSET:_ETHERTYPE_OFFSET] = tag
        return memoryview(frame)

    def transmit(self, frame: memoryview | bytes) -> bool:
        """Sends a frame as it is; False, and counted, if the interface does not take it."""
        try:
            self._socket.send(frame)
        except OSError:
            self.unsent += 1
            return False
        return True

    def read_drops(self) -> int:
        """Frames that were lost, since the start, before they could be read."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self._dropped += struct.unpack("II", statistics)[1]  # since the last time
        return self._dropped

    def take_error(self) -> int:
        """The errno that is pending on the interface (ENETDOWN), or 0; clears it."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def close(self) -> None:
        """Closes the interface. The memory goes with the last frame that is kept."""
        self._readiness.close()
        self._socket.close()
