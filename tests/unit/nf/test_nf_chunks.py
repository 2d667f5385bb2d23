"""State on its way between instances. Run: pytest tests/unit/nf/test_nf_chunks.py"""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nf_frames import ACK, FLOW, SYN, tcp

from nf.asset_monitor import state_pb2
from nf.asset_monitor.connection import HIGH, LOW, UNKNOWN, Connection
from nf.asset_monitor.monitor import AssetMonitor
from nf.asset_monitor.operating_system import Handshake
from nf.asset_monitor.service import Service, has_ports
from nf.runtime import flow_state_pb2
from nf.runtime.chunk import export_chunk
from nf.runtime.flow_table import FlowTable, FlowTableOptions
from nf.runtime.function import StateError
from nf.southbound import southbound_pb2 as pb
from nf.southbound.flow import FiveTuple
from nf.southbound.packet import Packet

ports = st.integers(0, 2**16 - 1)
counts = st.integers(0, 2**40)
times = st.integers(0, 2**52)
flows = st.builds(
    FiveTuple.of,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    ports,
    ports,
    st.sampled_from([6, 17]) | st.integers(0, 255),
)
handshakes = st.none() | st.builds(
    Handshake,
    reply=st.booleans(),
    ttl=st.integers(0, 255),
    dont_fragment=st.booleans(),
    window=ports,
    mss=ports,
    options=st.text("MSTNWE?", max_size=40),
)
services = st.none() | st.builds(
    Service,
    by_banner=st.booleans(),
    name=st.sampled_from(["http", "ssh", "dns"]),
    banner=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=64),
)


@st.composite
def connections(draw: st.DrawFn, flow: st.SearchStrategy[FiveTuple] = flows) -> Connection:
    first, last = sorted((draw(times), draw(times)))
    state = Connection(draw(flow), first)
    state.last_seen_us = last
    state.packets_from_low, state.packets_from_high = draw(counts), draw(counts)
    state.bytes_from_low, state.bytes_from_high = draw(counts), draw(counts)
    state.tcp_flags_from_low = draw(st.integers(0, 255))
    state.tcp_flags_from_high = draw(st.integers(0, 255))
    state.judge_end()
    state.server = draw(st.sampled_from([UNKNOWN, LOW, HIGH]))
    state.service = draw(services) if has_ports(state.flow.protocol) else None
    state.handshake_from_low, state.handshake_from_high = draw(handshakes), draw(handshakes)
    state.inspected_low, state.inspected_high = draw(st.booleans()), draw(st.booleans())
    return state


def known(state: Connection) -> dict[str, object]:
    """Everything that is to survive a move."""
    left_out = {"due_us", "imported_us", "imported_crc32"}
    slots = {*Connection.__slots__, *Connection.__mro__[1].__slots__} - left_out
    return {slot: getattr(state, slot) for slot in sorted(slots)}


def merged(*states: Connection) -> dict[str, object]:
    table = FlowTable(AssetMonitor(), FlowTableOptions())
    for state in states:
        table.put(export_chunk(AssetMonitor(), state), 0)
    result = table.get(states[0].flow)
    assert result is not None
    return known(result)


@given(connections())
def test_nothing_is_lost_on_the_way(state: Connection) -> None:
    wire = export_chunk(AssetMonitor(), state).SerializeToString()
    table = FlowTable(AssetMonitor(), FlowTableOptions())
    table.put(pb.StateChunk.FromString(wire), 0)
    arrived = table.get(state.flow)
    assert arrived is not None
    assert known(arrived) == known(state)


same_flow = connections(st.just(FLOW))


def differ(*states: Connection) -> bool:
    """Whether the states can be of different instances: one twice is a repeated put."""
    payloads = {export_chunk(AssetMonitor(), state).payload for state in states}
    return len(payloads) == len(states)


@given(same_flow, same_flow, same_flow)
def test_the_order_of_merging_does_not_matter(
    one: Connection, other: Connection, third: Connection
) -> None:
    assume(differ(one, other, third))
    assert merged(one, other, third) == merged(third, one, other) == merged(other, third, one)
    assert merged(one, other) == merged(other, one)


@given(same_flow, same_flow)
def test_a_merge_is_what_both_have_seen(one: Connection, other: Connection) -> None:
    assume(differ(one, other))
    result = merged(one, other)
    for slot in ("packets_from_low", "packets_from_high", "bytes_from_low", "bytes_from_high"):
        assert result[slot] == getattr(one, slot) + getattr(other, slot)
    assert result["tcp_flags_from_low"] == one.tcp_flags_from_low | other.tcp_flags_from_low
    assert result["tcp_flags_from_high"] == one.tcp_flags_from_high | other.tcp_flags_from_high
    assert result["first_seen_us"] == min(one.first_seen_us, other.first_seen_us)
    assert result["last_seen_us"] == max(one.last_seen_us, other.last_seen_us)


@given(same_flow, same_flow)
def test_a_put_that_is_repeated_changes_nothing(one: Connection, other: Connection) -> None:
    assert merged(one, one) == known(one)
    assert merged(one, other, other) == merged(one, other)


