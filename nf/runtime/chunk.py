"""State chunks: the state of one flow on its way between two instances."""

from __future__ import annotations

from zlib import crc32

from google.protobuf.message import DecodeError

from nf.runtime import flow_state_pb2
from nf.runtime.function import FlowState, NetworkFunction, State, StateError
from nf.southbound import southbound_pb2 as pb
from nf.southbound.flow import FiveTuple

_MAX_COUNT = 1 << 48  # of one flow; sums of many still fit in the 64 bits of an export
_MAX_TIME_US = 1 << 56
_MAX_PORT = 0xFFFF
_MAX_PROTOCOL = 0xFF
_MAX_TCP_FLAGS = 0xFF


def parse_flow(message: pb.FiveTuple) -> FiveTuple:
    """The flow of a message. Raises StateError unless it is one that a packet can have."""
    flow = FiveTuple.from_message(message)
    if max(flow.low_port, flow.high_port) > _MAX_PORT or flow.protocol > _MAX_PROTOCOL:
        raise StateError(f"no such flow: {flow}")
    if (flow.low_address, flow.low_port) > (flow.high_address, flow.high_port):
        raise StateError(f"not a canonical flow: {flow}")
    return flow


def export_chunk(function: NetworkFunction[State], state: State) -> pb.StateChunk:
    """The chunk that carries the state."""
    payload = flow_state_pb2.FlowState(
        flow=state.flow.to_message(),
        from_low=flow_state_pb2.Traffic(
            packets=state.packets_from_low,
            bytes=state.bytes_from_low,
            tcp_flags=state.tcp_flags_from_low,
        ),
        from_high=flow_state_pb2.Traffic(
            packets=state.packets_from_high,
            bytes=state.bytes_from_high,
            tcp_flags=state.tcp_flags_from_high,
        ),
        first_seen_us=state.first_seen_us,
        last_seen_us=state.last_seen_us,
        function_state=function.export(state),
    ).SerializeToString()
    return pb.StateChunk(
        flow=state.flow.to_message(),
        function=function.name,
        version=function.state_version,
        payload=payload,
        crc32=crc32(payload),
    )


def absent_chunk(function: NetworkFunction[State], flow: FiveTuple) -> pb.StateChunk:
    """The chunk that says that there is no state."""
    return pb.StateChunk(
        flow=flow.to_message(),
        absent=True,
        function=function.name,
        version=function.state_version,
    )


def import_chunk(function: NetworkFunction[State], chunk: pb.StateChunk) -> State:
    """New state, filled from a chunk. Raises StateError."""
    flow = parse_flow(chunk.flow)
    if chunk.absent:
        raise StateError("the chunk carries no state")
    if chunk.function != function.name:
        raise StateError(f"state of {chunk.function!r}, this is {function.name!r}")
    if not 0 < chunk.version <= function.state_version:
        raise StateError(
            f"state of version {chunk.version}, this reads up to {function.state_version}"
        )
    if crc32(chunk.payload) != chunk.crc32:
        raise StateError("the checksum of the payload is wrong")
    try:
        message = flow_state_pb2.FlowState.FromString(chunk.payload)
    except DecodeError:
        raise StateError("the payload is malformed") from None
    if parse_flow(message.flow) != flow:
        raise StateError(f"the payload is of another flow: {FiveTuple.from_message(message.flow)}")
    state = function.new_state(flow, message.first_seen_us)
    _fill(state, message)
    function.restore(state, message.function_state, chunk.version)
    return state


def _fill(state: FlowState, message: flow_state_pb2.FlowState) -> None:
    low, high = message.from_low, message.from_high
    if max(low.packets, low.bytes, high.packets, high.bytes) > _MAX_COUNT:
        raise StateError("a count is out of range")
    if max(low.tcp_flags, high.tcp_flags) > _MAX_TCP_FLAGS:
        raise StateError("the TCP flags are out of range")
    if not message.first_seen_us <= message.last_seen_us <= _MAX_TIME_US:
        raise StateError("the times are out of order")
    state.packets_from_low, state.packets_from_high = low.packets, high.packets
    state.bytes_from_low, state.bytes_from_high = low.bytes, high.bytes
    state.tcp_flags_from_low, state.tcp_flags_from_high = low.tcp_flags, high.tcp_flags
    state.last_seen_us = message.last_seen_us
    state.judge_end()
