"""What all moves of an engine share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from controlplane.migration.barriers import Barriers
from controlplane.migration.buckets import BucketKeeper
from controlplane.migration.buffer import PacketBuffer
from controlplane.migration.events import EventLog
from controlplane.migration.flow_registry import FlowRegistry
from controlplane.migration.garbage import GarbagePause
from controlplane.migration.intake import Intake
from controlplane.migration.journal import Journal
from controlplane.migration.numbers import Numbers
from controlplane.migration.options import Limits
from controlplane.migration.outbox import Outbox
from controlplane.migration.writer import RuleWriter


@dataclass(frozen=True)
class Services:
    """The shared parts, made once by the engine."""

    writer: RuleWriter
    buckets: BucketKeeper
    intake: Intake
    outbox: Outbox
    buffer: PacketBuffer
    journal: Journal
    barriers: Barriers
    numbers: Numbers
    limits: Limits
    clock: Callable[[], float]
    """Monotonic seconds."""
    registry: FlowRegistry = field(default_factory=FlowRegistry)
    events: EventLog = field(default_factory=EventLog)
    garbage: GarbagePause = field(default_factory=GarbagePause)
