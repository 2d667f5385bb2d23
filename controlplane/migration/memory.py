"""What outlives an engine: whoever comes next goes on with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from controlplane.migration.buffer import PacketBuffer
from controlplane.migration.journal import Journal


@dataclass(frozen=True)
class Memory:
    """The journal, which survives the process; the packets, which survive a session."""

    buffer: PacketBuffer
    journal: Journal = field(default_factory=Journal)
