"""The watches over flows that an earlier controller's moves have left behind."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from controlplane.migration.buckets import shared
from controlplane.migration.counts import ControlCounts
from controlplane.migration.drain import Drain
from controlplane.migration.move import Move
from controlplane.migration.peers import Member
from controlplane.migration.services import Services


async def resumed_drains(
    members: Iterable[Member],
    taken_over: Collection[Move],
    services: Services,
    counts: ControlCounts,
) -> list[Drain]:
    """Those that the journal knows, and one for each pair of owners of other shared buckets.

    Moves that are taken over watch their own. Raises SwitchError.
    """
    by_number = {member.id: member for member in members}
    drains = await _noted(by_number, services, counts)
    theirs = [
        *((drain.owner, drain.previous, drain.scope) for drain in drains),
        *((move.destination, move.source, move.turned_before) for move in taken_over),
    ]
    for group in {member.group for member in by_number.values()}:
        buckets = await services.buckets.read_first(group)
        for owner, previous in {*buckets.values()}:
            if owner not in by_number or previous not in by_number:
                continue
            numbers = shared(buckets, owner, previous, buckets).difference(
                *(scope for to, source, scope in theirs if (to.id, source.id) == (owner, previous))
            )
            if numbers:
                pair = by_number[owner], by_number[previous]
                drains.append(Drain(*pair, numbers, services, counts))
    return drains


async def _noted(
    members: dict[int, Member], services: Services, counts: ControlCounts
) -> list[Drain]:
    drains: list[Drain] = []
    for watch in services.journal.open_watches():
        if watch.owner not in members or watch.previous not in members:
            services.journal.end_watch(watch.number)
            continue
        owner, previous = members[watch.owner], members[watch.previous]
        buckets = await services.buckets.read_first(owner.group)
        numbers = shared(buckets, owner.id, previous.id, watch.scope)
        drains.append(
            Drain(
                owner,
                previous,
                numbers,
                services,
                counts,
                scope=watch.scope,
                watch=watch.number,
            )
        )
    return drains
