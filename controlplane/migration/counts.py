"""What a move costs the controller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ControlCounts:
    """Control messages of one move."""

    writes: int = 0
    """Write calls that carried an update of the move."""
    updates: int = 0
    """Table updates."""
    packet_ins: int = 0
    """Packets that came for its flows, and barriers."""
    packet_outs: int = 0
    """Packets sent: released ones, markers and barriers."""
    southbound_calls: int = 0
    """Calls to the two instances; a put stream counts as one."""
    chunks: int = 0
    """States put."""
    chunk_bytes: int = 0
    """Their size."""


@dataclass(slots=True)
class BufferCounts:
    """What one move has buffered."""

    packets: int = 0
    """Packets that have waited, in total."""
    bytes: int = 0
    """Their bytes."""
    now_packets: int = 0
    """Packets that wait now."""
    now_bytes: int = 0
    peak_packets: int = 0
    peak_bytes: int = 0
    late_packets: int = 0
    """Packets that came when the rule that ended the hold was already written."""
    passed_packets: int = 0
    """Packets sent on at once, late ones included."""
    lost_packets: int = 0
    """Packets that the switch sent to the controller meanwhile, and that did not arrive."""

    def keep(self, size: int) -> None:
        """A packet of `size` bytes waits."""
        self.packets += 1
        self.bytes += size
        self.now_packets += 1
        self.now_bytes += size
        self.peak_packets = max(self.peak_packets, self.now_packets)
        self.peak_bytes = max(self.peak_bytes, self.now_bytes)

    def adopt(self, packets: int, size: int) -> None:
        """Packets wait that were kept before this was counted."""
        self.now_packets += packets
        self.now_bytes += size

    def take(self, packets: int, size: int) -> None:
        """Packets of `size` bytes together wait no longer."""
        self.now_packets -= packets
        self.now_bytes -= size
