"""An IPv4 packet as a network function sees it."""

from __future__ import annotations

import struct

from nf.southbound.flow import FiveTuple

TCP, UDP, ICMP = 6, 17, 1

ETHERNET_BYTES = 14

_ETHERTYPE_IPV4 = 0x0800
_FRAGMENT = 0x3FFF  # more fragments, and the offset
_DONT_FRAGMENT = 0x4000
_ECHO_TYPES = (0, 8)

# EtherType; version and header length; total length; flags and offset; TTL;
# protocol; source; destination.
_IPV4 = struct.Struct("!12xHBxH2xHBB2xII")
_TCP = struct.Struct("!HH8xBBH4x")
_UDP = struct.Struct("!HH4x")
_ICMP = struct.Struct("!B3xH2x")


class Packet:
    """The headers of one packet. Made once and read again for every packet.

    Nothing of it, the frame included, may be kept after the packet has been processed.
    """

    __slots__ = (
        "_fragment_field",
        "end",
        "frame",
        "from_low",
        "key",
        "payload_offset",
        "tcp_flags",
        "tcp_window",
        "transport_offset",
        "ttl",
    )

    def __init__(self) -> None:
        self.frame = memoryview(b"")
        """The whole Ethernet frame."""
        self.key = (0, 0, 0, 0, 0)
        """The fields of the flow."""
        self.from_low = True
        """Whether the flow's low endpoint has sent the packet."""
        self.ttl = 0
        self.tcp_flags = 0
        """0 if the packet is not of TCP."""
        self.tcp_window = 0
        """As it stands in the header, not scaled."""
        self.transport_offset = 0
        """Where in the frame the header behind IPv4 begins."""
        self.payload_offset = 0
        """Where in the frame the payload of TCP, UDP or ICMP begins."""
        self.end = 0
        """Where in the frame the IPv4 packet ends; what follows is padding."""
        self._fragment_field = 0

    def read(self, frame: memoryview) -> bool:
        """Reads the headers of a frame.

        False if it is not IPv4, or malformed; the packet is of no use then. The flow is the
        same as in `p4src/control/flow_key.p4`. The switch lets through less than this does:
        it checks the header's checksum, and that the packet's length covers its headers.
        """
        try:
            (ethertype, version_ihl, total_length, fragment, self.ttl, protocol, source, target) = (
                _IPV4.unpack_from(frame)
            )
        except struct.error:
            return False
        if ethertype != _ETHERTYPE_IPV4:
            return False
        if version_ihl == 0x45:
            transport = 34
        elif version_ihl > 0x45 and version_ihl < 0x50:
            transport = ETHERNET_BYTES + ((version_ihl & 0xF) << 2)
        else:
            return False
        end = ETHERNET_BYTES + total_length
        if end < transport or end > len(frame):
            return False
        source_port = target_port = 0
        self.tcp_flags = 0
        payload = transport
        try:
            if fragment & _FRAGMENT:
                pass
            elif protocol == TCP:
                source_port, target_port, data_offset, self.tcp_flags, self.tcp_window = (
                    _TCP.unpack_from(frame, transport)
                )
                if data_offset < 0x50:
                    return False
                payload = transport + (data_offset >> 4 << 2)
            elif protocol == UDP:
                source_port, target_port = _UDP.unpack_from(frame, transport)
                payload = transport + _UDP.size
            elif protocol == ICMP:
                kind, identifier = _ICMP.unpack_from(frame, transport)
                if kind in _ECHO_TYPES:
                    source_port = target_port = identifier
                payload = transport + _ICMP.size
        except struct.error:
            return False
        self.frame = frame
        self.transport_offset = transport
        self.payload_offset = payload
        self.end = end
        self._fragment_field = fragment
        if source < target or (source == target and source_port <= target_port):
            self.from_low = True
            self.key = (source, target, source_port, target_port, protocol)
        else:
            self.from_low = False
            self.key = (target, source, target_port, source_port, protocol)
        return True

    @property
    def flow(self) -> FiveTuple:
        """The flow that the packet belongs to."""
        return FiveTuple(*self.key)

    @property
    def protocol(self) -> int:
        """The IPv4 protocol number."""
        return self.key[4]

    @property
    def dont_fragment(self) -> bool:
        """The DF bit of the IPv4 header."""
        return bool(self._fragment_field & _DONT_FRAGMENT)

    @property
    def payload(self) -> memoryview:
        """What TCP, UDP or ICMP carries; of other packets what IPv4 carries."""
        return self.frame[self.payload_offset : self.end]

    @property
    def tcp_options(self) -> bytes:
        """The options of the TCP header, as far as the packet has them."""
        start = self.transport_offset + _TCP.size
        return bytes(self.frame[start : min(self.payload_offset, self.end)])
