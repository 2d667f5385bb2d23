"""What the southbound protocol puts into the packet stream: markers and bounces.

A marker is a frame that the controller sends through the switch to an instance. Ports
and links keep order, so an instance that has read a marker has read every packet that
the switch sent to it before. The instance swallows it.

A bounce is a packet that an instance hands back unprocessed: the same frame, of the
same length, with an address of its own as its destination MAC address.

A detour is a packet that does not come straight from its host: another instance has
bounced it, or the controller has kept it and passed it on. It has a destination MAC
address of its own, too, so that an instance that sets the packets of a flow aside can
tell it from those that are to wait behind it.
"""

from __future__ import annotations

import struct

from nf.southbound.p4_constants import BOUNCE_ADDRESS, DETOUR_ADDRESS, MARKER_ETHERTYPE

Buffer = bytes | bytearray | memoryview
"""A frame, wherever its bytes are."""

BOUNCE_MAC = BOUNCE_ADDRESS.to_bytes(6, "big")
"""Destination MAC address of a packet handed back."""

DETOUR_MAC = DETOUR_ADDRESS.to_bytes(6, "big")
"""Destination MAC address of a packet that has come by a detour."""

MAX_MARKER = (1 << 64) - 1

_MAC_BYTES = 6
_MARKER_MAC = 0x020000000000  # locally administered; nobody looks at it
_MARKER = struct.Struct("!6s6sHQ")
_MARKER_ID = struct.Struct("!Q")
_ID_OFFSET = 14
_MIN_FRAME_BYTES = 60  # of Ethernet, without the checksum


def build_marker(marker: int) -> bytes:
    """The frame of a marker; its id is from 1 to MAX_MARKER. Raises ValueError."""
    if not 0 < marker <= MAX_MARKER:
        raise ValueError(f"a marker is from 1 to 2^64-1, not {marker}")
    mac = _MARKER_MAC.to_bytes(_MAC_BYTES, "big")
    return _MARKER.pack(mac, mac, MARKER_ETHERTYPE, marker).ljust(_MIN_FRAME_BYTES, b"\0")


def parse_marker(frame: Buffer) -> int | None:
    """The id of a marker; None if the frame is none."""
    if len(frame) < _MARKER.size or frame[12] << 8 | frame[13] != MARKER_ETHERTYPE:
        return None
    (marker,) = _MARKER_ID.unpack_from(frame, _ID_OFFSET)
    return marker or None


def is_bounce(frame: Buffer) -> bool:
    """Whether an instance has handed the frame back."""
    return bytes(frame[:_MAC_BYTES]) == BOUNCE_MAC


def mark_bounce(frame: bytearray | memoryview) -> None:
    """Turns a frame into a bounce, in place."""
    frame[:_MAC_BYTES] = BOUNCE_MAC


def is_detour(frame: Buffer) -> bool:
    """Whether a frame has come by way of the controller or of another instance."""
    return bytes(frame[:_MAC_BYTES]) == DETOUR_MAC


def detoured(frame: bytes) -> bytes:
    """The frame as the controller passes it on."""
    return DETOUR_MAC + frame[_MAC_BYTES:]
