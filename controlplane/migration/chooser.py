"""Which flows a move takes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from controlplane.detection.registry import Rule
from controlplane.migration.buckets import is_between
from controlplane.migration.counts import ControlCounts
from controlplane.migration.peers import Detector, InstanceRule, Member
from controlplane.migration.services import Services
from controlplane.migration.strategy import Strategy
from nf.southbound.flow import FiveTuple

_PIECE = 512  # flows that are looked through before the loop gets its turn


class Chooser:
    """Asks the detector for the elephants, or the source for its flows."""

    def __init__(
        self,
        source: Member,
        destination: Member,
        scope: Collection[int],
        detector: Detector,
        services: Services,
        counts: ControlCounts,
    ) -> None:
        """`scope` are the buckets whose flows may be taken."""
        self._source = source
        self._destination = destination
        self._scope = scope
        self._detector = detector
        self._services = services
        self._counts = counts
        self.active: int | None = None
        """Flows that were chosen from, once they have been."""

    async def elephants(self, rule: Rule) -> Sequence[FiveTuple]:
        """Those that the detector selects. Raises MoveError and SouthboundError."""
        selection = await self._detector.select(self._source.id, rule)
        self.active = selection.active
        buckets = await self._services.buckets.read(self._source.group)
        # The registers may know a flow twice, and for a while after it has been moved away.
        flows = [
            flow
            for flow in dict.fromkeys(selection.flows)
            if flow.bucket in self._scope and not self._is_elsewhere(flow)
        ]
        pair = (self._source.id, self._destination.id)
        foreign = {flow for flow in flows if not is_between(buckets[flow.bucket], *pair)}
        foreign -= await self._at_source(foreign)
        return [flow for flow in flows if flow not in foreign]

    def _is_elsewhere(self, flow: FiveTuple) -> bool:
        """Whether its state is at another instance than the source, for all that is known."""
        registry = self._services.registry
        if flow in registry or registry.is_stranded(flow):  # another move has it, or had
            return True
        rule = self._services.writer.rules.get(flow)
        return isinstance(rule, InstanceRule) and rule.instance != self._source.id

    async def _at_source(self, flows: Collection[FiveTuple]) -> set[FiveTuple]:
        """Those that the source has state for.

        In a bucket that a third instance has taken over, a flow may live there, by bounces.
        Raises SouthboundError.
        """
        if not flows:
            return set()
        self._counts.southbound_calls += 1
        return {each.flow for each in await self._source.southbound.list_flows()}

    async def listed(self, strategy: Strategy) -> Sequence[FiveTuple]:
        """Those that a strategy takes of the flows that the source has state for.

        Raises SouthboundError.
        """
        self._counts.southbound_calls += 1
        flows = await self._source.southbound.list_flows()
        self.active = len(flows)
        chosen: list[FiveTuple] = []
        for first in range(0, len(flows), _PIECE):
            piece = flows[first : first + _PIECE]
            chosen += strategy.choose(each for each in piece if each.flow.bucket in self._scope)
            await asyncio.sleep(0)
        return chosen
