"""Frames that hosts and instances send, and what the switch makes of them."""

from __future__ import annotations

from typing import Any

from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import checksum

from controlplane.p4_constants import BOUNCE_ADDRESS, DETOUR_ADDRESS, STEERED_ADDRESS
from nf.southbound.flow import FiveTuple
from testbed import plan

CLIENT_ADDRESS = str(plan.CLIENT.address.ip)
SERVER_ADDRESS = str(plan.SERVER.address.ip)
GATEWAY_MAC = plan.GATEWAY_MAC

_ETHER_BYTES = 14
_TTL, _CHECKSUM = 22, slice(24, 26)


def to_server(payload: Packet | bytes = b"", **ip_fields: Any) -> bytes:
    """A frame of the client for the server."""
    return _frame(
        plan.CLIENT.mac, payload, {"src": CLIENT_ADDRESS, "dst": SERVER_ADDRESS}, ip_fields
    )


def to_client(payload: Packet | bytes = b"", **ip_fields: Any) -> bytes:
    """A frame of the server for the client."""
    return _frame(
        plan.SERVER.mac, payload, {"src": SERVER_ADDRESS, "dst": CLIENT_ADDRESS}, ip_fields
    )


def _frame(source: str, payload: Packet | bytes, ip: dict[str, Any], more: dict[str, Any]) -> bytes:
    layer = payload if isinstance(payload, Packet) else Raw(payload)
    return bytes(Ether(src=source, dst=GATEWAY_MAC) / IP(**(ip | more)) / layer)


def bytes_of_mac(mac: str) -> bytes:
    """A MAC address as on the wire."""
    return bytes.fromhex(mac.replace(":", ""))


def routed(frame: bytes, destination: str, source: str = GATEWAY_MAC) -> bytes:
    """The frame behind one hop: MAC addresses, time to live and checksum."""
    after = bytearray(frame)
    after[:12] = bytes_of_mac(destination) + bytes_of_mac(source)
    after[_TTL] -= 1
    after[_CHECKSUM] = bytes(2)
    header = after[_ETHER_BYTES : _ETHER_BYTES + (after[_ETHER_BYTES] & 0xF) * 4]
    after[_CHECKSUM] = checksum(bytes(header)).to_bytes(2, "big")
    return bytes(after)


def at_host(port: int, frame: bytes) -> bytes:
    """The frame as the host at a port gets it."""
    return routed(frame, next(host.mac for host in plan.HOSTS if host.port == port))


def bounced(frame: bytes) -> bytes:
    """The frame as an instance hands it back that will not have it."""
    return BOUNCE_ADDRESS.to_bytes(6, "big") + frame[6:]


def unmarked(frame: bytes) -> bytes:
    """A bounce as the switch hands it on: whoever gets it can return it as it is."""
    return DETOUR_ADDRESS.to_bytes(6, "big") + frame[6:]


def steered(frame: bytes) -> bytes:
    """A bounce as the switch sends it to where its flow was seen, where none may begin anew."""
    return STEERED_ADDRESS.to_bytes(6, "big") + frame[6:]


def changed(frame: bytes, offset: int, value: int) -> bytes:
    """The frame with another byte at an offset, its checksum as it was."""
    return frame[:offset] + bytes([value]) + frame[offset + 1 :]


def padded(frame: bytes) -> bytes:
    """The frame of at least the length that Ethernet asks for."""
    return frame.ljust(60, b"\0")


def flow_of(frame: bytes, source_port: int = 0, destination_port: int = 0) -> FiveTuple:
    """The flow of a frame, with the ports that it is expected to have."""
    protocol = frame[23]
    source, destination = (int.from_bytes(frame[start : start + 4]) for start in (26, 30))
    return FiveTuple.of(source, destination, source_port, destination_port, protocol)
