"""Headers that are cut short, wrong or contradict themselves.

Run: python -m testbed.sandbox pytest tests/ptf/test_ptf_malformed.py
"""

from __future__ import annotations

from random import Random

import pytest
from ptf_fates import Dropped, Out
from ptf_frames import changed, padded, to_server
from ptf_network import CLIENT, NF1, PORTS, SERVER
from ptf_switch import PtfSwitch
from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from controlplane import p4_constants as p4

# PTF warns of frames that have nothing but an Ethernet header, in a deprecated way.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated")

MALFORMED = Dropped(p4.DROP_MALFORMED)
TIMESTAMP = Raw(bytes([68, 12, 5, 0]) + bytes(8))

VALID = {
    "TCP": to_server(TCP(sport=1, dport=2)),
    "TCP with options": to_server(TCP(sport=1, dport=2, options=[("MSS", 1460)])),
    "UDP": to_server(UDP(sport=1, dport=2)),
    "ICMP": to_server(ICMP()),
    "IPv4 options": to_server(UDP(sport=1, dport=2), options=[TIMESTAMP]),
    "another protocol": to_server(bytes(4), proto=99),
}


def short(protocol: int, header: Packet, length: int) -> bytes:
    """A frame whose IPv4 packet ends within its transport header."""
    return to_server(bytes(header)[:length], proto=protocol)


SEGMENT, DATAGRAM, ECHO = TCP(sport=1, dport=2), UDP(sport=1, dport=2), ICMP()


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(frame, id=name)
        for name, frame in [
            ("version 6", changed(VALID["UDP"], 14, 0x65)),
            ("version 0", changed(VALID["UDP"], 14, 0x05)),
            ("header length 4", changed(VALID["UDP"], 14, 0x44)),
            ("header length 0", changed(VALID["UDP"], 14, 0x40)),
            ("header longer than the packet", changed(VALID["UDP"], 14, 0x4F)),
            ("total length of no header", to_server(SEGMENT, len=19)),
            ("total length 0", to_server(SEGMENT, len=0)),
            ("total length of no options", to_server(DATAGRAM, options=[TIMESTAMP], len=20)),
            ("one byte missing", to_server(SEGMENT, len=41)),
            ("total length 65535", to_server(SEGMENT, len=65535)),
            ("TCP data offset 4", to_server(TCP(dataofs=4))),
            ("TCP data offset 0", to_server(TCP(dataofs=0))),
            ("TCP data offset behind the end", to_server(TCP(dataofs=6))),
            ("no TCP header", short(6, SEGMENT, 0)),
            ("19 bytes of TCP", short(6, SEGMENT, 19)),
            ("19 bytes of TCP, padded", padded(short(6, SEGMENT, 19))),
            ("7 bytes of UDP", short(17, DATAGRAM, 7)),
            ("7 bytes of UDP, padded", padded(short(17, DATAGRAM, 7))),
            ("7 bytes of ICMP", short(1, ECHO, 7)),
            ("7 bytes of ICMP, padded", padded(short(1, ECHO, 7))),
            ("27 bytes of ARP", bytes(Ether() / ARP())[:41]),
        ]
    ],
)
def test_malformed(switch: PtfSwitch, frame: bytes) -> None:
    assert switch.process(CLIENT, frame) == [MALFORMED]


@pytest.mark.parametrize("name", VALID)
def test_cut_short_anywhere(switch: PtfSwitch, name: str) -> None:
    frame = VALID[name]
    cut = [frame[:length] for length in range(14, len(frame))]
    assert switch.process(CLIENT, *cut) == [MALFORMED] * len(cut)
    assert switch.process(CLIENT, frame) == [Out(NF1, frame)]


@pytest.mark.parametrize("name", VALID)
def test_a_wrong_checksum(switch: PtfSwitch, name: str) -> None:
    """Of each single bit of the header that is no length, one wrong."""
    frame = VALID[name]
    header = range(14, 14 + (frame[14] & 0xF) * 4)
    wrong = [
        changed(frame, offset, frame[offset] ^ 1 << bit)
        for offset in header
        # Version, lengths, fragmentation and protocol decide how the rest is read.
        if offset not in (14, 16, 17, 20, 21, 23)
        for bit in range(8)
    ]
    assert switch.process(CLIENT, *wrong) == [Dropped(p4.DROP_CHECKSUM)] * len(wrong)


def test_a_transport_checksum_is_none_of_the_switch_s_business(switch: PtfSwitch) -> None:
    frame = to_server(TCP(sport=1, dport=2, chksum=1))
    assert switch.process(CLIENT, frame) == [Out(NF1, frame)]


@pytest.mark.parametrize("port", PORTS)
def test_every_random_frame_has_one_fate(switch: PtfSwitch, random: Random, port: int) -> None:
    """`process` fails when a frame is lost or doubled."""
    frames: list[bytes] = []
    for _ in range(250):
        frame = bytearray(random.choice(list(VALID.values())))
        for _ in range(random.randrange(3)):
            frame[random.randrange(12, len(frame))] = random.randrange(256)
        frames.append(bytes(frame[: random.choice([len(frame), random.randrange(14, len(frame))])]))
    fates = switch.process(port, *frames)
    assert MALFORMED in fates
    assert Dropped(p4.DROP_CHECKSUM) in fates
    if port in (CLIENT, SERVER):
        assert any(isinstance(fate, Out) for fate in fates)
