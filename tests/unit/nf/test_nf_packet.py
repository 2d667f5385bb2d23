"""The flow of a packet: rows of (case, frame, flow), as `p4src/control/flow_key.p4` has it.

Run: pytest tests/unit/nf/test_nf_packet.py
"""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet as ScapyPacket
from scapy.packet import Raw

from nf.southbound.flow import FiveTuple
from nf.southbound.packet import Packet

LOW, HIGH = "10.0.1.10", "10.0.2.10"
LOW_INT, HIGH_INT = int(IPv4Address(LOW)), int(IPv4Address(HIGH))


def frame_of(layers: ScapyPacket) -> bytes:
    return bytes(Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01") / layers)


def flow_of(protocol: int, low_port: int = 0, high_port: int = 0) -> FiveTuple:
    return FiveTuple(LOW_INT, HIGH_INT, low_port, high_port, protocol)


FLOWS = {
    "tcp, low to high": (
        IP(src=LOW, dst=HIGH) / TCP(sport=40000, dport=80),
        flow_of(6, 40000, 80),
        True,
    ),
    "tcp, high to low": (
        IP(src=HIGH, dst=LOW) / TCP(sport=80, dport=40000),
        flow_of(6, 40000, 80),
        False,
    ),
    "udp": (IP(src=HIGH, dst=LOW) / UDP(sport=53, dport=9), flow_of(17, 9, 53), False),
    "echo request": (IP(src=LOW, dst=HIGH) / ICMP(type=8, id=77), flow_of(1, 77, 77), True),
    "echo reply": (IP(src=HIGH, dst=LOW) / ICMP(type=0, id=77), flow_of(1, 77, 77), False),
    "icmp unreachable": (
        IP(src=HIGH, dst=LOW) / ICMP(type=3, code=1) / IP(src=LOW, dst=HIGH) / TCP(),
        flow_of(1),
        False,
    ),
    "first fragment": (
        IP(src=LOW, dst=HIGH, flags="MF") / UDP(sport=5, dport=6) / Raw(bytes(40)),
        flow_of(17),
        True,
    ),
    "later fragment": (
        IP(src=LOW, dst=HIGH, frag=5, proto=6) / Raw(bytes(40)),
        flow_of(6),
        True,
    ),
    "don't fragment is no fragment": (
        IP(src=LOW, dst=HIGH, flags="DF") / TCP(sport=1, dport=2),
        flow_of(6, 1, 2),
        True,
    ),
    "the reserved bit is no fragment": (
        IP(src=LOW, dst=HIGH, flags="evil") / TCP(sport=1, dport=2),
        flow_of(6, 1, 2),
        True,
    ),
    "IPv4 options": (
        IP(src=LOW, dst=HIGH, options=[IPOption_NOP()] * 7) / TCP(sport=1, dport=2),
        flow_of(6, 1, 2),
        True,
    ),
    "longest IPv4 header": (
        IP(src=LOW, dst=HIGH, options=[IPOption_NOP()] * 40) / UDP(sport=1, dport=2),
        flow_of(17, 1, 2),
        True,
    ),
    "another protocol": (IP(src=HIGH, dst=LOW, proto=47) / Raw(bytes(20)), flow_of(47), False),
    "no payload": (IP(src=LOW, dst=HIGH, proto=47), flow_of(47), True),
    "own ports, low first": (
        IP(src=LOW, dst=LOW) / TCP(sport=1, dport=2),
        FiveTuple(LOW_INT, LOW_INT, 1, 2, 6),
        True,
    ),
    "own ports, high first": (
        IP(src=LOW, dst=LOW) / TCP(sport=2, dport=1),
        FiveTuple(LOW_INT, LOW_INT, 1, 2, 6),
        False,
    ),
    "own ports, equal": (
        IP(src=LOW, dst=LOW) / TCP(sport=2, dport=2),
        FiveTuple(LOW_INT, LOW_INT, 2, 2, 6),
        True,
    ),
}


@pytest.mark.parametrize("case", FLOWS)
def test_the_flow_of_a_packet(case: str) -> None:
    layers, flow, from_low = FLOWS[case]
    packet = Packet()
    frame = memoryview(frame_of(layers))
    assert packet.read(frame)
    assert (packet.flow, packet.from_low) == (flow, from_low)
    assert packet.protocol == flow.protocol
    assert packet.end == len(frame)


def tcp_frame() -> bytes:
    return frame_of(IP(src=LOW, dst=HIGH) / TCP(sport=1, dport=2) / Raw(b"hello"))


def changed(offset: int, value: int, frame: bytes | None = None) -> bytes:
    result = bytearray(frame or tcp_frame())
    result[offset] = value
    return bytes(result)


MALFORMED = {
    "empty": b"",
    "Ethernet only": tcp_frame()[:14],
    "arp": frame_of(ARP()),
    "802.1Q": frame_of(Dot1Q(vlan=5) / IP(src=LOW, dst=HIGH) / TCP()),
    "IPv4 header cut short": tcp_frame()[:33],
    "version 6": changed(14, 0x65),
    "header of 4 words": changed(14, 0x44),
    "header longer than the packet": changed(14, 0x4F),
    "total length below the header's": changed(17, 19),
    "total length beyond the frame": changed(17, 46),
    "tcp header cut short": frame_of(IP(src=LOW, dst=HIGH, proto=6) / Raw(bytes(19))),
    "tcp data offset of 4 words": changed(46, 0x40),
    "udp header cut short": frame_of(IP(src=LOW, dst=HIGH, proto=17) / Raw(bytes(7))),
    "icmp header cut short": frame_of(IP(src=LOW, dst=HIGH, proto=1) / Raw(bytes(7))),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_no_packet(case: str) -> None:
    assert not Packet().read(memoryview(MALFORMED[case]))


def test_headers_and_payload() -> None:
    packet = Packet()
    layers = IP(src=LOW, dst=HIGH, flags="DF", ttl=61) / TCP(
        flags="SA", window=1234, options=[("MSS", 1460), ("NOP", None)]
    )
    assert packet.read(memoryview(frame_of(layers / Raw(b"hello")) + bytes(9)))  # padded
    assert (packet.ttl, packet.dont_fragment, packet.tcp_flags) == (61, True, 0x12)
    assert packet.tcp_window == 1234
    assert packet.tcp_options[:5] == b"\x02\x04\x05\xb4\x01"
    assert bytes(packet.payload) == b"hello"


def test_nothing_stays_from_the_packet_before() -> None:
    packet = Packet()
    assert packet.read(memoryview(frame_of(IP(flags="DF") / TCP(flags="S"))))
    assert packet.read(memoryview(frame_of(IP() / UDP() / Raw(b"x"))))
    assert (packet.tcp_flags, packet.dont_fragment, bytes(packet.payload)) == (0, False, b"x")


def test_a_data_offset_beyond_the_packet_leaves_no_payload() -> None:
    packet = Packet()
    assert packet.read(memoryview(changed(46, 0xF0)))
    assert bytes(packet.payload) == b""
    assert packet.tcp_options == b"hello"


@given(
    source=st.integers(0, 2**32 - 1),
    target=st.integers(0, 2**32 - 1),
    source_port=st.integers(0, 2**16 - 1),
    target_port=st.integers(0, 2**16 - 1),
)
def test_both_directions_are_one_flow(
    source: int, target: int, source_port: int, target_port: int
) -> None:
    there, back = Packet(), Packet()
    one, other = IPv4Address(source), IPv4Address(target)
    assert there.read(
        memoryview(frame_of(IP(src=one, dst=other) / UDP(sport=source_port, dport=target_port)))
    )
    assert back.read(
        memoryview(frame_of(IP(src=other, dst=one) / UDP(sport=target_port, dport=source_port)))
    )
    assert there.flow == back.flow
    assert there.flow == FiveTuple.of(source, target, source_port, target_port, 17)
    assert there.from_low != back.from_low or (source, source_port) == (target, target_port)


@given(st.binary(max_size=120), st.integers(0, 119), st.integers(0, 255))
def test_no_frame_is_too_odd(junk: bytes, offset: int, value: int) -> None:
    frame = bytearray(tcp_frame().ljust(120, b"\0"))
    frame[offset] = value
    for odd in (bytes(frame), tcp_frame()[:34] + junk, junk):
        packet = Packet()
        if packet.read(memoryview(odd)):
            assert packet.end <= len(odd)
            assert len(packet.payload) <= len(odd)
            _ = packet.tcp_options
