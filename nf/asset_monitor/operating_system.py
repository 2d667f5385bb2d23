"""Which operating system a host runs: by how it says SYN or answers it.

Systems differ in the initial TTL, the window, and the TCP options and their order. The
table is small and its own; what it does not know is left open.
"""

from __future__ import annotations

from typing import NamedTuple

from nf.runtime.tcp import ACK
from nf.southbound.packet import Packet

_END, _NOP, _MSS = 0, 1, 2
_LETTERS = {_END: "E", _NOP: "N", _MSS: "M", 3: "W", 4: "S", 8: "T"}
MAX_OPTIONS = 40
"""Options of a TCP header, at most: one a byte."""


class Handshake(NamedTuple):
    """What tells systems apart in a SYN or a SYN-ACK."""

    reply: bool
    """A SYN-ACK."""
    ttl: int
    dont_fragment: bool
    window: int
    mss: int
    """0 if not given."""
    options: str
    """A letter each, in their order: MSS, SACK permitted, timestamps, no-op, window
    scale, end of options, ? for any other."""

    @classmethod
    def of(cls, packet: Packet) -> Handshake:
        """The handshake of a TCP packet with SYN set."""
        options, mss = _parse_options(packet.tcp_options)
        return cls(
            reply=bool(packet.tcp_flags & ACK),
            ttl=packet.ttl,
            dont_fragment=packet.dont_fragment,
            window=packet.tcp_window,
            mss=mss,
            options=options,
        )


class _Row(NamedTuple):
    system: str
    ttl: int
    """The initial one; every router on the way has taken one off."""
    options: tuple[str, ...]
    dont_fragment: bool | None
    windows: tuple[int, ...] = ()
    """Any if empty."""


# In an answer, an option is there only if it was asked for: hence several orders a system.
_SYN = (
    _Row("Linux", 64, ("MSTNW", "MNNSNW", "MSNNNW"), True),
    _Row("Windows", 128, ("MNWNNS", "MNWST", "MNNS", "MNWNNTNNS"), True),
    _Row("macOS or iOS", 64, ("MNWNNTSE", "MNWNNTSEE", "MNWNNTNNSEE"), True, (65535,)),
    _Row("FreeBSD", 64, ("MNWST", "MNWSTE"), True, (65535, 65228)),
    _Row("OpenBSD", 64, ("MNNSNWNNT",), True, (16384,)),
    _Row("Solaris", 64, ("SMNWNNT", "MNWNNTNNS"), True),
    _Row("network equipment", 255, ("M", "ME", "MNNS"), None),
)
_SYN_ACK = (
    _Row("Linux", 64, ("MSTNW", "MNNSNW", "MNNTNW", "MNW", "MNNS"), True),
    _Row("Windows", 128, ("MNWST", "MNWNNS", "MNNS", "MNWNNT", "MNW", "M"), True),
    _Row("macOS or iOS", 64, ("MNWNNTSE", "MNWSE", "MNWNNTSEE"), True, (65535,)),
    _Row("FreeBSD", 64, ("MNWST", "MNWSE"), True, (65535, 65228)),
    _Row("OpenBSD", 64, ("MNNSNWNNT", "MNNSNW"), True, (16384,)),
    _Row("network equipment", 255, ("M", "ME", "MNNS"), None),
)
_INITIAL_TTLS = (64, 128, 255)


def operating_system(handshake: Handshake) -> str | None:
    """The system of the host that sent the handshake, if the table knows it."""
    ttl = next((initial for initial in _INITIAL_TTLS if handshake.ttl <= initial), None)
    for row in _SYN_ACK if handshake.reply else _SYN:
        if (
            row.ttl == ttl
            and handshake.options in row.options
            and (row.dont_fragment is None or row.dont_fragment == handshake.dont_fragment)
            and (not row.windows or handshake.window in row.windows)
        ):
            return row.system
    return None


def _parse_options(options: bytes) -> tuple[str, int]:
    """The letters of TCP options, and the MSS; stops where they are cut short."""
    letters: list[str] = []
    mss = 0
    position = 0
    while position < len(options):
        kind = options[position]
        if kind in (_END, _NOP):
            length = 1
        elif position + 1 < len(options) and options[position + 1] >= 2:
            length = options[position + 1]
        else:
            break
        value = options[position + 2 : position + length]
        if kind == _MSS and len(value) == 2:
            mss = int.from_bytes(value, "big")
        letters.append(_LETTERS.get(kind, "?"))
        position += length
    return "".join(letters), mss
