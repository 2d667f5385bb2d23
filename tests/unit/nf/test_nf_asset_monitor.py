"""What the asset monitor learns. Run: pytest tests/unit/nf/test_nf_asset_monitor.py"""

from __future__ import annotations

import pytest
from nf_frames import (
    ACK,
    CLIENT,
    FIN,
    FLOW,
    LINUX_OPTIONS,
    PSH,
    RST,
    SERVER,
    SYN,
    WINDOWS_OPTIONS,
    ipv4,
    tcp,
    udp,
)

from nf.asset_monitor.assets import Assets
from nf.asset_monitor.connection import Connection
from nf.asset_monitor.monitor import AssetMonitor
from nf.asset_monitor.operating_system import Handshake, operating_system
from nf.asset_monitor.service import Service, service_of_payload
from nf.runtime.flow_table import FlowTable, FlowTableOptions
from nf.southbound.flow import FiveTuple
from nf.southbound.packet import TCP, UDP, Packet

ODD_PORTS = FLOW._replace(high_port=40001)


class Bed:
    """An asset monitor with its flow table."""

    def __init__(self) -> None:
        self.monitor = AssetMonitor()
        self.table = FlowTable(self.monitor, FlowTableOptions())

    def send(self, *frames: bytearray) -> Connection:
        state: Connection | None = None
        for frame in frames:
            packet = Packet()
            assert packet.read(memoryview(frame))
            state = self.table.state_for(packet, 0)
            assert state is not None
            self.table.count(packet, state, 0)
            self.monitor.process(packet, state, 0)
        assert state is not None
        return state

    def services(self, address: int) -> dict[tuple[int, int], str]:
        host = self.monitor.assets.get(address)
        return {key: service.name for key, service in host.services.items()} if host else {}

    def system(self, address: int) -> str | None:
        host = self.monitor.assets.get(address)
        return host.operating_system if host else None


def handshake(flow: FiveTuple = FLOW) -> list[bytearray]:
    return [
        tcp(SYN, flow=flow, options=LINUX_OPTIONS, ttl=61),
        tcp(SYN | ACK, flow=flow, from_low=False, options=WINDOWS_OPTIONS, ttl=127, window=8192),
        tcp(ACK, flow=flow),
    ]


