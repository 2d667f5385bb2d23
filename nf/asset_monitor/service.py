"""Which service a connection is for: by what is said on it, else by its port."""

from __future__ import annotations

import re
from typing import NamedTuple

from nf.southbound.packet import TCP, UDP

INSPECTED_BYTES = 256
"""How much of the first payload of a direction is looked at."""

BANNER_CHARACTERS = 64


class Service(NamedTuple):
    """What a connection is for. The surer of two is the greater one."""

    by_banner: bool
    name: str
    banner: str = ""
    """The beginning of what was said, printable."""


# What the first payload of either direction begins with.
_SIGNATURES: dict[int, tuple[tuple[str, re.Pattern[bytes]], ...]] = {
    TCP: tuple(
        (name, re.compile(pattern, re.DOTALL))
        for name, pattern in (
            ("http", rb"HTTP/1\.[01] \d{3}"),
            ("http", rb"(GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS|CONNECT) \S"),
            ("http", rb"PRI \* HTTP/2\.0\r\n"),
            ("tls", rb"\x16\x03[\x00-\x04]..[\x01\x02]"),
            ("ssh", rb"SSH-[12]\.\d"),
            ("smtp", rb"220[ -][^\r\n]*E?SMTP"),
            ("smtp", rb"(EHLO|HELO) \S"),
            ("ftp", rb"220[ -][^\r\n]*FTP"),
            ("pop3", rb"\+OK[ \r]"),
            ("imap", rb"\* (OK|PREAUTH) "),
            ("mysql", rb"...\x00\x0a\d+\.\d+"),
            ("vnc", rb"RFB \d{3}\.\d{3}\n"),
            ("rdp", rb"\x03\x00..[\x06-\xff]\xe0\x00\x00"),
            ("redis", rb"\*\d+\r\n\$\d+\r\n"),
            ("amqp", rb"AMQP\x00"),
            ("mqtt", rb"\x10.{1,4}\x00\x04MQTT"),
            ("bittorrent", rb"\x13BitTorrent protocol"),
            ("sip", rb"(SIP/2\.0 \d{3}|(INVITE|REGISTER|OPTIONS) sips?:)"),
        )
    ),
    UDP: tuple(
        (name, re.compile(pattern, re.DOTALL))
        for name, pattern in (
            # One question, no answers in it yet; or an answer without an error.
            ("dns", rb"..[\x00\x01][\x00\x10\x20]\x00\x01\x00\x00\x00\x00"),
            ("dns", rb"..[\x80-\x87][\x80-\x83\x90\xa0]\x00\x01"),
            ("dhcp", rb"[\x01\x02]\x01\x06.{233}\x63\x82\x53\x63"),
            ("quic", rb"[\xc0-\xff]\x00\x00\x00\x01[\x00-\x14]"),
            ("sip", rb"(SIP/2\.0 \d{3}|(INVITE|REGISTER|OPTIONS) sips?:)"),
            ("tftp", rb"\x00[\x01\x02][\x20-\x7e]+\x00(netascii|octet)\x00"),
        )
    ),
}

_PORTS = {
    TCP: {
        20: "ftp-data",
        21: "ftp",
        22: "ssh",
        23: "telnet",
        25: "smtp",
        53: "dns",
        80: "http",
        110: "pop3",
        143: "imap",
        179: "bgp",
        389: "ldap",
        443: "tls",
        445: "smb",
        465: "smtps",
        587: "smtp",
        636: "ldaps",
        993: "imaps",
        995: "pop3s",
        1883: "mqtt",
        3306: "mysql",
        3389: "rdp",
        5060: "sip",
        5432: "postgresql",
        5672: "amqp",
        5900: "vnc",
        6379: "redis",
        8080: "http",
        8443: "tls",
        11211: "memcached",
        27017: "mongodb",
    },
    UDP: {
        53: "dns",
        67: "dhcp",
        68: "dhcp",
        69: "tftp",
        123: "ntp",
        161: "snmp",
        162: "snmp-trap",
        443: "quic",
        500: "ike",
        514: "syslog",
        1194: "openvpn",
        1812: "radius",
        4500: "ipsec",
        4789: "vxlan",
        5060: "sip",
        5353: "mdns",
        51820: "wireguard",
    },
}


def has_ports(protocol: int) -> bool:
    """Whether services of the protocol are told by port."""
    return protocol in _PORTS


def service_of_port(protocol: int, port: int) -> Service | None:
    """The service that a port is registered for."""
    name = _PORTS.get(protocol, {}).get(port)
    return None if name is None else Service(by_banner=False, name=name)


def service_of_payload(protocol: int, payload: bytes) -> Service | None:
    """The service that speaks like this."""
    for name, signature in _SIGNATURES.get(protocol, ()):
        if signature.match(payload):
            return Service(by_banner=True, name=name, banner=_printable(payload))
    return None


def _printable(payload: bytes) -> str:
    line = payload.partition(b"\r\n")[0].partition(b"\n")[0][:BANNER_CHARACTERS]
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line)
