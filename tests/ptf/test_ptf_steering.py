"""Which instance a packet goes to, and that it is not steered twice.

Run: python -m testbed.sandbox pytest tests/ptf/test_ptf_steering.py
"""

from __future__ import annotations

from ipaddress import IPv4Network
from random import Random

import pytest
from ptf_fates import Dropped, Fate, Out
from ptf_frames import at_host, bounced, flow_of, padded, to_client, to_server
from ptf_network import CLIENT, NF1, NF2, SERVER
from ptf_switch import PtfSwitch
from scapy.layers.inet import ICMP, TCP, UDP
from scapy.packet import Packet, Raw

from controlplane import p4_constants as p4
from controlplane.switch import entries
from controlplane.switch.entries import ANY, Entry, Ternary
from nf.southbound.flow import FiveTuple
from testbed import plan

CLIENTS, SERVERS = plan.CLIENT.address.network, plan.SERVER.address.network
GROUP, OTHER_GROUP = 1, 2
TCP_80 = TCP(sport=1080, dport=80) / Raw(b"GET /")
UDP_53 = UDP(sport=1053, dport=53)


def bypass(priority: int, source: Ternary = ANY, protocol: Ternary = ANY) -> Entry:
    return Entry(entries.STEER, (source, ANY, protocol), "bypass", (), priority)


# --- steer -----------------------------------------------------------------------

DIRECT = Out(SERVER, at_host(SERVER, to_server(TCP_80)))
STEERED = Out(NF1, to_server(TCP_80))
TO_SERVERS = entries.steer(CLIENTS, SERVERS, None, GROUP)
TO_CLIENTS = entries.steer(SERVERS, CLIENTS, None, GROUP)
NOBODY = Ternary(0x0A000164, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param(*row, id=name)
        for name, *row in [
            ("both directions", [TO_SERVERS, TO_CLIENTS], STEERED),
            ("this direction", [TO_SERVERS], STEERED),
            ("the other direction", [TO_CLIENTS], DIRECT),
            ("none", [], DIRECT),
            ("its protocol", [entries.steer(CLIENTS, SERVERS, 6, GROUP)], STEERED),
            ("another protocol", [entries.steer(CLIENTS, SERVERS, 17, GROUP)], DIRECT),
            ("a larger network", [entries.steer(IPv4Network("0.0.0.0/0"), SERVERS, 6, 1)], STEERED),
            ("an exception first", [TO_SERVERS, bypass(2, protocol=Ternary(6, 255))], DIRECT),
            ("an exception of others", [TO_SERVERS, bypass(2, source=NOBODY)], STEERED),
            ("an exception last", [TO_SERVERS._replace(priority=3), bypass(2)], STEERED),
            ("another group", [entries.steer(CLIENTS, SERVERS, None, OTHER_GROUP)],
                Out(NF2, to_server(TCP_80))),
            ("a group without buckets", [entries.steer(CLIENTS, SERVERS, None, 3)],
                Dropped(p4.DROP_NO_OWNER)),
        ]
    ],
)  # fmt: skip
def test_which_traffic_is_steered(switch: PtfSwitch, rules: list[Entry], expected: Fate) -> None:
    switch.remove(TO_SERVERS, TO_CLIENTS)
    switch.put(*(entries.bucket(OTHER_GROUP, number, 2) for number in range(p4.BUCKETS)), *rules)
    assert switch.process(CLIENT, to_server(TCP_80)) == [expected]


# --- on the way to an instance and back ---------------------------------------------


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(TCP_80, id="TCP"),
        pytest.param(UDP_53, id="UDP"),
        pytest.param(ICMP(), id="ICMP"),
        pytest.param(UDP_53 / bytes(1472), id="of full size"),
    ],
)
def test_through_an_instance(switch: PtfSwitch, packet: Packet) -> None:
    """To the instance unchanged; from there it is routed, and never steered again."""
    for sender, receiver, frame in (
        (CLIENT, SERVER, to_server(packet)),
        (SERVER, CLIENT, to_client(packet)),
    ):
        assert switch.process(sender, frame) == [Out(NF1, frame)]
        assert switch.process(NF1, frame) == [Out(receiver, at_host(receiver, frame))]
        # From whatever instance: a moved flow's last packets come back from the old one.
        assert switch.process(NF2, frame) == [Out(receiver, at_host(receiver, frame))]


