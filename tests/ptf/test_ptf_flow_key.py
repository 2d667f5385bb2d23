"""To which flow a packet belongs: addresses, ports and protocol, the same both ways.

Run: python -m testbed.sandbox pytest tests/ptf/test_ptf_flow_key.py
"""

from __future__ import annotations

import pytest
from ptf_fates import Out
from ptf_frames import flow_of, to_client, to_server
from ptf_network import CLIENT, NF1, NF2, SERVER
from ptf_switch import PtfSwitch
from scapy.layers.inet import ICMP, TCP, UDP
from scapy.packet import Packet, Raw

from controlplane.switch import entries
from testbed import plan

CLIENTS = plan.CLIENT.address.network
NOP = [Raw(b"\x01\x01\x01\x00")]
LONGEST = [Raw(bytes([68, 40, 5, 0]) + bytes(36))]
SEGMENT = TCP(sport=5000, dport=80)
DATAGRAM = UDP(sport=5000, dport=53)
BODY = Raw(bytes(range(32)))  # would be ports 0x0001 and 0x0203

ROWS = [
    pytest.param(*row, id=name)
    for name, *row in [
        ("TCP", SEGMENT, {}, (5000, 80)),
        ("UDP", DATAGRAM, {}, (5000, 53)),
        ("ports 0", UDP(sport=0, dport=0), {}, (0, 0)),
        ("ports 65535", TCP(sport=65535, dport=65535), {}, (65535, 65535)),
        ("TCP with IPv4 options", SEGMENT, {"options": NOP}, (5000, 80)),
        ("UDP with the longest options", DATAGRAM, {"options": LONGEST}, (5000, 53)),
        ("TCP that must not be fragmented", SEGMENT, {"flags": "DF"}, (5000, 80)),
        ("first fragment of TCP", SEGMENT, {"flags": "MF"}, (0, 0)),
        ("middle fragment of TCP", BODY, {"proto": 6, "flags": "MF", "frag": 3}, (0, 0)),
        ("last fragment of TCP", BODY, {"proto": 6, "frag": 6}, (0, 0)),
        ("shortest fragment of TCP", Raw(b"x"), {"proto": 6, "frag": 8191}, (0, 0)),
        ("first fragment of UDP", DATAGRAM, {"flags": "MF"}, (0, 0)),
        ("last fragment of UDP", BODY, {"proto": 17, "frag": 1}, (0, 0)),
        ("first fragment of ICMP", ICMP(id=9), {"flags": "MF"}, (0, 0)),
        ("fragment with options", BODY, {"proto": 17, "frag": 1, "options": NOP}, (0, 0)),
        ("ICMP echo request", ICMP(type=8, id=77, seq=1), {}, (77, 77)),
        ("ICMP echo reply", ICMP(type=0, id=77, seq=1), {}, (77, 77)),
        ("ICMP with options", ICMP(type=8, id=78), {"options": NOP}, (78, 78)),
        ("ICMP unreachable", ICMP(type=3, code=1) / BODY, {}, (0, 0)),
        ("ICMP timestamp", ICMP(type=13, id=79), {}, (0, 0)),
        ("SCTP", BODY, {"proto": 132}, (0, 0)),
        ("GRE", BODY, {"proto": 47}, (0, 0)),
        ("protocol 0", BODY, {"proto": 0}, (0, 0)),
        ("protocol 255", BODY, {"proto": 255}, (0, 0)),
    ]
]


@pytest.mark.parametrize(("payload", "ip", "ports"), ROWS)
def test_both_directions_are_one_flow(
    switch: PtfSwitch, payload: Packet, ip: dict[str, object], ports: tuple[int, int]
) -> None:
    """A rule of the expected flow catches both; the table counts them as one."""
    switch.put(entries.timers(activity_window_us=1, affinity_timeout_us=1))
    there = to_server(payload, **ip)
    back = to_client(_reversed(payload), **ip)
    flow = flow_of(there, *ports)
    assert switch.process(CLIENT, there) == [Out(NF1, there)]
    assert switch.fit()[flow].bytes == len(there)
    switch.put(
        entries.timers(activity_window_us=60_000_000, affinity_timeout_us=1),
        entries.flow_to_instance(flow, 2),
    )
    assert switch.process(SERVER, back) == [Out(NF2, back)]
    found = switch.fit()[flow]
    assert (found.bytes, found.instance) == (len(there) + len(back), 2)


def _reversed(payload: Packet) -> Packet:
    packet = payload.copy()
    if isinstance(packet, TCP | UDP):
        packet.sport, packet.dport = packet.dport, packet.sport
    elif isinstance(packet, ICMP) and packet.type in (0, 8):
        packet.type = 8 - packet.type
    return packet


@pytest.mark.parametrize(
    ("sport", "dport"), [(11, 12), (14, 13), (15, 15)], ids=["lower first", "higher first", "equal"]
)
def test_a_host_that_talks_to_itself(switch: PtfSwitch, sport: int, dport: int) -> None:
    """With equal addresses the lower port comes first."""
    switch.put(entries.steer(CLIENTS, CLIENTS, None, 1))
    frame = to_server(TCP(sport=sport, dport=dport, flags="FA"), dst="10.0.1.10")
    back = to_server(TCP(sport=dport, dport=sport, flags="A"), dst="10.0.1.10")
    flow = flow_of(frame, sport, dport)
    switch.put(entries.flow_to_instance(flow, 2))
    assert switch.process(CLIENT, frame) == [Out(NF2, frame)]
    assert switch.process(CLIENT, back) == [Out(NF2, back)]
    found = switch.fit()[flow]
    assert (found.bytes, found.ends) == (len(frame) + len(back), 1 if sport <= dport else 2)
