"""ARP and IPv4 routing: python -m testbed.sandbox pytest tests/ptf/test_ptf_routing.py"""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from ptf_fates import Dropped, Out
from ptf_frames import (
    GATEWAY_MAC,
    at_host,
    padded,
    routed,
    to_client,
    to_server,
)
from ptf_network import CLIENT, NF1, NF2, SERVER
from ptf_switch import PtfSwitch
from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from controlplane import p4_constants as p4
from controlplane.switch import entries
from controlplane.switch.entries import Entry, Lpm
from testbed import plan

MAC, ADDRESS, GATEWAY = plan.CLIENT.mac, str(plan.CLIENT.address.ip), str(plan.CLIENT.gateway)


@pytest.fixture
def routing(switch: PtfSwitch) -> PtfSwitch:
    """Nothing is steered."""
    clients, servers = plan.CLIENT.address.network, plan.SERVER.address.network
    switch.remove(
        entries.steer(clients, servers, None, 1), entries.steer(servers, clients, None, 1)
    )
    return switch


def route(network: str, port: int, mac: str) -> Entry:
    return entries.route(IPv4Network(network), port, 0x020000000BAD, int(mac.replace(":", ""), 16))


# --- ARP -------------------------------------------------------------------------


def question(source: str = ADDRESS, target: str = GATEWAY, **more: object) -> Packet:
    return Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(
        op="who-has", hwsrc=MAC, psrc=source, pdst=target, **more
    )


ARRIVED = Ether(src=MAC, dst=GATEWAY_MAC) / ARP(
    op="is-at", hwsrc=MAC, psrc=ADDRESS, hwdst=GATEWAY_MAC, pdst=GATEWAY
)


def answer(source: str = ADDRESS, target: str = GATEWAY) -> Packet:
    return Ether(src=GATEWAY_MAC, dst=MAC) / ARP(
        op="is-at", hwsrc=GATEWAY_MAC, psrc=target, hwdst=MAC, pdst=source
    )


@pytest.mark.parametrize("port", [CLIENT, SERVER, NF1, NF2])
@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        pytest.param(question(), answer(), id="a gateway"),
        pytest.param(
            question(target=str(plan.SERVER.gateway)),
            answer(target=str(plan.SERVER.gateway)),
            id="the other gateway",
        ),
        pytest.param(question(source="0.0.0.0"), answer(source="0.0.0.0"), id="a probe"),
        pytest.param(
            question() / Raw(bytes(18)), answer() / Raw(bytes(18)), id="padding stays behind it"
        ),
    ],
)
def test_a_gateway_answers(routing: PtfSwitch, port: int, asked: Packet, answered: Packet) -> None:
    assert routing.process(port, bytes(asked)) == [Out(port, bytes(answered))]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(bytes(question(target=str(plan.SERVER.address.ip))), id="a host's address"),
        pytest.param(bytes(ARRIVED), id="an answer to the gateway"),
        pytest.param(bytes(Ether(type=0x86DD) / Raw(bytes(40))), id="IPv6"),
        pytest.param(bytes(Ether() / Dot1Q(vlan=5) / question()[ARP]), id="ARP with a VLAN tag"),
        pytest.param(bytes(Ether(type=p4.MARKER_ETHERTYPE) / Raw(bytes(46))), id="a marker"),
        pytest.param(bytes(Ether(type=46) / Raw(bytes(46))), id="IEEE 802.3"),
    ],
)
def test_what_is_neither_ipv4_nor_asks_for_a_gateway_is_dropped(
    routing: PtfSwitch, frame: bytes
) -> None:
    assert routing.process(CLIENT, frame) == [Dropped(p4.DROP_NOT_IPV4)]


def test_an_address_can_be_excepted_from_the_gateways(routing: PtfSwitch) -> None:
    routing.put(Entry(entries.GATEWAYS, (int(plan.CLIENT.gateway),), "ignore", ()))
    assert routing.process(CLIENT, bytes(question())) == [Dropped(p4.DROP_NOT_IPV4)]


# --- IPv4 ------------------------------------------------------------------------

UDP_53 = UDP(sport=1053, dport=53) / Raw(b"who?")
TCP_80 = TCP(sport=1080, dport=80, flags="PA") / Raw(b"GET /")