@pytest.mark.parametrize(
    ("port", "frame", "expected"),
    [
        pytest.param(*row, id=name)
        for name, *row in [
            ("TTL 1 reaches the instance", CLIENT, to_server(UDP_53, ttl=1),
                Out(NF1, to_server(UDP_53, ttl=1))),
            ("TTL 1 from the instance", NF1, to_server(UDP_53, ttl=1), Dropped(p4.DROP_TTL)),
            ("TTL 2 from the instance", NF1, to_server(UDP_53, ttl=2),
                Out(SERVER, at_host(SERVER, to_server(UDP_53, ttl=2)))),
            ("padding stays", CLIENT, padded(to_server(UDP_53)),
                Out(NF1, padded(to_server(UDP_53)))),
            ("no route needed", CLIENT, to_server(UDP_53, dst="10.0.2.99"),
                Out(NF1, to_server(UDP_53, dst="10.0.2.99"))),
            ("no route from the instance", NF1, to_server(UDP_53, dst="10.0.2.99"),
                Dropped(p4.DROP_NO_ROUTE)),
            ("a host's bounce is none", CLIENT, bounced(to_server(UDP_53)),
                Out(NF1, bounced(to_server(UDP_53)))),
        ]
    ],
)  # fmt: skip
def test_edges(switch: PtfSwitch, port: int, frame: bytes, expected: Fate) -> None:
    assert switch.process(port, frame) == [expected]


def test_an_instance_s_port_is_a_matter_of_nf_ports(switch: PtfSwitch) -> None:
    """What comes in by a port that no instance is on is a host's, and is steered."""
    frame = to_server(UDP_53)
    switch.put(Entry(entries.NF_PORTS, (NF2,), "from_host", ()))
    assert switch.process(NF2, frame) == [Out(NF1, frame)]
    switch.put(entries.nf_port(CLIENT, 7))
    assert switch.process(CLIENT, frame) == [Out(SERVER, at_host(SERVER, frame))]


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(None, id="none"),
        pytest.param(Entry(entries.INSTANCES, (1,), "no_port", ()), id="an exception"),
    ],
)
def test_an_instance_without_a_port(switch: PtfSwitch, entry: Entry | None) -> None:
    if entry is None:
        switch.remove(entries.instance_port(1, NF1))
    else:
        switch.put(entry)
    assert switch.process(CLIENT, to_server(TCP_80)) == [Dropped(p4.DROP_NO_INSTANCE)]


# --- buckets ---------------------------------------------------------------------


def test_the_flow_s_hash_chooses_the_bucket(switch: PtfSwitch, random: Random) -> None:
    """All buckets are reached, each by the flows that CRC-32 says."""
    owners = [random.choice([1, 2, 0]) for _ in range(p4.BUCKETS)]
    switch.put(*(entries.bucket(GROUP, number, owner) for number, owner in enumerate(owners)))
    frames: dict[int, list[bytes]] = {0: [], 1: [], 2: []}
    reached: set[int] = set()
    for _ in range(400):
        port = switch.unused_port()
        frame = to_server(TCP(sport=port, dport=443))
        bucket = flow_of(frame, port, 443).bucket
        reached.add(bucket)
        frames[owners[bucket]].append(frame)
    assert len(reached) == p4.BUCKETS
    sent = [frame for each in frames.values() for frame in each]
    dropped = [Dropped(p4.DROP_NO_OWNER)] * len(frames[0])
    expected = [Out(NF1, each) for each in frames[1]] + [Out(NF2, each) for each in frames[2]]
    assert switch.process(CLIENT, *sent) == expected + dropped


