"""Where packets of flows that are held wait: bounded, first in, first out per flow."""

from __future__ import annotations

from collections import deque


class PacketBuffer:
    """The controller's buffer, shared by all flows that are held."""

    def __init__(self, max_packets: int, max_bytes: int) -> None:
        self.max_packets = max_packets
        """Bound in packets."""
        self.max_bytes = max_bytes
        """Bound in bytes of frames."""
        self.packets = 0
        """Packets waiting now."""
        self.bytes = 0
        """Their bytes."""
        self._queues: dict[int, deque[bytes]] = {}

    def keep(self, migration: int, frame: bytes) -> bool:
        """Puts a packet behind the others of its flow; says no at the bound."""
        if self.packets >= self.max_packets or self.bytes + len(frame) > self.max_bytes:
            return False
        self._queues.setdefault(migration, deque()).append(frame)
        self.packets += 1
        self.bytes += len(frame)
        return True

    def waiting(self, migration: int) -> tuple[int, int]:
        """How many packets of a flow wait, and their bytes."""
        frames = self._queues.get(migration, ())
        return len(frames), sum(map(len, frames))

    def take(self, migration: int) -> deque[bytes]:
        """Takes out all packets of a flow, oldest first."""
        frames = self._queues.pop(migration, deque[bytes]())
        self.packets -= len(frames)
        self.bytes -= sum(map(len, frames))
        return frames
