"""Compares the packets that came out with those that were expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bmv2.stf.commands import Expect


class Mismatch(NamedTuple):
    """Something that is not as the script says."""

    line: int | None
    """Where the script says it; none for what it does not speak of."""
    text: str
    """What was expected, and what there was."""


def mismatches(expected: Sequence[Expect], received: Sequence[tuple[int, bytes]]) -> list[Mismatch]:
    """The differences. Packets of a port are compared in their order."""
    found: list[Mismatch] = []
    ports = sorted({command.port for command in expected} | {port for port, _ in received})
    for port in ports:
        commands = [command for command in expected if command.port == port]
        if any(command.is_anything for command in commands):
            continue
        packets = [data for number, data in received if number == port]
        found += [
            Mismatch(command.line, f"port {port}: expected {_text(command)}, got {_hex(packet)}")
            for command, packet in zip(commands, packets, strict=False)
            if not matches(command, packet)
        ]
        found += [
            Mismatch(command.line, f"port {port}: expected {_text(command)}, got nothing")
            for command in commands[len(packets) :]
        ]
        found += [
            Mismatch(None, f"port {port}: expected nothing more, got {_hex(packet)}")
            for packet in packets[len(commands) :]
        ]
    return found


def matches(command: Expect, packet: bytes) -> bool:
    """Whether a packet is as expected."""
    digits = _hex(packet)
    if len(digits) < len(command.pattern):
        return False
    if command.is_whole and len(digits) != len(command.pattern):
        return False
    pairs = zip(command.pattern, digits, strict=False)
    return all(wanted in ("*", digit) for wanted, digit in pairs)


def _hex(packet: bytes) -> str:
    return packet.hex().upper()


def _text(command: Expect) -> str:
    return f"{command.pattern}{'$' if command.is_whole else '…'}"
