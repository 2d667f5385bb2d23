"""The log of events: bounded, in order, and honest about what is missed.

Run: pytest tests/unit/migration/test_migration_events.py
"""

from __future__ import annotations

import asyncio

from instance_model import flow_of

from controlplane.migration.events import EventLog


def numbers(log: EventLog, since: int, most: int = 100) -> list[int]:
    return [event.number for event in log.since(since, most)]


def test_the_last_ones_are_remembered() -> None:
    log = EventLog(kept=5)
    for left in range(12):
        log.left("m1", left)
    assert (log.first, numbers(log, 0), numbers(log, 9), numbers(log, 12)) == (
        7,
        [7, 8, 9, 10, 11],
        [9, 10, 11],
        [],
    )
    assert numbers(log, 8, most=2) == [8, 9]


async def test_whoever_follows_is_told_each_once() -> None:
    log = EventLog()
    told: list[int] = []

    async def listen() -> None:
        async for missed, batch in log.follow(most=3):
            assert missed == 0
            told.extend(event.number for event in batch)

    listeners = [asyncio.create_task(listen()) for _ in range(2)]
    for number in range(20):
        log.flow("m1", flow_of(number), "holding")
        if number % 7 == 0:
            await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    for listener in listeners:
        listener.cancel()
    assert sorted(told) == sorted([*range(20), *range(20)])


async def test_whoever_is_too_slow_knows_what_was_missed() -> None:
    log = EventLog(kept=4)
    for number in range(10):
        log.state("m1", "moving" if number % 2 else "draining")
    heard = [
        (missed, [e.number for e in batch])
        async for missed, batch in log.follow(2, most=3, forever=False)
    ]
    assert heard == [(4, [6, 7, 8]), (0, [9])]
