"""What the asset monitor keeps of a connection, in memory and on the wire."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from nf.asset_monitor import state_pb2
from nf.asset_monitor.operating_system import MAX_OPTIONS, Handshake
from nf.asset_monitor.service import BANNER_CHARACTERS, Service, has_ports, service_of_port
from nf.runtime.function import FlowState, StateError
from nf.southbound.flow import FiveTuple

UNKNOWN, LOW, HIGH = (
    state_pb2.SIDE_UNKNOWN,
    state_pb2.SIDE_LOW,
    state_pb2.SIDE_HIGH,
)

_MAX_NAME = 32
_MAX_BYTE, _MAX_WORD = 0xFF, 0xFFFF


class Connection(FlowState):
    """The state of one flow."""

    __slots__ = (
        "handshake_from_high",
        "handshake_from_low",
        "inspected_high",
        "inspected_low",
        "server",
        "service",
    )

    def __init__(self, flow: FiveTuple, now_us: int) -> None:
        super().__init__(flow, now_us)
        self.server: state_pb2.Side = UNKNOWN
        """The endpoint that was asked, told by the handshake."""
        self.service: Service | None = None
        self.handshake_from_low: Handshake | None = None
        self.handshake_from_high: Handshake | None = None
        self.inspected_low = False
        """Whether the first payload of this direction has been looked at."""
        self.inspected_high = False

    @property
    def server_is_low(self) -> bool:
        """Which endpoint is the server; a guess by the ports if no handshake was seen."""
        if self.server != UNKNOWN:
            return self.server == LOW
        flow = self.flow
        low_known = service_of_port(flow.protocol, flow.low_port) is not None
        high_known = service_of_port(flow.protocol, flow.high_port) is not None
        if low_known != high_known:
            return low_known
        return flow.low_port < flow.high_port

    @property
    def server_endpoint(self) -> tuple[int, int]:
        """Address and port of the server."""
        flow = self.flow
        if self.server_is_low:
            return flow.low_address, flow.low_port
        return flow.high_address, flow.high_port

    @property
    def server_has_answered(self) -> bool:
        """Whether the server has sent anything."""
        return bool(self.packets_from_low if self.server_is_low else self.packets_from_high)


def to_message(connection: Connection) -> state_pb2.Connection:
    """What the chunk of a connection carries beyond its traffic."""
    message = state_pb2.Connection(
        server=connection.server,
        inspected_low=connection.inspected_low,
        inspected_high=connection.inspected_high,
    )
    service = connection.service
    if service is not None:
        message.service.name = service.name
        message.service.by_banner = service.by_banner
        message.service.banner = service.banner
    if connection.handshake_from_low is not None:
        message.from_low.CopyFrom(_handshake_message(connection.handshake_from_low))
    if connection.handshake_from_high is not None:
        message.from_high.CopyFrom(_handshake_message(connection.handshake_from_high))
    return message


def fill(connection: Connection, payload: bytes) -> None:
    """Fills in a connection from the message in a chunk. Raises StateError."""
    try:
        message = state_pb2.Connection.FromString(payload)
    except DecodeError:
        raise StateError("the asset monitor's part of the payload is malformed") from None
    if message.server not in (UNKNOWN, LOW, HIGH):
        raise StateError(f"no such side: {message.server}")
    connection.server = message.server
    connection.inspected_low = message.inspected_low
    connection.inspected_high = message.inspected_high
    if message.HasField("service"):
        if not has_ports(connection.flow.protocol):
            raise StateError(f"a service on a flow without ports: {connection.flow}")
        connection.service = _service(message.service)
    if message.HasField("from_low"):
        connection.handshake_from_low = _handshake(message.from_low)
    if message.HasField("from_high"):
        connection.handshake_from_high = _handshake(message.from_high)


def _service(message: state_pb2.Service) -> Service:
    if not 0 < len(message.name) <= _MAX_NAME or len(message.banner) > BANNER_CHARACTERS:
        raise StateError("a service's name or banner is too long, or missing")
    return Service(message.by_banner, message.name, message.banner)


def _handshake(message: state_pb2.Handshake) -> Handshake:
    if (
        message.ttl > _MAX_BYTE
        or max(message.window, message.mss) > _MAX_WORD
        or len(message.options) > MAX_OPTIONS
    ):
        raise StateError("a field of a handshake is out of range")
    return Handshake(
        message.reply,
        message.ttl,
        message.dont_fragment,
        message.window,
        message.mss,
        message.options,
    )


def _handshake_message(handshake: Handshake) -> state_pb2.Handshake:
    return state_pb2.Handshake(
        reply=handshake.reply,
        ttl=handshake.ttl,
        dont_fragment=handshake.dont_fragment,
        window=handshake.window,
        mss=handshake.mss,
        options=handshake.options,
    )
