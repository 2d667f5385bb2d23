"""Between the switch and the controller: held flows, releases, markers, barriers.

Run: python -m testbed.sandbox pytest tests/ptf/test_ptf_packet_io.py
"""

from __future__ import annotations

import pytest
from ptf_fates import Dropped, Fate, Out
from ptf_frames import flow_of, padded, to_client, to_server
from ptf_network import CLIENT, NF1, NF2, PORTS, SERVER
from ptf_switch import PtfSwitch
from scapy.layers.inet import TCP, UDP
from scapy.packet import Raw

from controlplane import p4_constants as p4
from controlplane.switch import entries
from controlplane.switch.packets import PacketIn, PacketOut
from nf.southbound.inband import build_marker

FRAME = to_server(TCP(sport=2080, dport=80) / Raw(b"GET /"))
BACK = to_client(TCP(sport=80, dport=2080) / Raw(b"200"))
FULL = to_server(TCP(sport=2080, dport=80) / Raw(bytes(1460)))
FLOW = flow_of(FRAME, 2080, 80)
OTHER = to_server(TCP(sport=2081, dport=80))


def held(frame: bytes, migration: int, port: int = CLIENT) -> PacketIn:
    return PacketIn(p4.PACKET_IN_HOLD, 0, port, migration, frame)


def release(instance: int, frame: bytes = FRAME) -> PacketOut:
    return PacketOut(p4.PACKET_OUT_RELEASE, frame, instance=instance)


# --- hold ------------------------------------------------------------------------


@pytest.mark.parametrize("migration", [1, 0x80000000, 0xFE0BFFFF])
@pytest.mark.parametrize(
    ("port", "frame"),
    [
        pytest.param(CLIENT, FRAME, id="from the client"),
        pytest.param(SERVER, BACK, id="from the server"),
        pytest.param(CLIENT, FULL, id="of full size"),
        pytest.param(CLIENT, padded(to_server(TCP(sport=2080, dport=80))), id="padded"),
        pytest.param(CLIENT, to_server(TCP(sport=2080, dport=80), ttl=1), id="TTL 1"),
    ],
)
def test_a_held_packet_comes_to_the_controller(
    switch: PtfSwitch, port: int, frame: bytes, migration: int
) -> None:
    switch.put(entries.flow_hold(FLOW, migration))
    assert switch.process(port, frame) == [held(frame, migration, port)]


def test_only_the_flow_is_held(switch: PtfSwitch) -> None:
    switch.put(entries.flow_hold(FLOW, 5))
    assert switch.process(CLIENT, OTHER, FRAME) == [Out(NF1, OTHER), held(FRAME, 5)]


def test_what_the_source_still_returns_is_not_held(switch: PtfSwitch) -> None:
    switch.put(entries.flow_hold(FLOW, 5))
    (fate,) = switch.process(NF1, FRAME)
    assert isinstance(fate, Out)
    assert fate.port == SERVER


def test_a_flow_without_an_owner_is_held(switch: PtfSwitch) -> None:
    switch.put(*(entries.bucket(1, number, 0) for number in range(p4.BUCKETS)))
    switch.put(entries.flow_hold(FLOW, 5))
    assert switch.process(CLIENT, FRAME) == [held(FRAME, 5)]


def test_hold_and_release_keep_the_order(switch: PtfSwitch) -> None:
    """The way of a flow that is moved: to nf1, held, released to nf2, steered to nf2."""
    frames = [to_server(TCP(sport=2080, dport=80, seq=number)) for number in range(100)]
    assert switch.process(CLIENT, *frames[:10]) == [Out(NF1, each) for each in frames[:10]]
    switch.put(entries.flow_hold(FLOW, 6))
    assert switch.process(CLIENT, *frames[10:90]) == [held(each, 6) for each in frames[10:90]]
    assert switch.packet_out(*(release(2, each) for each in frames[10:90])) == [
        Out(NF2, each) for each in frames[10:90]
    ]
    switch.put(entries.flow_to_instance(FLOW, 2))
    assert switch.process(CLIENT, *frames[90:]) == [Out(NF2, each) for each in frames[90:]]


