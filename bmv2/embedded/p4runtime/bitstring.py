"""Integers as P4Runtime byte strings (specification, section 8.4 "Bytestrings")."""

from __future__ import annotations

from bmv2.embedded.p4runtime.errors import Code, P4RuntimeError


def encode(value: int) -> bytes:
    """The canonical byte string: big endian, as short as can be, at least one byte."""
    return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")


def canonical(data: bytes) -> bytes:
    """A byte string without leading zeros; an empty one stays empty."""
    return data.lstrip(b"\0") or data[-1:]


def encode_signed(value: int, width: int) -> bytes:
    """The canonical byte string of an int<width>, given as its bits."""
    signed = value - (1 << width) if value >> (width - 1) & 1 else value
    # A sign bit more than the magnitude; of -128 the magnitude is that of 127.
    bits = (signed if signed >= 0 else ~signed).bit_length() + 1
    return signed.to_bytes((bits + 7) // 8, "big", signed=True)


def decode(data: bytes, width: int, what: str, code: Code = Code.OUT_OF_RANGE) -> int:
    """The value of a byte string of any length.

    Raises P4RuntimeError with a code when it is empty or has more than `width` bits.
    """
    if not data:
        raise P4RuntimeError(code, f"{what}: the value is empty")
    value = int.from_bytes(data, "big")
    if value >> width:
        raise P4RuntimeError(code, f"{what}: 0x{value:x} does not fit into {width} bits")
    return value


def decode_signed(data: bytes, width: int, what: str) -> int:
    """The bits of the int<width> in a byte string of any length.

    Raises P4RuntimeError (OUT_OF_RANGE) when it is empty or out of range.
    """
    if not data:
        raise P4RuntimeError(Code.OUT_OF_RANGE, f"{what}: the value is empty")
    value = int.from_bytes(data, "big", signed=True)
    if not -(1 << (width - 1)) <= value < 1 << (width - 1):
        raise P4RuntimeError(Code.OUT_OF_RANGE, f"{what}: {value} does not fit into int<{width}>")
    return value & ((1 << width) - 1)
