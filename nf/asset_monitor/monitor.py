"""The asset monitor as a network function."""

from __future__ import annotations

from typing import TypeVar

from nf.asset_monitor.assets import Assets
from nf.asset_monitor.connection import HIGH, LOW, Connection, fill, to_message
from nf.asset_monitor.operating_system import Handshake, operating_system
from nf.asset_monitor.service import (
    INSPECTED_BYTES,
    Service,
    has_ports,
    service_of_payload,
    service_of_port,
)
from nf.runtime.function import NetworkFunction
from nf.runtime.tcp import SYN
from nf.southbound.flow import FiveTuple
from nf.southbound.packet import Packet

_Evidence = TypeVar("_Evidence", Service, Handshake)


class AssetMonitor(NetworkFunction[Connection]):
    """Watches connections, and learns hosts, their systems and their services."""

    name = "asset-monitor"
    state_version = 1

    def __init__(self) -> None:
        self.assets = Assets()

    def new_state(self, flow: FiveTuple, now_us: int) -> Connection:
        """A connection of which nothing is known."""
        connection = Connection(flow, now_us)
        if not has_ports(flow.protocol):
            connection.inspected_low = connection.inspected_high = True
        return connection

    def process(self, packet: Packet, state: Connection, now_us: int) -> None:
        """Looks at handshakes, at the first payload of each direction, and at no more."""
        if packet.tcp_flags & SYN:
            self._note_handshake(packet, state)
        inspected = state.inspected_low if packet.from_low else state.inspected_high
        if not inspected:
            self._inspect(packet, state)

    def _note_handshake(self, packet: Packet, state: Connection) -> None:
        handshake = Handshake.of(packet)
        if packet.from_low:
            state.handshake_from_low = handshake
        else:
            state.handshake_from_high = handshake
        state.server = LOW if handshake.reply == packet.from_low else HIGH
        self._learn(state)

    def _inspect(self, packet: Packet, state: Connection) -> None:
        first = (state.packets_from_low if packet.from_low else state.packets_from_high) == 1
        if packet.payload_offset < packet.end:
            if packet.from_low:
                state.inspected_low = True
            else:
                state.inspected_high = True
            service = service_of_payload(
                state.flow.protocol, bytes(packet.payload[:INSPECTED_BYTES])
            )
            state.service = _greater(state.service, service)
        elif not first:
            return
        if state.service is None:
            _, port = state.server_endpoint
            state.service = service_of_port(state.flow.protocol, port)
        self._learn(state)

    def _learn(self, state: Connection) -> None:
        """Learns assets from the evidence of one connection."""
        flow = state.flow
        for address, handshake in (
            (flow.low_address, state.handshake_from_low),
            (flow.high_address, state.handshake_from_high),
        ):
            system = handshake and operating_system(handshake)
            if system:
                self.assets.learn_system(address, system)
        # A RST is an answer as well, but of nobody who serves.
        if state.service is not None and state.server_has_answered and not state.ended:
            address, port = state.server_endpoint
            self.assets.learn_service(address, flow.protocol, port, state.service)

    def export(self, state: Connection) -> bytes:
        """The connection as a protobuf message."""
        return to_message(state).SerializeToString()

    def restore(self, state: Connection, payload: bytes, version: int) -> None:
        """Fills in a connection from what `export` wrote."""
        fill(state, payload)

    def merge(self, state: Connection, other: Connection) -> None:
        """Adds what another instance knows; who saw the handshake knows the server."""
        state.server = max(state.server, other.server)
        state.service = _greater(state.service, other.service)
        state.handshake_from_low = _greater(state.handshake_from_low, other.handshake_from_low)
        state.handshake_from_high = _greater(state.handshake_from_high, other.handshake_from_high)
        state.inspected_low |= other.inspected_low
        state.inspected_high |= other.inspected_high

    def on_import(self, state: Connection) -> None:
        """Learns the hosts of a connection that has come from another instance."""
        self._learn(state)


def _greater(one: _Evidence | None, other: _Evidence | None) -> _Evidence | None:
    """The surer of two services; of two handshakes either, but always the same one."""
    if one is None or other is None:
        return one or other
    return max(one, other)
