"""Rules of flows that nobody moves any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from controlplane.migration.counts import ControlCounts
from controlplane.migration.peers import FlowRule, HoldRule, Member, Switch, UpdateOutcome
from controlplane.migration.restore import homes
from controlplane.migration.services import Services
from nf.southbound.flow import FiveTuple

_PAUSE_S = 0.1  # before the rules are read: others may show meanwhile
_AGAIN_S = 1.0  # before they are read again: the switch may not take what lets a flow go

logger = logging.getLogger(__name__)


class LeftRules:
    """Deletes rules that are idle, and lets go of flows that are held for nobody."""

    def __init__(
        self, switch: Switch, members: Sequence[Member], services: Services, counts: ControlCounts
    ) -> None:
        self._switch = switch
        self._members = members
        self._services = services
        self._counts = counts
        self._shown = asyncio.Event()
        self.expired = 0
        """Rules that were deleted."""

    async def expire(self) -> None:
        """Deletes rules that the switch says are idle, never of a flow under way."""
        async for flow in self._switch.idle_rules():
            if flow not in self._services.registry:
                self._delete(flow)

    def one_shows(self) -> None:
        """A packet has come that is held for nobody."""
        self._shown.set()

    async def watch(self) -> None:
        """Lets go of flows that are held for nobody, when one shows.

        The last write of a controller that is gone may take effect when this one has read the
        rules already.
        """
        while True:
            await self._shown.wait()
            await asyncio.sleep(_PAUSE_S)
            self._shown.clear()
            await self.let_go(await self._switch.read_rules())
            await asyncio.sleep(_AGAIN_S)

    async def let_go(self, rules: Mapping[FiveTuple, FlowRule]) -> None:
        """Lets go of flows that one of the rules holds for a controller that is gone.

        They were stranded there, perhaps for so long that the switch has forgotten where they
        belong: the instances know. Without state a flow is nowhere, and loses its rule.
        """
        registry, writer = self._services.registry, self._services.writer
        orphans: list[FiveTuple] = [
            flow
            for flow, rule in rules.items()
            if isinstance(rule, HoldRule)
            and flow not in registry
            and registry.find(rule.migration) is None
        ]
        if orphans:
            logger.warning("%d flows were held by an earlier controller: let go", len(orphans))
            before = {flow: writer.rules.get(flow) for flow in orphans}
            known = await homes(self._members, self._services.journal)
            for flow in orphans:
                if flow in registry or writer.rules.get(flow) != before[flow]:
                    continue  # a move has begun with it meanwhile
                if flow in known:
                    writer.put(flow, known[flow], self._counts, _ignore)
                else:
                    self._delete(flow)

    def _delete(self, flow: FiveTuple) -> None:
        def done(outcome: UpdateOutcome) -> None:
            if outcome.reason:
                logger.warning("an idle rule is not deleted: %s", outcome.reason)
                return
            self.expired += 1
            self._services.registry.forget(flow, stray=True)

        self._services.writer.put(flow, None, self._counts, done)


def _ignore(outcome: UpdateOutcome) -> None:
    """Where the switch does not take it the flow stays as it is, until it shows again."""
