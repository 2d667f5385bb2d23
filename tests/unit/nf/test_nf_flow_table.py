"""Flows come, end, idle and go. Run: pytest tests/unit/nf/test_nf_flow_table.py"""

from __future__ import annotations

import pytest
from nf_frames import ACK, CLIENT, FIN, FLOW, RST, SERVER, SYN, tcp, udp

from nf.asset_monitor.connection import Connection
from nf.asset_monitor.monitor import AssetMonitor
from nf.runtime.flow_table import FlowTable, FlowTableOptions
from nf.runtime.function import StateError
from nf.southbound.flow import ALL_BUCKETS, FiveTuple
from nf.southbound.packet import Packet

S = 1_000_000
OPTIONS = FlowTableOptions(linger_s=2, tcp_idle_s=60, other_idle_s=30, max_flows=3)
DATAGRAMS = FiveTuple(CLIENT, SERVER, 5000, 53, 17)


class Bed:
    """A flow table, and packets for it."""

    def __init__(self) -> None:
        self.table = FlowTable(AssetMonitor(), OPTIONS)

    def send(self, frame: bytearray, at_s: float) -> Connection | None:
        packet = Packet()
        assert packet.read(memoryview(frame))
        state = self.table.state_for(packet, round(at_s * S))
        if state is not None:
            self.table.count(packet, state, round(at_s * S))
        return state

    def expire(self, at_s: float) -> None:
        while self.table.expire(round(at_s * S), 10):
            pass


def test_packets_are_counted_by_direction() -> None:
    bed = Bed()
    state = bed.send(tcp(SYN), 1)
    assert state is not None
    assert bed.send(tcp(SYN | ACK, from_low=False), 2) is state
    assert bed.send(tcp(ACK, b"abc"), 3) is state
    assert (state.packets_from_low, state.packets_from_high, state.packets) == (2, 1, 3)
    assert (state.bytes_from_low, state.bytes_from_high, state.bytes) == (54 + 57, 54, 165)
    assert (state.tcp_flags_from_low, state.tcp_flags_from_high) == (SYN | ACK, SYN | ACK)
    assert (state.first_seen_us, state.last_seen_us) == (1 * S, 3 * S)
    assert (len(bed.table), bed.table.created) == (1, 1)


ENDS = {
    "reset": [tcp(SYN), tcp(RST, from_low=False)],
    "closed": [tcp(SYN), tcp(FIN | ACK), tcp(FIN | ACK, from_low=False)],
}


@pytest.mark.parametrize("case", ENDS)
def test_an_ended_connection_lingers(case: str) -> None:
    bed = Bed()
    for frame in ENDS[case]:
        bed.send(frame, 10)
    bed.send(tcp(ACK), 11)
    bed.expire(12.9)
    assert bed.table.get(FLOW) is not None
    bed.expire(13.1)
    assert (len(bed.table), bed.table.expired) == (0, 1)


def test_half_closed_is_not_ended() -> None:
    bed = Bed()
    bed.send(tcp(FIN | ACK), 0)
    bed.send(tcp(ACK, from_low=False), 0)
    bed.expire(59)
    assert len(bed.table) == 1


@pytest.mark.parametrize(
    ("frame", "timeout_s"), [(tcp(ACK), 60), (udp(b"?", flow=DATAGRAMS), 30)], ids=["tcp", "udp"]
)
def test_an_idle_flow_expires(frame: bytearray, timeout_s: float) -> None:
    bed = Bed()
    bed.send(frame, 0)
    bed.expire(20)
    bed.send(frame, 20)
    bed.expire(20 + timeout_s - 0.1)
    assert len(bed.table) == 1
    bed.expire(20 + timeout_s + 0.1)
    assert (len(bed.table), bed.table.expired) == (0, 1)


def test_ports_that_are_used_again_begin_a_new_state() -> None:
    bed = Bed()
    bed.send(tcp(SYN), 0)
    ended = bed.send(tcp(RST, from_low=False), 0)
    assert bed.send(tcp(SYN | ACK), 0) is ended  # no beginning
    state = bed.send(tcp(SYN), 1)
    assert state is not None
    assert state is not ended
    assert (state.packets, state.ended, state.first_seen_us) == (1, False, 1 * S)
    assert (bed.table.created, bed.table.expired, len(bed.table)) == (2, 1, 1)
    bed.expire(5)  # what was planned for the old one does not touch the new one
    assert bed.table.get(FLOW) is state


def test_no_new_state() -> None:
    bed = Bed()
    known = bed.send(tcp(SYN), 0)
    bed.table.closed = ALL_BUCKETS
    other = FLOW._replace(low_port=1)
    assert bed.send(tcp(SYN, flow=other), 0) is None
    assert bed.send(tcp(ACK, flow=other), 0) is None
    assert bed.send(tcp(RST), 0) is known
    # The next connection on the same ports is a new flow: nothing of the old one may
    # stay that would draw its later packets in.
    assert bed.send(tcp(SYN), 0) is None
    assert bed.send(tcp(ACK), 0) is None
    assert (len(bed.table), bed.table.created, bed.table.expired) == (0, 1, 1)


def test_a_full_table_takes_no_more() -> None:
    bed = Bed()
    flows = [FLOW._replace(low_port=port) for port in range(1, 5)]
    for flow in flows[:3]:
        assert bed.send(tcp(SYN, flow=flow), 0) is not None
    assert bed.send(tcp(SYN, flow=flows[3]), 0) is None
    other = Bed()
    other.send(tcp(SYN, flow=flows[3]), 0)
    with pytest.raises(StateError, match="no room for more than 3 flows"):
        bed.table.put(other.table.export(flows[3]), 0)
    assert bed.table.delete(flows[0])
    bed.table.put(other.table.export(flows[3]), 0)


def test_what_is_deleted_is_gone() -> None:
    bed = Bed()
    bed.send(tcp(SYN), 0)
    assert bed.table.delete(FLOW)
    assert not bed.table.delete(FLOW)
    assert bed.table.export(FLOW).absent
    bed.send(tcp(ACK), 50)
    bed.expire(61)
    assert len(bed.table) == 1
    assert (bed.table.deleted, bed.table.expired) == (1, 0)


def test_expiry_looks_at_no_more_than_it_is_told() -> None:
    bed = Bed()
    for port in range(3):
        bed.send(tcp(SYN, flow=FLOW._replace(low_port=port)), 0)
    assert bed.table.expire(100 * S, 2)
    assert len(bed.table) == 1
    assert not bed.table.expire(100 * S, 2)
    assert len(bed.table) == 0


def test_imported_state_is_kept_though_the_clocks_differ() -> None:
    source, destination = Bed(), Bed()
    source.send(tcp(ACK), 5)
    destination.table.put(source.table.export(FLOW), 1000 * S)
    destination.expire(1059)
    state = destination.table.get(FLOW)
    assert state is not None
    assert (state.first_seen_us, state.last_seen_us) == (5 * S, 5 * S)
    destination.expire(1061)
    assert len(destination.table) == 0


def test_an_ended_connection_is_imported_as_ended() -> None:
    source, destination = Bed(), Bed()
    source.send(tcp(RST), 5)
    destination.table.put(source.table.export(FLOW), 6 * S)
    state = destination.table.get(FLOW)
    assert state is not None
    assert state.ended
    destination.expire(8.1)
    assert len(destination.table) == 0
