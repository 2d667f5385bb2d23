"""Integers as P4Runtime byte strings (specification, section 8.4 "Bytestrings")."""

from __future__ import annotations

from bmv2.embedded.p4runtime.errors import Code, P4RuntimeError, invalid


def encode(value: int) -> bytes:
    """The canonical byte string: big endian, as short as can be, at least one byte."""
    return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")


def decode(data: bytes, width: int, what: str) -> int:
    """The value of a byte string of any length.

    Raises P4RuntimeError: INVALID_ARGUMENT when it is empty, OUT_OF_RANGE when the
    value has more than `width` bits.
    """
    if not data:
        raise invalid(f"{what}: the value is empty")
    value = int.from_bytes(data, "big")
    if value >> width:
        raise P4RuntimeError(
            Code.OUT_OF_RANGE, f"{what}: 0x{value:x} does not fit into {width} bits"
        )
    return value
