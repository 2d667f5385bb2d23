"""The flow: a bidirectional, canonical five-tuple."""

from __future__ import annotations

from ipaddress import IPv4Address
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from nf.southbound import southbound_pb2 as pb
from nf.southbound.p4_constants import BUCKETS

ALL_BUCKETS = frozenset(range(BUCKETS))
"""The hash buckets of a group."""

_KEY = Struct("!IIHHB")
_PROTOCOL_NAMES = {1: "icmp", 6: "tcp", 17: "udp"}


class FiveTuple(NamedTuple):
    """A flow, the same for both directions: the lower (address, port) comes first.

    The switch makes the same key from a packet (`p4src/control/flow_key.p4`).
    Addresses are IPv4 addresses as integers.
    """

    low_address: int
    high_address: int
    low_port: int
    high_port: int
    protocol: int

    @classmethod
    def of(
        cls,
        source: int,
        destination: int,
        source_port: int,
        destination_port: int,
        protocol: int,
    ) -> FiveTuple:
        """The flow that a packet from `source` to `destination` belongs to."""
        if (source, source_port) <= (destination, destination_port):
            return cls(source, destination, source_port, destination_port, protocol)
        return cls(destination, source, destination_port, source_port, protocol)

    @classmethod
    def from_message(cls, message: pb.FiveTuple) -> FiveTuple:
        """The flow of a southbound message."""
        return cls(
            message.low_address,
            message.high_address,
            message.low_port,
            message.high_port,
            message.protocol,
        )

    def to_message(self) -> pb.FiveTuple:
        """The flow as a southbound message."""
        return pb.FiveTuple(
            low_address=self.low_address,
            high_address=self.high_address,
            low_port=self.low_port,
            high_port=self.high_port,
            protocol=self.protocol,
        )

    @property
    def bucket(self) -> int:
        """Its hash bucket: the switch takes the same from the same key."""
        return crc32(_KEY.pack(*self)) * BUCKETS >> 32

    def __str__(self) -> str:
        """`tcp 10.0.1.10:40000 ↔ 10.0.2.10:80`."""
        protocol = _PROTOCOL_NAMES.get(self.protocol, str(self.protocol))
        low = f"{IPv4Address(self.low_address)}:{self.low_port}"
        high = f"{IPv4Address(self.high_address)}:{self.high_port}"
        return f"{protocol} {low} ↔ {high}"
