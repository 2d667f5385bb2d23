"""Which flows are under way or stranded, and who takes their packets."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from controlplane.migration.record import FlowRecord
from nf.southbound.flow import FiveTuple

_MAX_STRAYS = 4096


class PacketSink(Protocol):
    """Who takes the packets of a held flow."""

    def held(self, record: FlowRecord, frame: bytes) -> None:
        """A packet of the flow has come from the switch."""
        ...

    def led_to(self, record: FlowRecord) -> int:
        """The instance that packets of a stranded flow are passed on to."""
        ...


class FlowRegistry:
    """Which flows are under way, and who takes their packets."""

    def __init__(self) -> None:
        self._by_migration: dict[int, tuple[FlowRecord, PacketSink]] = {}
        self._strays: OrderedDict[int, tuple[FlowRecord, PacketSink]] = OrderedDict()
        self._stranded: dict[int, tuple[FlowRecord, PacketSink]] = {}
        self._stranded_flows: dict[FiveTuple, set[int]] = {}
        """The numbers that a flow's packets may bear: which rule holds it may not be known."""
        self._flows: dict[FiveTuple, int] = {}
        self.ended = 0
        """Flows that have reached their end so far: each is then where it was not known to be."""

    def add(self, record: FlowRecord, sink: PacketSink) -> None:
        """A flow is under way."""
        self._by_migration[record.migration] = record, sink
        self._flows[record.flow] = record.migration

    def end(self, record: FlowRecord, *, stray: bool, stranded: bool = False) -> None:
        """A flow has reached its end.

        `stray`: something went wrong on the way, so packets may still come. `stranded`: all
        its packets come by way of the controller, until another rule is written (`forget`).
        There are no more of those flows than rules in the switch.
        """
        entry = self._by_migration.pop(record.migration)
        self.ended += 1
        if self._flows.get(record.flow) == record.migration:
            del self._flows[record.flow]
        if stranded:
            self._stranded[record.migration] = entry
            self._stranded_flows.setdefault(record.flow, set()).add(record.migration)
        elif stray:
            self._stray(record.migration, entry)

    def _stray(self, migration: int, entry: tuple[FlowRecord, PacketSink]) -> None:
        self._strays[migration] = entry
        if len(self._strays) > _MAX_STRAYS:
            self._strays.popitem(last=False)

    def forget(self, flow: FiveTuple, *, stray: bool = False) -> None:
        """No rule holds a flow any more that was stranded, if it was.

        `stray`: packets that it held may still come.
        """
        for migration in self._stranded_flows.pop(flow, ()):
            entry = self._stranded.pop(migration)
            if stray:
                self._stray(migration, entry)

    def is_stranded(self, flow: FiveTuple) -> bool:
        """Whether a rule may hold a flow that no move has to do with any more."""
        return flow in self._stranded_flows

    def stranded_at(self, instance: int) -> list[FiveTuple]:
        """The stranded flows whose packets are passed on to an instance."""
        return [
            record.flow
            for record, sink in self._stranded.values()
            if sink.led_to(record) == instance
        ]

    def find(self, migration: int) -> tuple[FlowRecord, PacketSink] | None:
        """The flow that a packet belongs to."""
        return (
            self._by_migration.get(migration)
            or self._stranded.get(migration)
            or self._strays.get(migration)
        )

    def __contains__(self, flow: FiveTuple) -> bool:
        """Whether a flow is under way."""
        return flow in self._flows

    def __len__(self) -> int:
        """Flows under way."""
        return len(self._by_migration)
