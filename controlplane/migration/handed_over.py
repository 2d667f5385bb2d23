"""What becomes of rules and copies when an instance has no live flow of buckets any more."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from controlplane.migration.counts import ControlCounts
from controlplane.migration.errors import MoveError
from controlplane.migration.peers import FlowRule, InstanceRule, Member, UpdateOutcome, WriteResult
from controlplane.migration.services import Services
from controlplane.migration.writer import RuleWriter
from nf.southbound.flow import FiveTuple

_AT_ONCE = 128
_YIELD_EVERY = 1024  # rules looked at before the loop gets its turn


async def hand_over_rules(
    previous: Member, owners: Mapping[int, int | None], services: Services, counts: ControlCounts
) -> None:
    """Lets rules that lead to `previous` lead to the owner of their bucket. Raises MoveError.

    `owners` has the instance of each bucket that this is for; none where two others share it: the
    switch knows which of them has seen the flow, and the rule goes. A rule outlives the flow's
    state, which goes when the connection ends or pauses. Left as it is, it would let the flow
    begin anew at an instance that is drained, or is gone.
    """
    registry, writer, old = services.registry, services.writer, InstanceRule(previous.id)
    ended = registry.ended
    led = {*registry.stranded_at(previous.id), *await _led_to(previous.id, writer)}
    flows = [flow for flow in led if flow.bucket in owners]
    for first in range(0, len(flows), _AT_ONCE):  # what others have to write goes in between
        if registry.ended != ended:  # one may have been moved there meanwhile
            raise MoveError(f"flows may have been moved to {previous.name} meanwhile")
        some = {flow for flow in flows[first : first + _AT_ONCE] if flow not in registry}
        stranded = some.intersection(registry.stranded_at(previous.id))
        rules = {
            flow: _rule_to(owners[flow.bucket])
            if flow in stranded or writer.rules[flow] == old
            else writer.rules[flow]
            for flow in some
            if flow in stranded or _may_lead(flow, old, writer)
        }
        outcomes = await asyncio.gather(
            *(_put(writer, flow, rule, counts) for flow, rule in rules.items())
        )
        for outcome in outcomes:
            if outcome.result is not WriteResult.WRITTEN:
                raise MoveError(f"a rule still leads to {previous.name}: {outcome.reason}")
        if stranded:
            came = await services.barriers.wait(counts)
            for flow in stranded:
                registry.forget(flow, stray=not came)


def adopt_copies(owners: Mapping[int, int], services: Services) -> None:
    """What an instance has of flows in its own buckets is no copy, when no other has any of them.

    `owners` has the instance of each bucket of which that is so. A flow may have begun anew
    where a copy of its state was left.
    """
    journal, writer, registry = services.journal, services.writer, services.registry
    for instance in {*owners.values()}:
        rules = (None, InstanceRule(instance))
        flows = [
            flow
            for flow in journal.copies_at(instance)
            if owners.get(flow.bucket) == instance
            and writer.rules.get(flow) in rules
            and flow not in registry
        ]
        journal.forget_copies(instance, flows)


async def _led_to(instance: int, writer: RuleWriter) -> list[FiveTuple]:
    """The flows that the switch leads to an instance, or may, as far as is known."""
    found: list[FiveTuple] = []
    for number, flow in enumerate(tuple(writer.rules)):
        if _may_lead(flow, InstanceRule(instance), writer):
            found.append(flow)
        if number % _YIELD_EVERY == _YIELD_EVERY - 1:
            await asyncio.sleep(0)
    return found


def _may_lead(flow: FiveTuple, rule: InstanceRule, writer: RuleWriter) -> bool:
    now = writer.rules.get(flow)
    return now == rule or (now is not None and rule in writer.may_be.get(flow, ()))


def _rule_to(owner: int | None) -> InstanceRule | None:
    return None if owner is None else InstanceRule(owner)


def _put(
    writer: RuleWriter, flow: FiveTuple, rule: FlowRule | None, counts: ControlCounts
) -> asyncio.Future[UpdateOutcome]:
    written: asyncio.Future[UpdateOutcome] = asyncio.get_running_loop().create_future()

    def done(outcome: UpdateOutcome) -> None:
        if not written.done():  # else: whoever waited has been cancelled
            written.set_result(outcome)

    writer.put(flow, rule, counts, done)
    return written