@given(st.lists(st.tuples(st.sampled_from([SYN, ACK, SYN | ACK]), st.booleans()), min_size=1))
def test_a_flow_that_moves_ends_up_as_if_it_had_stayed(segments: list[tuple[int, bool]]) -> None:
    tables = [FlowTable(AssetMonitor(), FlowTableOptions()) for _ in range(3)]
    stayed, source, destination = tables
    half = len(segments) // 2
    for now_us, (flags, from_low) in enumerate(segments):
        packet = Packet()
        assert packet.read(memoryview(tcp(flags, b"x", from_low=from_low)))
        for table in (stayed, source if now_us < half else destination):
            state = table.state_for(packet, now_us)
            assert state is not None
            table.count(packet, state, now_us)
            AssetMonitor().process(packet, state, now_us)
        if now_us == half - 1:
            destination.put(source.export(FLOW), now_us)
    one, other = stayed.get(FLOW), destination.get(FLOW)
    assert one is not None
    assert other is not None
    assert known(one) == known(other)


def good_chunk() -> pb.StateChunk:
    state = Connection(FLOW, 5)
    state.packets_from_low = 3
    return export_chunk(AssetMonitor(), state)


def with_payload(change: Callable[[flow_state_pb2.FlowState], None]) -> pb.StateChunk:
    chunk = good_chunk()
    message = flow_state_pb2.FlowState.FromString(chunk.payload)
    change(message)
    return with_bytes(message.SerializeToString())


def with_bytes(payload: bytes) -> pb.StateChunk:
    chunk = good_chunk()
    chunk.payload = payload
    chunk.crc32 = crc32(payload)
    return chunk


def with_connection(**fields: object) -> pb.StateChunk:
    def change(message: flow_state_pb2.FlowState) -> None:
        connection = state_pb2.Connection(**fields)  # pyright: ignore[reportArgumentType]
        message.function_state = connection.SerializeToString()

    return with_payload(change)


def with_fields(**fields: object) -> pb.StateChunk:
    chunk = good_chunk()
    for name, value in fields.items():
        setattr(chunk, name, value)
    return chunk


def with_flow(**fields: int) -> pb.StateChunk:
    chunk = good_chunk()
    for name, value in fields.items():
        setattr(chunk.flow, name, value)
    return chunk


def set_payload(path: str, value: int) -> pb.StateChunk:
    def change(message: flow_state_pb2.FlowState) -> None:
        *parents, name = path.split(".")
        target: object = message
        for parent in parents:
            target = getattr(target, parent)
        setattr(target, name, value)

    return with_payload(change)


def service_without_ports() -> pb.StateChunk:
    state = Connection(FLOW._replace(low_port=0, high_port=0, protocol=47), 5)
    state.service = Service(by_banner=False, name="http")
    return export_chunk(AssetMonitor(), state)


REFUSED = {
    "service without ports": (service_without_ports(), "a service on a flow without ports"),
    "absent": (with_fields(absent=True), "carries no state"),
    "another function": (
        with_fields(function="firewall"),
        "state of 'firewall', this is 'asset-monitor'",
    ),
    "newer version": (with_fields(version=2), "state of version 2, this reads up to 1"),
    "no version": (with_fields(version=0), "state of version 0"),
    "wrong checksum": (with_fields(crc32=1), "checksum"),
    "no protobuf": (with_bytes(b"\xff\xff"), "the payload is malformed"),
    "empty payload": (with_bytes(b""), "the payload is of another flow"),
    "another flow": (with_flow(low_port=1), "the payload is of another flow"),
    "not canonical": (with_flow(low_address=2**32 - 1), "not a canonical flow"),
    "no such port": (with_flow(low_port=65536), "no such flow"),
    "no such protocol": (with_flow(protocol=256), "no such flow"),
    "count": (set_payload("from_low.bytes", 1 << 63), "a count is out of range"),
    "flags": (set_payload("from_high.tcp_flags", 256), "the TCP flags are out of range"),
    "last before first": (set_payload("last_seen_us", 4), "out of order"),
    "beyond time": (set_payload("last_seen_us", 1 << 63), "out of order"),
    "function's part": (
        with_payload(lambda message: setattr(message, "function_state", b"\xff\xff")),
        "asset monitor's part of the payload is malformed",
    ),
    "side": (with_connection(server=3), "no such side: 3"),
    "service without name": (
        with_connection(service=state_pb2.Service(banner="x")),
        "name or banner is too long, or missing",
    ),
    "long banner": (
        with_connection(service=state_pb2.Service(name="x", banner="x" * 65)),
        "name or banner is too long",
    ),
    "handshake": (
        with_connection(from_low=state_pb2.Handshake(ttl=256)),
        "a field of a handshake is out of range",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    chunk, reason = REFUSED[case]
    table = FlowTable(AssetMonitor(), FlowTableOptions())
    with pytest.raises(StateError, match=reason) as caught:
        table.put(chunk, 0)
    assert "\n" not in str(caught.value)
    assert (len(table), table.imported) == (0, 0)


@given(st.binary(max_size=100))
def test_any_payload_is_taken_or_refused(payload: bytes) -> None:
    table = FlowTable(AssetMonitor(), FlowTableOptions())
    for chunk in (
        with_bytes(payload),
        with_payload(lambda message: setattr(message, "function_state", payload)),
    ):
        try:
            table.put(chunk, 0)
        except StateError:
            continue
        assert not table.export(FLOW).absent