@pytest.mark.parametrize(
    ("port", "frame", "fate"),
    [
        pytest.param(*row, id=name)
        for name, *row in [
            ("TCP to the server", CLIENT, to_server(TCP_80), SERVER),
            ("TCP to the client", SERVER, to_client(TCP_80), CLIENT),
            ("UDP", CLIENT, to_server(UDP_53), SERVER),
            ("ICMP", CLIENT, to_server(ICMP()), SERVER),
            ("another protocol", CLIENT, to_server(b"any", proto=99), SERVER),
            ("no payload", CLIENT, to_server(proto=99), SERVER),
            ("back to its port", CLIENT, to_client(UDP_53), CLIENT),
            ("padding stays", CLIENT, padded(to_server(UDP_53)), SERVER),
            ("of full size", CLIENT, to_server(UDP_53 / bytes(1468)), SERVER),
            ("TTL 2", CLIENT, to_server(UDP_53, ttl=2), SERVER),
            ("TTL 255", CLIENT, to_server(UDP_53, ttl=255), SERVER),
            ("TTL 1", CLIENT, to_server(UDP_53, ttl=1), Dropped(p4.DROP_TTL)),
            ("TTL 0", CLIENT, to_server(UDP_53, ttl=0), Dropped(p4.DROP_TTL)),
            ("no route", CLIENT, to_server(UDP_53, dst="10.0.3.1"), Dropped(p4.DROP_NO_ROUTE)),
            ("to the gateway", CLIENT, to_server(ICMP(), dst=GATEWAY), Dropped(p4.DROP_NO_ROUTE)),
            ("no route, TTL 1", CLIENT, to_server(dst="10.0.3.1", ttl=1), Dropped(p4.DROP_TTL)),
        ]
    ],
)
def test_routing(routing: PtfSwitch, port: int, frame: bytes, fate: int | Dropped) -> None:
    expected = fate if isinstance(fate, Dropped) else Out(fate, at_host(fate, frame))
    assert routing.process(port, frame) == [expected]


@pytest.mark.parametrize("identification", [0, 1, 0x7FFF, 0x8000, 0xFFFF])
@pytest.mark.parametrize("options", [b"", b"\x01\x01\x01\x00", bytes([68, 40, 5, 0]) + bytes(36)])
def test_the_checksum_is_that_of_the_new_header(
    routing: PtfSwitch, identification: int, options: bytes
) -> None:
    frame = to_server(UDP_53, id=identification, tos=0xFF, flags="DF", options=raw_options(options))
    assert routing.process(CLIENT, frame) == [Out(SERVER, at_host(SERVER, frame))]


def raw_options(options: bytes) -> list[Packet]:
    return [Raw(options)] if options else []


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("10.9.8.7", plan.NF2),
        ("10.9.8.8", plan.NF1),
        ("10.9.9.1", plan.SERVER),
        ("172.16.0.1", plan.CLIENT),
        ("10.9.7.1", None),
    ],
)
def test_the_longest_prefix_decides(
    routing: PtfSwitch, destination: str, expected: plan.Host | plan.Instance | None
) -> None:
    routing.put(
        route("10.9.8.7/32", NF2, plan.NF2.mac),
        route("0.0.0.0/0", CLIENT, plan.CLIENT.mac),
        route("10.9.0.0/16", SERVER, plan.SERVER.mac),
        route("10.9.8.0/24", NF1, plan.NF1.mac),
        Entry(entries.ROUTES, (Lpm(0x0A090700, 24),), "unknown", ()),
    )
    frame = to_server(UDP_53, dst=destination)
    assert routing.process(CLIENT, frame) == [
        Out(expected.port, routed(frame, expected.mac, "02:00:00:00:0b:ad"))
        if expected
        else Dropped(p4.DROP_NO_ROUTE)
    ]


def test_frames_of_one_port_keep_their_order(routing: PtfSwitch) -> None:
    frames = [to_server(UDP(sport=9, dport=number)) for number in range(200)]
    assert routing.process(CLIENT, *frames) == [
        Out(SERVER, at_host(SERVER, each)) for each in frames
    ]
