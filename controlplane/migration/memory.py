"""What outlives an engine: whoever comes next goes on with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from controlplane.migration.buffer import PacketBuffer
from controlplane.migration.copies import LeftCopies
from controlplane.migration.journal import Journal


@dataclass(frozen=True)
class Memory:
    """The journal, which survives the process; packets and copies, which survive a session."""

    buffer: PacketBuffer
    journal: Journal = field(default_factory=Journal)
    copies: LeftCopies = field(default_factory=LeftCopies)
