"""Stragglers: flows that were left behind and do not die out soon enough."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from controlplane.detection.choice import Choice, DetectorName
from controlplane.migration.errors import MoveError
from controlplane.migration.move import Move
from controlplane.migration.options import MoveOptions
from controlplane.migration.report import MoveState


def stragglers_of(options: MoveOptions, buckets: frozenset[int]) -> MoveOptions:
    """The second move: of those flows in the buckets that would outlive it.

    The source owns none of these. Any others have been turned since, and are not to be again.
    """
    asked = options.elephants
    return replace(
        options,
        elephants=Choice(
            detector=DetectorName.SURVIVAL,
            theta=asked.theta,
            distribution=asked.distribution,
            edm=asked.edm,
        ),
        share=None,
        buckets=buckets,
        stragglers_after_s=None,
    )


async def follow_up(
    move: Move, after_s: float, begin: Callable[[MoveOptions], Awaitable[Move]]
) -> None:
    """Moves what is left at the source so long after a move; nothing if the move has ended."""
    await move.moved.wait()
    try:
        async with asyncio.timeout(after_s):
            await move.ended.wait()
    except TimeoutError:
        if move.state is not MoveState.DRAINING or move.drain is None:
            return
        try:
            left = await move.drain.left_behind()
            move.stragglers = await begin(stragglers_of(move.options, left))
        except MoveError as error:
            before = f"{move.reason}; " if move.reason else ""
            move.reason = f"{before}the stragglers stay: {error}"
