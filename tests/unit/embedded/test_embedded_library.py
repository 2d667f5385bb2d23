"""Each program that is loaded has a state of its own, and gives all back when it is dropped.

Run: pytest tests/unit/embedded/test_embedded_library.py
"""

from __future__ import annotations

import gc
from pathlib import Path

from small_program import SmallProgram


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def clone_session_of(program: SmallProgram) -> None:
    program.dataplane.clone_session_set(5, [(2, 0)], 0)


def test_loaded_twice_they_are_two() -> None:
    loaded = [SmallProgram("clone") for _ in range(3)]
    clone_session_of(loaded[0])
    frame = bytes(13) + b"\x01" + bytes(8)
    assert [len(each.run(frame)) for each in loaded] == [2, 1, 1]


def test_the_next_one_begins_anew_and_nothing_stays_open() -> None:
    gc.collect()
    before = descriptors()
    frame = bytes(13) + b"\x01" + bytes(8)
    for _ in range(20):
        program = SmallProgram("clone")
        assert len(program.run(frame)) == 1
        clone_session_of(program)
        assert len(program.run(frame)) == 2
        program.dataplane.stop()
        del program
    gc.collect()
    assert descriptors() == before


def test_one_that_was_not_stopped_is_stopped_when_it_is_dropped() -> None:
    gc.collect()
    before = descriptors()
    program = SmallProgram("clone")
    program.dataplane.start()
    del program
    gc.collect()
    assert descriptors() == before