@pytest.mark.parametrize("packet", [TCP(sport=7, dport=9), UDP(sport=9, dport=7), ICMP(id=5), b""])
def test_both_directions_reach_the_same_instance(
    switch: PtfSwitch, random: Random, packet: Packet | bytes
) -> None:
    """However the buckets are dealt out, and whichever address is the lower one."""
    switch.put(*(entries.bucket(GROUP, each, random.choice([1, 2])) for each in range(p4.BUCKETS)))
    back = packet.copy() if isinstance(packet, Packet) else packet
    if isinstance(back, TCP | UDP):
        back.sport, back.dport = back.dport, back.sport
    elif isinstance(back, ICMP):
        back.type = 0
    for client in range(1, 100):
        there = to_server(packet, src=f"10.0.1.{client}")
        again = to_client(back, dst=f"10.0.1.{client}")
        (out,) = switch.process(CLIENT, there)
        assert isinstance(out, Out)
        assert out.port in (NF1, NF2)
        assert switch.process(SERVER, again) == [Out(out.port, again)]


# --- flow rules --------------------------------------------------------------------

FRAME = to_server(TCP_80)
FLOW = flow_of(FRAME, 1080, 80)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param(*row, id=name)
        for name, *row in [
            ("to the other instance", [entries.flow_to_instance(FLOW, 2)], Out(NF2, FRAME)),
            ("to its owner", [entries.flow_to_instance(FLOW, 1)], Out(NF1, FRAME)),
            ("to nobody", [entries.flow_to_instance(FLOW, 9)], Dropped(p4.DROP_NO_INSTANCE)),
            ("no rule by name", [Entry(entries.FLOW_RULES, FLOW, "no_rule", ())], Out(NF1, FRAME)),
        ]
    ],
)  # fmt: skip
def test_a_rule_of_the_flow_s_own_goes_first(
    switch: PtfSwitch, rules: list[Entry], expected: Fate
) -> None:
    switch.put(*rules)
    assert switch.process(CLIENT, FRAME) == [expected]
    switch.remove(*rules)
    assert switch.process(CLIENT, FRAME) == [Out(NF1, FRAME)]


@pytest.mark.parametrize("field", FLOW._fields)
def test_a_rule_of_another_flow(switch: PtfSwitch, field: str) -> None:
    switch.put(entries.flow_to_instance(FLOW._replace(**{field: getattr(FLOW, field) + 1}), 2))
    assert switch.process(CLIENT, FRAME) == [Out(NF1, FRAME)]


def test_a_rule_holds_for_both_directions(switch: PtfSwitch) -> None:
    back = to_client(TCP(sport=80, dport=1080))
    switch.put(entries.flow_to_instance(FLOW, 2))
    assert switch.process(CLIENT, FRAME) == [Out(NF2, FRAME)]
    assert switch.process(SERVER, back) == [Out(NF2, back)]


def test_a_rule_needs_no_owner_of_the_bucket(switch: PtfSwitch) -> None:
    switch.put(entries.bucket(GROUP, FLOW.bucket, 0), entries.flow_to_instance(FLOW, 2))
    assert switch.process(CLIENT, FRAME) == [Out(NF2, FRAME)]


def test_a_rule_says_nothing_of_traffic_that_is_not_steered(switch: PtfSwitch) -> None:
    switch.remove(TO_SERVERS, TO_CLIENTS)
    switch.put(entries.flow_to_instance(FLOW, 2))
    assert switch.process(CLIENT, FRAME) == [Out(SERVER, at_host(SERVER, FRAME))]


def test_many_rules(switch: PtfSwitch, random: Random) -> None:
    """Each of a thousand flows goes where its rule says."""
    flows = {
        port: (
            FiveTuple.of(FLOW.low_address, FLOW.high_address, port, 80, 6),
            random.choice([1, 2]),
        )
        for port in random.sample(range(1024, 65536), 1000)
    }
    switch.put(*(entries.flow_to_instance(flow, number) for flow, number in flows.values()))
    frames: dict[int, list[bytes]] = {1: [], 2: []}
    for port, (_, number) in flows.items():
        frames[number].append(to_server(TCP(sport=port, dport=80)))
    expected = [Out(port, each) for port, number in ((NF1, 1), (NF2, 2)) for each in frames[number]]
    assert switch.process(CLIENT, *frames[1], *frames[2]) == expected
