"""Digests: their values, their order, and their bound."""

from __future__ import annotations

import select

from small_program import Load, ethernet

DST, SRC = 0x0123456789AB, 0xABCDEF


def is_readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def test_digests_come_in_order_with_their_values(load: Load) -> None:
    program = load("digest")
    plane = program.dataplane
    assert not is_readable(plane.digest_fileno())
    program.run(*(ethernet(DST, SRC, kind) for kind in range(7)), port=3)
    assert is_readable(plane.digest_fileno())
    # A packet that asks for two sends the later one; one that is dropped sends it, too.
    assert plane.receive_digests() == [
        ("learned_t", (SRC, 3)),
        ("odd_t", (2, 3, DST)),
        ("odd_t", (3, 3, DST)),
        ("learned_t", (SRC, 3)),
        ("odd_t", (6, 3, DST)),
    ]
    assert plane.receive_digests() == []
    assert not is_readable(plane.digest_fileno())


def test_what_does_not_fit_is_counted(load: Load) -> None:
    program = load("digest")
    plane = program.dataplane
    sent = 0
    while plane.fate_counts().digests_full == 0:
        for _ in range(1000):
            plane.send(0, ethernet(DST, sent, 1))
            sent += 1
        plane.process()
        plane.receive()
    taken = plane.receive_digests()
    assert len(taken) + plane.fate_counts().digests_full == sent
    assert [values[0] for _, values in taken] == list(range(len(taken)))
    program.run(ethernet(DST, SRC, 1))
    assert plane.receive_digests() == [("learned_t", (SRC, 0))], "there is room again"
