"""Tells a switch that has lost its memory where the flows are: the instances know."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from math import inf

from controlplane.migration.errors import MoveError
from controlplane.migration.journal import Journal, OpenMove
from controlplane.migration.peers import (
    InstanceRule,
    Member,
    RuleUpdate,
    Switch,
    UpdateOutcome,
    WriteResult,
)
from controlplane.switch.entries import Operation
from controlplane.switch.errors import SwitchError
from nf.southbound.client import SouthboundError
from nf.southbound.flow import FiveTuple

logger = logging.getLogger(__name__)


async def restore_rules(
    switch: Switch,
    members: Iterable[Member],
    journal: Journal,
    under_way: Mapping[FiveTuple, InstanceRule],
) -> int:
    """Writes a rule for each flow that an instance has state for, to that instance.

    Also where the flow's bucket leads there: the switch does not remember that it has seen
    the flow, and would take it for a new one when the bucket is turned. A flow that is
    `under_way` goes where that says. Returns the number of rules. Raises MoveError and
    SwitchError.
    """
    rules = await homes(members, journal)
    updates = [
        RuleUpdate(Operation.INSERT, flow, rule) for flow, rule in {**rules, **under_way}.items()
    ]
    outcomes = await _write(switch, updates)
    # Left by a controller that did not come to the end of this.
    present = [
        RuleUpdate(Operation.MODIFY, update.flow, update.rule)
        for update, outcome in zip(updates, outcomes, strict=True)
        if outcome.result is WriteResult.EXISTS
    ]
    outcomes = [each for each in outcomes if each.result is not WriteResult.EXISTS]
    outcomes += await _write(switch, present)
    refused = [each for each in outcomes if each.result is not WriteResult.WRITTEN]
    if refused:
        raise MoveError(
            f"{len(refused)} of {len(updates)} flows cannot be steered: {refused[0].reason}"
        )
    return len(updates)


async def _write(switch: Switch, updates: Sequence[RuleUpdate]) -> list[UpdateOutcome]:
    """Raises SwitchError when the switch does not answer."""
    outcomes = list(await switch.write_rules(updates)) if updates else []
    for outcome in outcomes:
        if outcome.result is WriteResult.UNANSWERED:
            raise SwitchError(outcome.reason, is_unanswered=True)
    return outcomes


async def homes(members: Iterable[Member], journal: Journal) -> dict[FiveTuple, InstanceRule]:
    """The instance that has the state of each flow, as far as instances answer.

    What the journal says is a copy that nobody has deleted, is no flow's state.
    """
    idle_s: dict[FiveTuple, float] = {}
    rules: dict[FiveTuple, InstanceRule] = {}
    for member in members:
        try:
            flows = await member.southbound.list_flows()
        except SouthboundError as error:
            logger.warning("its flows are not steered to it: %s", error)
            continue
        copies = set(journal.copies_at(member.id))
        for flow in flows:
            # Of two that know a flow one has a copy of which the journal does not know.
            if flow.flow not in copies and flow.idle_s < idle_s.get(flow.flow, inf):
                idle_s[flow.flow] = flow.idle_s
                rules[flow.flow] = InstanceRule(member.id)
    return rules


def homes_under_way(
    moves: Iterable[OpenMove], members: Mapping[str, Member]
) -> dict[FiveTuple, InstanceRule]:
    """Where flows belong that were being moved: the other instance may have a copy."""
    rules: dict[FiveTuple, InstanceRule] = {}
    for move in moves:
        for flow in move.flows:
            options = move.options
            name = options.destination if flow.stage.is_committed else options.source
            if name in members:
                rules[flow.flow] = InstanceRule(members[name].id)
    return rules
