"""What the flows carry: bytes that the receiver can check without being told them."""

from __future__ import annotations

import random
import struct

BLOCK = 1 << 20
_STRIDE = 40_503  # flows start far apart in the block, and never twice at one place in a row

_HEADER = struct.Struct("!4sIQB")
_MAGIC = b"uhl1"
HEADER_BYTES = _HEADER.size

_VERDICT = struct.Struct("!cQ")
VERDICT_BYTES = _VERDICT.size


class Payload:
    """Pseudo-random bytes of a seed; each flow reads them from a place of its own."""

    def __init__(self, seed: int) -> None:
        block = random.Random(seed).randbytes(BLOCK)
        self._bytes = memoryview(block + block)

    def piece(self, flow: int, position: int, length: int) -> memoryview:
        """The bytes of `flow` from `position`; `length` is at most BLOCK."""
        start = (flow * _STRIDE + position) % BLOCK
        return self._bytes[start : start + length]


def pack_header(flow: int, size: int, *, reverse: bool) -> bytes:
    """What the client sends first."""
    return _HEADER.pack(_MAGIC, flow, size, reverse)


def unpack_header(data: bytes) -> tuple[int, int, bool]:
    """Flow, size and direction. Raises ValueError when it is no header."""
    magic, flow, size, reverse = _HEADER.unpack(data)
    if magic != _MAGIC or reverse > 1:
        raise ValueError("not a header of this load")
    return flow, size, bool(reverse)


def pack_verdict(received: int, *, intact: bool) -> bytes:
    """What the server says of a payload that it has received."""
    return _VERDICT.pack(b"+" if intact else b"-", received)


def unpack_verdict(data: bytes) -> tuple[int, bool]:
    """How many bytes came, and whether all of them were right."""
    sign, received = _VERDICT.unpack(data)
    return received, sign == b"+"


class Verifier:
    """Checks a payload as it arrives."""

    def __init__(self, payload: Payload, flow: int) -> None:
        self._payload = payload
        self._flow = flow
        self.received = 0
        self.intact = True

    def feed(self, data: bytes | memoryview) -> None:
        """Takes the next bytes, in pieces of at most BLOCK."""
        expected = self._payload.piece(self._flow, self.received, len(data))
        if expected != data:
            self.intact = False
        self.received += len(data)