def test_a_barrier_comes_behind_all_that_is_held(switch: PtfSwitch) -> None:
    """Sent when the switch has decided on the frames, it tells that they have arrived."""
    switch.put(entries.flow_hold(FLOW, 7))
    frames = [to_server(TCP(sport=2080, dport=80, seq=number)) for number in range(50)]
    fates = switch.process(CLIENT, *frames)  # behind it `process` sends a barrier
    assert fates == [held(each, 7) for each in frames]


# --- packet_out --------------------------------------------------------------------

MARKER = build_marker(0x0123456789ABCDEF)
NO_IPV4 = padded(b"\xff" * 14)


def barrier(migration: int) -> PacketOut:
    return PacketOut(p4.PACKET_OUT_BARRIER, MARKER, migration=migration)


def came_back(migration: int) -> PacketIn:
    return PacketIn(p4.PACKET_IN_BARRIER, 0, p4.CPU_PORT, migration, MARKER)


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        pytest.param(*row, id=name)
        for name, *row in [
            ("release to nf1", release(1), Out(NF1, FRAME)),
            ("release to nf2", release(2), Out(NF2, FRAME)),
            ("release of full size", release(2, FULL), Out(NF2, FULL)),
            ("release of TTL 1", release(2, to_server(ttl=1)), Out(NF2, to_server(ttl=1))),
            ("release of no IPv4", release(2, NO_IPV4), Out(NF2, NO_IPV4)),
            ("release to an unknown one", release(9), Dropped(p4.DROP_NO_INSTANCE)),
            ("release to nobody", release(0), Dropped(p4.DROP_NO_INSTANCE)),
            ("marker", PacketOut(p4.PACKET_OUT_MARKER, MARKER, instance=1), Out(NF1, MARKER)),
            ("marker to an unknown one", PacketOut(p4.PACKET_OUT_MARKER, MARKER, instance=9),
                Dropped(p4.DROP_NO_INSTANCE)),
            ("marker to nobody", PacketOut(p4.PACKET_OUT_MARKER, MARKER),
                Dropped(p4.DROP_NO_INSTANCE)),
            ("barrier 1", barrier(1), came_back(1)),
            ("barrier 0xfe000000", barrier(0xFE000000), came_back(0xFE000000)),
            ("an unknown kind", PacketOut(4, FRAME, instance=1, egress_port=1),
                Dropped(p4.DROP_NO_INSTANCE)),
            ("kind 255", PacketOut(255, FRAME, instance=1), Dropped(p4.DROP_NO_INSTANCE)),
            *((f"port {port}", PacketOut(p4.PACKET_OUT_PORT, FRAME, egress_port=port),
                Out(port, FRAME)) for port in PORTS),
        ]
    ],
)  # fmt: skip
def test_packet_out(switch: PtfSwitch, packet: PacketOut, expected: Fate) -> None:
    assert switch.packet_out(packet) == [expected]


def test_a_release_is_neither_held_nor_counted_again(switch: PtfSwitch) -> None:
    switch.put(entries.flow_hold(FLOW, 8))
    switch.process(CLIENT, FRAME)
    before = switch.fit()[FLOW]
    assert switch.packet_out(release(2)) == [Out(NF2, FRAME)]
    assert switch.fit()[FLOW] == before


def test_packet_outs_keep_their_order(switch: PtfSwitch) -> None:
    """Releases, then the marker: an instance that has read it has read them."""
    frames = [to_server(UDP(sport=4, dport=number)) for number in range(1, 100)]
    packets = [release(1, each) for each in frames]
    packets.append(PacketOut(p4.PACKET_OUT_MARKER, MARKER, instance=1))
    assert switch.packet_out(*packets, barrier(3), barrier(4)) == [
        *(Out(NF1, each) for each in frames),
        Out(NF1, MARKER),
        came_back(3),
        came_back(4),
    ]


def test_a_marker_comes_behind_what_was_steered(switch: PtfSwitch) -> None:
    frames = [to_server(TCP(sport=2080, dport=80, seq=number)) for number in range(50)]
    assert switch.process(CLIENT, *frames) == [Out(NF1, each) for each in frames]
    switch.put(entries.flow_hold(FLOW, 9))
    marker = PacketOut(p4.PACKET_OUT_MARKER, MARKER, instance=1)
    assert switch.packet_out(marker) == [Out(NF1, MARKER)]
    assert switch.process(NF1, MARKER) == [Dropped(p4.DROP_NOT_IPV4)]  # if it were returned