def test_a_connection_from_its_beginning_to_its_end() -> None:
    bed = Bed()
    syn, syn_ack, ack = handshake()
    for frame, state in (
        (syn, "SYN_SENT"),
        (syn_ack, "SYN_RECEIVED"),
        (ack, "ESTABLISHED"),
        (tcp(PSH | ACK, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "ESTABLISHED"),
        (tcp(PSH | ACK, b"HTTP/1.1 200 OK\r\n\r\n", from_low=False), "ESTABLISHED"),
        (tcp(FIN | ACK), "CLOSING"),
        (tcp(FIN | ACK, from_low=False), "ENDED"),
        (tcp(RST | ACK), "RESET"),
    ):
        connection = bed.send(frame)
        assert connection.connection_state is not None
        assert connection.connection_state.value == state
    assert connection.service is not None
    assert connection.service.name == "http"
    assert connection.server_endpoint == (SERVER, 80)
    assert bed.services(SERVER) == {(TCP, 80): "http"}
    assert bed.services(CLIENT) == {}
    assert (bed.system(CLIENT), bed.system(SERVER)) == ("Linux", "Windows")


def test_what_is_said_counts_more_than_the_port() -> None:
    bed = Bed()
    connection = bed.send(*handshake())
    assert connection.service == Service(by_banner=False, name="http")
    bed.send(tcp(ACK, b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", from_low=False))
    assert connection.service == Service(
        by_banner=True, name="ssh", banner="SSH-2.0-OpenSSH_9.2p1 Debian"
    )
    assert bed.services(SERVER) == {(TCP, 80): "ssh"}
    bed.send(*handshake(FLOW._replace(low_port=40001)))  # whose port says http again
    assert bed.services(SERVER) == {(TCP, 80): "ssh"}


def test_only_the_first_payload_of_a_direction_is_looked_at() -> None:
    bed = Bed()
    connection = bed.send(
        tcp(ACK, b"nothing known", flow=ODD_PORTS), tcp(ACK, b"SSH-2.0-x\r\n", flow=ODD_PORTS)
    )
    assert connection.service is None
    bed.send(tcp(ACK, b"SSH-2.0-x\r\n", flow=ODD_PORTS, from_low=False))
    assert connection.service is not None
    assert connection.service.name == "ssh"


@pytest.mark.parametrize(
    "frames",
    [
        [tcp(SYN, options=LINUX_OPTIONS)],
        [tcp(SYN, options=LINUX_OPTIONS), tcp(RST | ACK, from_low=False)],
    ],
    ids=["unanswered", "refused"],
)
def test_who_does_not_answer_serves_nothing(frames: list[bytearray]) -> None:
    bed = Bed()
    bed.send(*frames)
    assert bed.services(SERVER) == {}
    assert bed.system(CLIENT) == "Linux"


@pytest.mark.parametrize(
    ("flow", "server"),
    [
        (FiveTuple(CLIENT, SERVER, 50000, 443, 6), (SERVER, 443)),
        (FiveTuple(CLIENT, SERVER, 443, 50000, 6), (CLIENT, 443)),
        (FiveTuple(CLIENT, SERVER, 50000, 40000, 6), (SERVER, 40000)),
        (FiveTuple(CLIENT, SERVER, 9000, 40000, 6), (CLIENT, 9000)),
    ],
)
def test_a_server_whose_handshake_was_not_seen_is_guessed(
    flow: FiveTuple, server: tuple[int, int]
) -> None:
    assert Bed().send(tcp(ACK, flow=flow)).server_endpoint == server


def test_datagrams() -> None:
    bed = Bed()
    flow = FiveTuple(CLIENT, SERVER, 50000, 5353, 17)
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x00\x00\x01\x00\x01"
    connection = bed.send(udp(query, flow=flow))
    assert connection.service is not None
    assert (connection.service.name, connection.connection_state) == ("dns", None)
    assert bed.services(SERVER) == {}
    bed.send(udp(b"?", flow=flow, from_low=False))
    assert bed.services(SERVER) == {(UDP, 5353): "dns"}


def test_other_protocols_have_no_service() -> None:
    connection = Bed().send(ipv4(CLIENT, SERVER, 1, b"\x08\0\0\0\0\x07\0\0payload"))
    assert connection.service is None
    assert connection.packets == 1


def test_the_destination_of_a_flow_learns_its_hosts() -> None:
    source, destination = Bed(), Bed()
    source.send(*handshake(), tcp(ACK, b"SSH-2.0-x\r\n", from_low=False))
    destination.table.put(source.table.export(FLOW), 0)
    assert destination.services(SERVER) == {(TCP, 80): "ssh"}
    assert destination.system(CLIENT) == "Linux"
    assert destination.system(SERVER) == "Windows"


def test_state_that_comes_after_packets_completes_them() -> None:
    source, destination = Bed(), Bed()
    source.send(*handshake(), tcp(ACK, b"SSH-2.0-x\r\n", from_low=False))
    connection = destination.send(tcp(ACK, b"more", from_low=False))
    assert connection.service == Service(by_banner=False, name="http")
    destination.table.put(source.table.export(FLOW), 0)
    assert destination.table.get(FLOW) is connection
    assert connection.packets == 5
    assert connection.service == Service(by_banner=True, name="ssh", banner="SSH-2.0-x")
    assert destination.system(SERVER) == "Windows"


BANNERS = {
    (TCP, b"HTTP/1.1 404 Not Found\r\n"): "http",
    (TCP, b"POST /x HTTP/1.0\r\n"): "http",
    (TCP, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"): "tls",
    (TCP, b"SSH-2.0-OpenSSH_9.2\r\n"): "ssh",
    (TCP, b"220 mail.example.org ESMTP Postfix\r\n"): "smtp",
    (TCP, b"EHLO example.org\r\n"): "smtp",
    (TCP, b"220 ProFTPD FTP Server ready\r\n"): "ftp",
    (TCP, b"+OK POP3 ready\r\n"): "pop3",
    (TCP, b"* OK IMAP4rev1 ready\r\n"): "imap",
    (TCP, b"J\x00\x00\x00\x0a8.0.33\x00"): "mysql",
    (TCP, b"*1\r\n$4\r\nPING\r\n"): "redis",
    (TCP, b"\x10\x0c\x00\x04MQTT\x04\x02"): "mqtt",
    (TCP, b"RFB 003.008\n"): "vnc",
    (TCP, b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00"): "rdp",
    (TCP, b"\x13BitTorrent protocol"): "bittorrent",
    (TCP, b"AMQP\x00\x00\x09\x01"): "amqp",
    (TCP, b"hello"): None,
    (TCP, b""): None,
    (TCP, b"GET"): None,
    (UDP, b"\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00"): "dns",
    (UDP, b"\xc3\x00\x00\x00\x01\x08abcdefgh"): "quic",
    (UDP, b"\x00\x01file\x00octet\x00"): "tftp",
    (UDP, b"\x01\x01\x06\x00" + bytes(232) + b"\x63\x82\x53\x63"): "dhcp",
    (UDP, b"INVITE sip:x SIP/2.0\r\n"): "sip",
    (UDP, b"SSH-2.0-x\r\n"): None,
    (47, b"SSH-2.0-x\r\n"): None,
}


@pytest.mark.parametrize(("protocol", "payload"), BANNERS)
def test_services_are_known_by_what_they_say(protocol: int, payload: bytes) -> None:
    service = service_of_payload(protocol, payload)
    assert (service.name if service else None) == BANNERS[protocol, payload]


def test_a_banner_is_one_printable_line() -> None:
    service = service_of_payload(TCP, b"SSH-2.0-\xff\x00" + b"x" * 100 + b"\r\nmore")
    assert service is not None
    assert service.banner == "SSH-2.0-.." + "x" * 54


SYSTEMS = [
    (Handshake(False, 64, True, 64240, 1460, "MSTNW"), "Linux"),
    (Handshake(False, 50, True, 29200, 1460, "MSTNW"), "Linux"),
    (Handshake(True, 64, True, 65160, 1460, "MNNSNW"), "Linux"),
    (Handshake(False, 128, True, 64240, 1460, "MNWNNS"), "Windows"),
    (Handshake(True, 115, True, 8192, 1460, "MNWNNS"), "Windows"),
    (Handshake(False, 64, True, 65535, 1460, "MNWNNTSE"), "macOS or iOS"),
    (Handshake(False, 64, True, 65535, 1460, "MNWST"), "FreeBSD"),
    (Handshake(False, 64, True, 16384, 1460, "MNNSNWNNT"), "OpenBSD"),
    (Handshake(False, 255, False, 4128, 536, "M"), "network equipment"),
    (Handshake(False, 64, False, 64240, 1460, "MSTNW"), None),
    (Handshake(False, 128, True, 64240, 1460, "MSTNW"), None),
    (Handshake(False, 64, True, 1024, 0, ""), None),
]


@pytest.mark.parametrize(("seen", "system"), SYSTEMS)
def test_systems_are_known_by_their_handshake(seen: Handshake, system: str | None) -> None:
    assert operating_system(seen) == system


OPTIONS = [
    (LINUX_OPTIONS, "MSTNW", 1460),
    (WINDOWS_OPTIONS, "MNWNNS", 1460),
    (b"\x1e\x03\x00\x00", "?E", 0),
    (b"\x01\x02\x04\x05", "NM", 0),
    (b"\x01\x01\x02", "NN", 0),
    (b"\x01\x02\x00\x00", "N", 0),
    (b"", "", 0),
]


@pytest.mark.parametrize(("options", "letters", "mss"), OPTIONS)
def test_tcp_options(options: bytes, letters: str, mss: int) -> None:
    packet = Packet()
    frame = tcp(SYN, options=options.ljust((len(options) + 3) // 4 * 4, b"\0"))
    assert packet.read(memoryview(frame))
    seen = Handshake.of(packet)
    assert seen.options.rstrip("E") == letters.rstrip("E")
    assert seen.mss == mss


def test_hosts_and_services_are_bounded() -> None:
    assets = Assets(max_hosts=2)
    for address in range(3):
        assets.learn_system(address, "Linux")
    assert len(assets) == 2
    assert assets.get(0) is None
    for port in range(2000):
        assets.learn_service(2, TCP, port, Service(by_banner=False, name="x"))
    host = assets.get(2)
    assert host is not None
    assert len(host.services) == 1024
