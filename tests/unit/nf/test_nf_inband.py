"""Markers and bounces. Run: pytest tests/unit/nf/test_nf_inband.py"""

from __future__ import annotations

import asyncio

import pytest

from nf.runtime.markers import MarkerLog
from nf.southbound.inband import (
    MAX_MARKER,
    build_marker,
    is_bounce,
    mark_bounce,
    parse_marker,
)


@pytest.mark.parametrize("marker", [1, 2**32, MAX_MARKER])
def test_a_marker_is_read_as_it_was_built(marker: int) -> None:
    frame = build_marker(marker)
    assert len(frame) == 60
    assert frame[12:14] == b"\x88\xb5"
    assert parse_marker(frame) == marker
    assert parse_marker(memoryview(frame)) == marker


@pytest.mark.parametrize("marker", [0, -1, MAX_MARKER + 1])
def test_what_is_no_marker_is_not_built(marker: int) -> None:
    with pytest.raises(ValueError, match="a marker is from 1"):
        build_marker(marker)


@pytest.mark.parametrize(
    "frame",
    [b"", build_marker(1)[:21], build_marker(1)[:14] + bytes(46), bytes(12) + b"\x08\x00" * 24],
    ids=["empty", "cut short", "id 0", "another type"],
)
def test_what_is_no_marker(frame: bytes) -> None:
    assert parse_marker(frame) is None


def test_a_bounce_is_the_frame_with_another_destination() -> None:
    frame = bytearray(range(100))
    assert not is_bounce(frame)
    mark_bounce(memoryview(frame))
    assert is_bounce(frame)
    assert frame[6:] == bytes(range(6, 100))


async def test_a_marker_that_was_read_before_is_not_waited_for() -> None:
    log = MarkerLog()
    log.add(7)
    await asyncio.wait_for(log.wait(7), 5)


async def test_a_marker_wakes_all_who_wait_for_it_and_nobody_else() -> None:
    log = MarkerLog()
    seven = [asyncio.create_task(log.wait(7)) for _ in range(2)]
    eight = asyncio.create_task(log.wait(8))
    await asyncio.sleep(0)
    assert log.waiting == 3
    log.add(7)
    await asyncio.wait_for(asyncio.gather(*seven), 5)
    assert not eight.done()
    eight.cancel()
    await asyncio.wait([eight])
    assert log.waiting == 0


async def test_who_gives_up_takes_no_other_along() -> None:
    log = MarkerLog()
    one, other = (asyncio.create_task(log.wait(7)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    log.add(7)
    await asyncio.wait_for(other, 5)
    await asyncio.wait([one])
    assert log.waiting == 0


async def test_only_the_latest_markers_are_remembered() -> None:
    log = MarkerLog(capacity=3)
    for marker in range(1, 6):
        log.add(marker)
    assert log.count == 5
    for marker in (3, 4, 5):
        await asyncio.wait_for(log.wait(marker), 5)
    forgotten = asyncio.create_task(log.wait(2))
    await asyncio.sleep(0)
    assert not forgotten.done()
    forgotten.cancel()
