"""The packets that fuzzing starts from: one of each protocol that programs parse."""

from __future__ import annotations

from collections.abc import Iterator

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

_MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
_IPV4 = ("10.0.0.1", "10.0.1.2")
_IPV6 = ("2001:db8::1", "2001:db8::2")


def _ethernet() -> Packet:
    return Ether(src=_MACS[0], dst=_MACS[1])


def _ipv4(**fields: object) -> Packet:
    return IP(src=_IPV4[0], dst=_IPV4[1], **fields)


def _packets() -> Iterator[Packet]:
    transports = (TCP(sport=1234, dport=80), UDP(sport=1234, dport=53), ICMP())
    for transport in transports:
        yield _ethernet() / _ipv4() / transport / Raw(bytes(range(32)))
        yield _ethernet() / IPv6(src=_IPV6[0], dst=_IPV6[1]) / transport / Raw(bytes(8))
    yield _ethernet() / _ipv4(options=IPOption_Router_Alert()) / transports[0]
    yield _ethernet() / _ipv4(flags="MF", frag=3) / Raw(bytes(24))
    yield _ethernet() / IPv6() / IPv6ExtHdrFragment() / transports[1]
    yield _ethernet() / ARP(psrc=_IPV4[0], pdst=_IPV4[1])
    yield _ethernet() / Dot1Q(vlan=5) / _ipv4() / transports[1]
    yield _ethernet() / Dot1AD(vlan=6) / Dot1Q(vlan=7) / _ipv4() / transports[0]
    yield _ethernet() / _ipv4() / UDP(dport=4789) / VXLAN(vni=9) / _ethernet() / _ipv4()
    yield _ethernet() / _ipv4() / GRE() / _ipv4() / transports[0]
    yield _ethernet() / _ipv4() / _ipv4() / transports[2]
    yield _ethernet() / _ipv4() / transports[0] / Raw(bytes(1400))


def seed_packets() -> list[bytes]:
    """The packets, of no byte to full size; those that are zeros or ones fit any program."""
    plain = [bytes(size) for size in (0, 1, 14, 60, 128)] + [b"\xff" * 60, bytes(range(100))]
    return plain + [bytes(packet) for packet in _packets()]
