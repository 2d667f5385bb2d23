"""Tells a switch that has lost its memory where the flows are: the instances know."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from controlplane.migration.errors import MoveError
from controlplane.migration.peers import (
    InstanceRule,
    Member,
    RuleUpdate,
    Switch,
    WriteResult,
)
from controlplane.switch.entries import Operation
from nf.southbound.client import SouthboundError
from nf.southbound.flow import FiveTuple

logger = logging.getLogger(__name__)


async def restore_rules(
    switch: Switch, members: Iterable[Member], owners: Mapping[int, frozenset[int]]
) -> int:
    """Writes a rule for each flow that its bucket alone would not send to its state.

    `owners` are the instances that buckets of a group belong to. Where that is one, its own
    flows need no rule. Returns the number of rules. Raises MoveError.
    """
    rules: dict[FiveTuple, InstanceRule] = {}
    for member in members:
        if owners.get(member.group) == frozenset({member.id}):
            continue
        try:
            flows = await member.southbound.list_flows()
        except SouthboundError as error:
            logger.warning("its flows are not steered to it: %s", error)
            continue
        rules |= {flow.flow: InstanceRule(member.id) for flow in flows if not flow.ended}
    updates = [RuleUpdate(Operation.INSERT, flow, rule) for flow, rule in rules.items()]
    outcomes = await switch.write_rules(updates) if updates else ()
    refused = [each for each in outcomes if each.result is not WriteResult.WRITTEN]
    if refused:
        raise MoveError(
            f"{len(refused)} of {len(updates)} flows cannot be steered: {refused[0].reason}"
        )
    return len(updates)
