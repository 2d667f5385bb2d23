"""Rules that lead to an instance which has no live flow of their buckets any more."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from controlplane.migration.counts import ControlCounts
from controlplane.migration.errors import MoveError
from controlplane.migration.peers import InstanceRule, Member, UpdateOutcome, WriteResult
from controlplane.migration.services import Services
from controlplane.migration.writer import RuleWriter
from nf.southbound.flow import FiveTuple

_TURN = 1024  # rules looked at before the loop gets its turn


async def hand_over_rules(
    previous: Member, owners: Mapping[int, int], services: Services, counts: ControlCounts
) -> None:
    """Lets rules that lead to `previous` lead to the owner of their bucket. Raises MoveError.

    `owners` has the instance of each bucket that this is for. A rule outlives the flow's state,
    which goes when the connection ends or pauses. Left as it is, it would let the flow begin
    anew at an instance that is drained, or is gone.
    """
    writer, registry = services.writer, services.registry
    old = InstanceRule(previous.id)
    written: list[asyncio.Future[UpdateOutcome]] = []
    for number, flow in enumerate(tuple(writer.rules)):
        if writer.rules.get(flow) == old and flow not in registry:
            owner = owners.get(flow.bucket)
            if owner is not None:
                written.append(_put(writer, flow, InstanceRule(owner), counts))
        if number % _TURN == _TURN - 1:
            await asyncio.sleep(0)
    for outcome in await asyncio.gather(*written):
        if outcome.result is not WriteResult.WRITTEN:
            raise MoveError(f"a rule still leads to {previous.name}: {outcome.reason}")


def _put(
    writer: RuleWriter, flow: FiveTuple, rule: InstanceRule, counts: ControlCounts
) -> asyncio.Future[UpdateOutcome]:
    written: asyncio.Future[UpdateOutcome] = asyncio.get_running_loop().create_future()

    def done(outcome: UpdateOutcome) -> None:
        if not written.done():  # else: whoever waited has been cancelled
            written.set_result(outcome)

    writer.put(flow, rule, counts, done)
    return written
