"""What a Read answers, in few messages: each on the stream costs more than what it says."""

from __future__ import annotations

from finsy.proto import p4r

_ENOUGH = 1 << 14  # bytes


class ReadMessages:
    """Gathers responses. Small ones go together, in the order they came.

    Serialised messages one after the other are one message with the entities of all.
    """

    def __init__(self) -> None:
        self._full: list[bytes] = []
        self._waiting: list[bytes] = []
        self._size = 0

    def add(self, response: p4r.ReadResponse | bytes) -> bool:
        """Takes a response, serialised or not; whether that made a message full."""
        octets = response if isinstance(response, bytes) else response.SerializeToString()
        self._waiting.append(octets)
        self._size += len(octets)
        if self._size < _ENOUGH:
            return False
        self._full.append(b"".join(self._waiting))
        self._waiting, self._size = [], 0
        return True

    def serialised(self) -> list[bytes]:
        """All of them."""
        return [*self._full, b"".join(self._waiting)] if self._waiting else self._full
