"""What must hold before a move touches anything."""

from __future__ import annotations

import asyncio

from controlplane.migration.buckets import drained_by_others
from controlplane.migration.counts import ControlCounts
from controlplane.migration.errors import MoveError
from controlplane.migration.options import MoveOptions
from controlplane.migration.peers import Member
from controlplane.migration.services import Services
from nf.southbound import southbound_pb2 as pb
from nf.southbound.client import SouthboundError


async def check(
    source: Member,
    destination: Member,
    options: MoveOptions,
    services: Services,
    counts: ControlCounts,
) -> tuple[pb.Info, pb.Info]:
    """What source and destination say they are; the switch is asked whose their buckets are.

    Raises MoveError when state cannot move from one to the other, or not yet, and
    SouthboundError.
    """
    counts.southbound_calls += 2
    origin, target, buckets = await asyncio.gather(
        source.southbound.get_info(),
        destination.southbound.get_info(),
        services.buckets.read(source.group),
    )
    if origin.function != target.function:
        raise MoveError(
            f"{source.name} is a {origin.function}, "
            f"{destination.name} a {target.function}: state cannot move"
        )
    if origin.state_version > target.state_version:
        raise MoveError(
            f"{destination.name} speaks state version "
            f"{target.state_version}, {source.name} {origin.state_version}: "
            "upgrade the destination first"
        )
    if drained_by_others(buckets, source.id, destination.id, options.buckets):
        raise MoveError(
            f"{source.name} still takes over from another instance: wait until that one is drained",
            conflict=True,
        )
    return origin, target


async def delete_copies(member: Member, services: Services, counts: ControlCounts) -> None:
    """Deletes what an earlier move could not delete: it is no state of a flow any more.

    Raises MoveError when the instance does not.
    """
    flows = services.journal.copies_at(member.id)
    if not flows:
        return
    counts.southbound_calls += 1
    try:
        await member.southbound.delete_perflow(flows)
    except SouthboundError as error:
        raise MoveError(f"copies of flows are left there: {error}", conflict=True) from None
    services.journal.forget_copies(member.id, flows)
