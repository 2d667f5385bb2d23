"""The header in front of a packet to or from the controller.

On the wire between pipeline and server the fields of P4Info's
`controller_packet_metadata` lie bit-packed, first field first, before the packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from finsy.proto import p4r

from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.errors import Code, invalid
from bmv2.embedded.p4runtime.schema import Bits


class PacketHeader:
    """Packs and unpacks one of the two headers; without fields it is empty."""

    def __init__(self, name: str, fields: Sequence[Bits]) -> None:
        """Raises P4RuntimeError when the fields do not fill whole bytes."""
        self._name = name
        self._fields = tuple(fields)
        self._width = sum(field.width for field in fields)
        if self._width % 8:
            raise invalid(f"{name}: its {self._width} bits are no whole bytes")
        self.byte_count = self._width // 8
        self._ids = {field.id for field in fields}
        # Shift and mask of each field in the header as one integer.
        self._places: list[tuple[int, int, int]] = []
        shift = self._width
        for field in fields:
            shift -= field.width
            self._places.append((field.id, shift, field.maximum))

    def pack(self, metadata: Sequence[p4r.PacketMetadata]) -> bytes:
        """The header for a packet_out. Raises P4RuntimeError (INVALID_ARGUMENT)."""
        # Most come with each field in its place: half of the time a packet_out takes here
        # would go into finding out what is wrong with the others.
        if len(metadata) == len(self._places):
            header = 0
            for entry, (number, shift, mask) in zip(metadata, self._places, strict=True):
                data = entry.value
                value = int.from_bytes(data, "big")
                if entry.metadata_id != number or value > mask or not data:
                    break
                header |= value << shift
            else:
                return header.to_bytes(self.byte_count, "big")
        return self._pack_checked(metadata)

    def _pack_checked(self, metadata: Iterable[p4r.PacketMetadata]) -> bytes:
        values: dict[int, bytes] = {}
        for entry in metadata:
            if entry.metadata_id not in self._ids:
                raise invalid(f"{self._name}: no metadata with id {entry.metadata_id}")
            if entry.metadata_id in values:
                raise invalid(f"{self._name}: metadata {entry.metadata_id} is given twice")
            values[entry.metadata_id] = entry.value
        header = 0
        for field in self._fields:
            data = values.get(field.id)
            if data is None:
                raise invalid(f"{self._name}: metadata {field.name} is missing")
            what = f"{self._name}: metadata {field.name}"
            value = bitstring.decode(data, field.width, what, Code.INVALID_ARGUMENT)
            header = header << field.width | value
        return header.to_bytes(self.byte_count, "big")

    def unpack(self, packet: bytes) -> p4r.PacketIn:
        """The packet_in message of a packet with this header in front.

        Raises P4RuntimeError when the packet is shorter than the header.
        """
        if len(packet) < self.byte_count:
            raise invalid(f"{self._name}: a packet of {len(packet)} bytes is shorter than it")
        header = int.from_bytes(packet[: self.byte_count], "big")
        message = p4r.PacketIn(payload=packet[self.byte_count :])
        for number, shift, mask in self._places:
            message.metadata.add(metadata_id=number, value=bitstring.encode(header >> shift & mask))
        return message
