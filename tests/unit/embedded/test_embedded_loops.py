"""Programs that never stop to copy a packet do not stop the switch."""

from __future__ import annotations

import select

from small_program import Load, ethernet

ENOUGH = 5000


def test_copies_of_copies_are_queued_and_dropped_when_there_are_too_many(load: Load) -> None:
    plane = load("endless").dataplane
    plane.clone_session_set(7, [(1, 0), (2, 0)], 0)
    plane.start()
    plane.send(0, ethernet(1, 2, 3))
    seen = 0
    while seen < ENOUGH:
        select.select([plane.packet_in_fileno()], [], [])
        seen += len(plane.receive())
    plane.clone_session_delete(7)
    assert plane.fate_counts().loop_full > 0
    # It still forwards: a packet of another kind comes out in the end.
    plane.send(0, ethernet(7, 7, 7))
    frames: list[bytes] = []
    while ethernet(7, 7, 7) not in frames:
        select.select([plane.packet_in_fileno()], [], [])
        frames += [frame for _, frame in plane.receive()]
