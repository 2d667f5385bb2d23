"""What came out, compared with what was expected."""

from __future__ import annotations

from collections.abc import Sequence

from bmv2.stf.script import Expect


def complaints(expected: Sequence[Expect], received: Sequence[tuple[int, bytes]]) -> list[str]:
    """The differences, a line each. Packets of a port are compared in their order."""
    found: list[str] = []
    ports = sorted({command.port for command in expected} | {port for port, _ in received})
    for port in ports:
        commands = [command for command in expected if command.port == port]
        if any(not command.pattern and not command.is_whole for command in commands):
            continue  # any number of any packets
        packets = [data for number, data in received if number == port]
        for command, packet in zip(commands, packets, strict=False):
            if not matches(command, packet):
                found.append(
                    f"line {command.line}: port {port}: expected {_text(command)}, "
                    f"got {packet.hex().upper()}"
                )
        found += [
            f"line {command.line}: port {port}: expected {_text(command)}, got nothing"
            for command in commands[len(packets) :]
        ]
        found += [
            f"port {port}: got {packet.hex().upper()}, expected nothing"
            for packet in packets[len(commands) :]
        ]
    return found


def matches(command: Expect, packet: bytes) -> bool:
    """Whether a packet is as expected."""
    digits = packet.hex().upper()
    if len(digits) < len(command.pattern):
        return False
    if command.is_whole and len(digits) != len(command.pattern):
        return False
    pairs = zip(command.pattern, digits, strict=False)
    return all(wanted in ("*", digit) for wanted, digit in pairs)


def _text(command: Expect) -> str:
    return f"{command.pattern}{'$' if command.is_whole else '…'}"
