"""Packets that an instance hands back because it has no state for their flow.

Run: python -m testbed.sandbox pytest tests/ptf/test_ptf_bounce.py
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ptf_fates import Dropped, Fate, Out
from ptf_frames import at_host, bounced, flow_of, steered, to_client, to_server, unmarked
from ptf_network import CLIENT, NF1, NF2, SERVER
from ptf_switch import PtfSwitch
from scapy.layers.inet import TCP, UDP

from controlplane import p4_constants as p4
from controlplane.switch import entries
from controlplane.switch.entries import Entry
from controlplane.switch.packets import PacketIn, PacketOut

GROUP = 1
FRAME = to_server(TCP(sport=3080, dport=80))
BACK = to_client(TCP(sport=80, dport=3080))
FLOW = flow_of(FRAME, 3080, 80)
FULL = to_server(UDP(sport=1, dport=2) / bytes(1472))
ELSEWHERE = to_server(TCP(sport=3080, dport=80), src="192.168.0.1")


def buckets(owner: int, previous: int = 0) -> list[Entry]:
    return [entries.bucket(GROUP, number, owner, previous) for number in range(p4.BUCKETS)]


def refused(instance: int, port: int, frame: bytes = FRAME) -> PacketIn:
    return PacketIn(p4.PACKET_IN_BOUNCE, instance, port, 0, unmarked(frame))


@pytest.mark.parametrize(
    ("tables", "port", "frame", "expected"),
    [
        pytest.param(*row, id=name)
        for name, *row in [
            ("to the owner", buckets(2), NF1, FRAME, Out(NF2, unmarked(FRAME))),
            ("of the other direction", buckets(2), NF1, BACK, Out(NF2, unmarked(BACK))),
            ("to the owner, not to the previous one", buckets(2, 1), NF1, FRAME,
                Out(NF2, unmarked(FRAME))),
            ("of full size", buckets(2), NF1, FULL, Out(NF2, unmarked(FULL))),
            ("TTL 1", buckets(2), NF1, to_server(ttl=1), Out(NF2, unmarked(to_server(ttl=1)))),
            ("by the owner", buckets(2), NF2, FRAME, refused(2, NF2)),
            ("by the owner of a drained bucket", buckets(2, 1), NF2, FRAME, refused(2, NF2)),
            ("no owner", buckets(0), NF1, FRAME, Dropped(p4.DROP_NO_OWNER)),
            ("an owner without a port", buckets(9), NF1, FRAME, Dropped(p4.DROP_NO_INSTANCE)),
            ("with a rule", [*buckets(2), entries.flow_to_instance(FLOW, 1)], NF1, FRAME,
                Out(NF2, unmarked(FRAME))),
            ("while it is held", [*buckets(2), entries.flow_hold(FLOW, 4)], NF1, FRAME,
                Out(NF2, unmarked(FRAME))),
            ("not steered", buckets(2), NF1, ELSEWHERE, Out(SERVER, at_host(SERVER, ELSEWHERE))),
        ]
    ],
)  # fmt: skip
def test_bounce(
    switch: PtfSwitch, tables: Sequence[Entry], port: int, frame: bytes, expected: Fate
) -> None:
    switch.put(*tables)
    assert switch.process(port, bounced(frame)) == [expected]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        pytest.param(bytes(12) + b"\x88\xb5" + bytes(46), p4.DROP_NOT_IPV4, id="no IPv4"),
        pytest.param(FRAME[:40], p4.DROP_MALFORMED, id="malformed"),
        pytest.param(FRAME[:24] + b"\0\0" + FRAME[26:], p4.DROP_CHECKSUM, id="checksum"),
    ],
)
def test_a_bounce_of_something_else(switch: PtfSwitch, frame: bytes, reason: int) -> None:
    assert switch.process(NF1, bounced(frame)) == [Dropped(reason)]


def test_a_bounce_is_processed_once(switch: PtfSwitch) -> None:
    """The owner returns what it gets as it is; that must not be taken for a bounce."""
    switch.put(*buckets(2))
    (fate,) = switch.process(NF1, bounced(FRAME))
    assert isinstance(fate, Out)
    assert switch.process(fate.port, fate.frame) == [Out(SERVER, at_host(SERVER, FRAME))]


def test_a_refused_packet_can_be_released(switch: PtfSwitch) -> None:
    """The same for one that the controller sends on."""
    (packet,) = switch.process(NF1, bounced(FRAME))
    assert isinstance(packet, PacketIn)
    release = PacketOut(p4.PACKET_OUT_RELEASE, packet.payload, instance=2)
    (fate,) = switch.packet_out(release)
    assert isinstance(fate, Out)
    assert switch.process(fate.port, fate.frame) == [Out(SERVER, at_host(SERVER, FRAME))]


def test_a_bounce_is_not_counted_again(switch: PtfSwitch) -> None:
    """The flow's bytes were counted when the packet came from its host."""
    switch.put(*buckets(1))
    switch.process(CLIENT, FRAME)
    before = switch.fit()[FLOW]
    switch.put(*buckets(2))
    assert switch.process(NF1, bounced(FRAME)) == [Out(NF2, unmarked(FRAME))]
    assert switch.fit()[FLOW] == before


def test_a_bounce_does_not_go_back_to_where_the_flow_was_seen(switch: PtfSwitch) -> None:
    """The previous owner has seen the flow, yet it has no state of it any more."""
    frame = to_server(TCP(sport=3082, dport=80))
    assert switch.process(CLIENT, frame) == [Out(NF1, frame)]
    switch.put(*buckets(2, 1))
    assert switch.process(CLIENT, frame) == [Out(NF1, frame)]
    assert switch.process(NF1, bounced(frame)) == [Out(NF2, unmarked(frame))]


def test_a_third_instance_s_bounce_goes_to_where_the_flow_was_seen(switch: PtfSwitch) -> None:
    """A rule has led it there. Had both that share the bucket forgotten it, it comes up here."""
    frame = to_server(TCP(sport=3083, dport=80))
    switch.put(*buckets(9, 1))
    assert switch.process(NF2, bounced(frame)) == [Dropped(p4.DROP_NO_INSTANCE)]
    switch.put(*buckets(1))
    assert switch.process(CLIENT, frame) == [Out(NF1, frame)]
    switch.put(*buckets(9, 1))
    assert switch.process(NF2, bounced(frame)) == [Out(NF1, steered(frame))]
    switch.put(*buckets(2, 1))
    assert switch.process(NF1, bounced(frame)) == [Out(NF2, unmarked(frame))]
    assert switch.process(NF2, bounced(frame)) == [refused(2, NF2, frame)]


def test_a_bounced_flow_belongs_to_the_owner_from_then_on(switch: PtfSwitch) -> None:
    """The owner is turned again: the flow stays where the bounce went."""
    frame = to_server(TCP(sport=3081, dport=80))
    switch.put(*buckets(2))
    assert switch.process(NF1, bounced(frame)) == [Out(NF2, unmarked(frame))]
    switch.put(*buckets(1, 2))
    assert switch.process(CLIENT, frame) == [Out(NF2, frame)]
