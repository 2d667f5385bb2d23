"""One round: a move on live traffic, a fault at some moment of it, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from random import Random
from typing import Any

from controlplane.migration.report import UNDER_WAY
from experiments.chaos.faults import Accident
from experiments.chaos.suspicion import Doubt, Outage, Suspicion
from nf.southbound.client import FlowSummary, InstanceClient, SouthboundError
from nf.southbound.flow import FiveTuple
from testbed import plan
from testbed.bed import Bed
from testbed.child import BedError
from testbed.northbound import NorthboundError

_SETTLE_S = 40.0
_POLL_S = 0.05
_UNREAD_S = 0.1  # a packet may wait so long at an instance before it is read
_WAITING = (
    ("loss-free", "controller"),
    ("loss-free", "destination"),
    ("order-preserving", "controller"),
)

Knowledge = Mapping[str, Mapping[FiveTuple, FlowSummary]]
"""The flows that each instance has state for, by its name."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """What was done, and what came of it."""

    number: int
    accident: Accident
    kind: str
    guarantee: str
    keep_at: str
    source: str
    destination: str
    end: str
    """The state that the move came to; empty where it was never begun."""
    reason: str
    selected: int
    moved: int
    lost_packets_at_most: int | None
    settled_s: float
    """From asking for the move until nothing was under way any more."""
    wrong: tuple[str, ...]
    """What must not be."""
    suspicions: tuple[Suspicion, ...]
    """What must not be, unless what became of the connection explains it."""
    outage: Outage | None

    @property
    def title(self) -> str:
        """What was done, on one line."""
        accident = self.accident
        how = f"{self.kind}, {self.guarantee}, kept at the {self.keep_at}"
        when = f"after {accident.delay_s * 1e3:.0f} ms"
        return f"{self.number}: {how}; {accident.fault} {when}"


async def run_round(bed: Bed, number: int, random: Random, forgotten: set[FiveTuple]) -> Round:
    """Runs a round. Raises BedError when what was stopped cannot be started again, or is silent.

    `forgotten` are flows whose state was lost with an instance, in this round (which adds
    them) or before: they may begin anew at one instance and later at the other.
    """
    accident = Accident.draw(random)
    kind = random.choice(("move", "move-elephant"))
    guarantee, keep_at = random.choice(_WAITING)
    instances = (await bed.northbound.status())["instances"]
    source, destination = sorted(
        (each["name"] for each in instances),
        key=lambda name: -next(i["buckets_owned"] for i in instances if i["name"] == name),
    )
    await accident.prepare(bed)
    before = await _knowledge(bed)
    begun_s = time.monotonic()
    asking = asyncio.create_task(
        _ask(bed, kind, source, destination, guarantee=guarantee, keep_at=keep_at)
    )
    outage = await _happen(accident, bed, source, destination)
    refusal = await asking
    report, unsettled = await _settled(bed)
    settled_s = time.monotonic() - begun_s
    after = await _knowledge(bed)
    if accident.fault.forgets:
        forgotten.update(*before.values(), *after.values())
    seen_at = time.time()
    doubled = _doubled(before, after, source, destination, forgotten)
    suspicions = [
        Suspicion(doubt=doubt, flow=flow, seen_at=seen_at, what=f"{flow}: {what}")
        for doubt, found in (
            (Doubt.DOUBLED, doubled),
            (Doubt.SHRUNK, _shrunk(before, after, forgotten)),
        )
        for flow, what in found
    ]
    taken_over = (report or {}).get("taken_over")
    return Round(
        number=number,
        accident=accident,
        kind=kind,
        guarantee=guarantee,
        keep_at=keep_at,
        source=source,
        destination=destination,
        end=report["state"] if report else "",
        reason=report["reason"] if report else refusal,
        selected=report["flows"]["selected"] if report else 0,
        moved=report["flows"]["moved"] if report else 0,
        lost_packets_at_most=taken_over["lost_packets_at_most"] if taken_over else None,
        settled_s=round(settled_s, 3),
        wrong=tuple(unsettled),
        suspicions=tuple(suspicions),
        outage=outage,
    )


async def _happen(accident: Accident, bed: Bed, source: str, destination: str) -> Outage | None:
    """The accident; when an instance was not there, if one was not. Raises BedError."""
    begin = time.time() + accident.delay_s
    await accident.happen(bed, source, destination)
    if not accident.fault.forgets:
        return None
    return Outage(begin - _UNREAD_S, time.time() + _UNREAD_S)


async def _ask(bed: Bed, kind: str, source: str, destination: str, **how: str) -> str:
    """Asks for a move; why it was not begun, if it was not."""
    try:
        await bed.northbound.begin(kind, source, destination, **how)
    except NorthboundError as error:
        return str(error)
    return ""


async def _settled(bed: Bed) -> tuple[dict[str, Any] | None, list[str]]:
    """Waits until nothing is under way; the newest move, and what is wrong if it lasts."""
    deadline_s = time.monotonic() + _SETTLE_S
    last = ""
    while time.monotonic() < deadline_s:
        try:
            status, moves = await bed.northbound.status(), await bed.northbound.moves()
            engine = status["engine"]
            under_way = [each["id"] for each in moves if each["state"] in UNDER_WAY]
            down = [each["name"] for each in status["instances"] if not each["up"]]
            if not under_way and not engine["flows_under_way"] and not down:
                held = engine["buffered_packets"]
                wrong = [f"{held} packets are left in the buffer"] if held else []
                return (moves[-1] if moves else None), wrong
            last = f"under way: {under_way}, {engine['flows_under_way']} flows; down: {down}"
        except NorthboundError as error:
            last = str(error)
        await asyncio.sleep(_POLL_S)
    return None, [f"not settled after {_SETTLE_S:g} s: {last}"]


async def _knowledge(bed: Bed) -> Knowledge:
    """Raises BedError when an instance does not tell: nothing could be said of its flows."""
    found: dict[str, dict[FiveTuple, FlowSummary]] = {}
    for instance in plan.INSTANCES:
        async with bed.instance(instance) as client:
            found[instance.name] = {each.flow: each for each in await _listed(client)}
    return found


async def _listed(client: InstanceClient) -> list[FlowSummary]:
    deadline_s = time.monotonic() + _SETTLE_S
    while True:
        try:
            return await client.list_flows()
        except SouthboundError as error:
            if time.monotonic() > deadline_s:
                raise BedError(str(error)) from None
        await asyncio.sleep(_POLL_S)


def _doubled(
    before: Knowledge,
    after: Knowledge,
    source: str,
    destination: str,
    forgotten: Set[FiveTuple],
) -> Iterator[tuple[FiveTuple, str]]:
    """States that are in two places."""
    at_source, at_destination = after[source], after[destination]
    for flow in (at_source.keys() & at_destination.keys()) - forgotten:
        if not (at_source[flow].ended or at_destination[flow].ended):
            places = (f"{name} {_known(before, after, name, flow)}" for name in before)
            yield flow, f"state on both instances: {'; '.join(places)}"


def _shrunk(
    before: Knowledge, after: Knowledge, forgotten: Set[FiveTuple]
) -> Iterator[tuple[FiveTuple, str]]:
    """States that are smaller than they were, or gone, though nobody forgot them."""
    for name, flows in before.items():
        for flow in flows.keys() - forgotten:
            had = flows[flow].packets
            now = max(there[flow].packets if flow in there else 0 for there in after.values())
            if now < had:
                yield flow, f"had {had} packets at {name}, has {now}"


def _known(before: Knowledge, after: Knowledge, name: str, flow: FiveTuple) -> str:
    """`5 then 7 packets, idle for 0.1 s`."""
    first, now = before[name].get(flow), after[name].get(flow)
    idle = "" if now is None else f", idle for {now.idle_s:.3f} s"
    return f"{first.packets if first else 0} then {now.packets if now else 0} packets{idle}"
