"""When digests are sent: pytest tests/unit/bmv2/test_p4runtime_digest_buffer.py"""

from __future__ import annotations

import pytest

from bmv2.embedded.p4runtime import digest_buffer
from bmv2.embedded.p4runtime.digest_buffer import DigestBuffer, DigestConfig, DigestList


def buffer(
    max_timeout_ns: int = 0, max_list_size: int = 0, ack_timeout_ns: int = 0
) -> DigestBuffer:
    return DigestBuffer(DigestConfig(max_timeout_ns, max_list_size, ack_timeout_ns))


@pytest.mark.parametrize("config", [(0, 0, 0), (0, 5, 0), (100, 1, 0)])
def test_each_is_sent_at_once(config: tuple[int, int, int]) -> None:
    box = buffer(*config)
    assert [box.add((number,), now_ns=0) for number in (7, 8)] == [
        DigestList(1, ((7,),)),
        DigestList(2, ((8,),)),
    ]
    assert box.due_ns is None


def test_a_full_list_is_sent() -> None:
    box = buffer(100, 3)
    sent = [box.add((number,), now_ns=0) for number in (1, 2, 2, 1, 3, 4)]
    assert sent == [None] * 4 + [DigestList(1, ((1,), (2,), (3,))), None]


def test_the_first_of_a_list_waits_no_longer_than_allowed() -> None:
    box = buffer(100, 3)
    box.add((1,), now_ns=1000)
    box.add((2,), now_ns=1090)
    assert (box.due_ns, box.tick(1099)) == (1100, None)
    assert box.tick(1100) == DigestList(1, ((1,), (2,)))
    assert (box.due_ns, box.tick(5000)) == (None, None)


def test_without_limit_a_list_waits_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_buffer, "_DEFAULT_LIST_SIZE", 50)
    box = buffer(100)
    assert [box.add((number,), now_ns=0) for number in range(49)] == [None] * 49
    full = box.add((49,), now_ns=0)
    assert full is not None
    assert len(full.digests) == 50


def test_what_is_not_acknowledged_is_not_sent_again() -> None:
    box = buffer(0, 0, ack_timeout_ns=100)
    assert box.add((1,), now_ns=0) == DigestList(1, ((1,),))
    assert box.add((1,), now_ns=50) is None
    assert box.add((2,), now_ns=50) == DigestList(2, ((2,),))
    box.acknowledge(1)
    assert box.add((1,), now_ns=60) == DigestList(3, ((1,),))
    assert box.add((2,), now_ns=60) is None
    box.acknowledge(99)  # nothing that is known


def test_it_is_sent_again_when_nobody_acknowledges_in_time() -> None:
    box = buffer(0, 0, ack_timeout_ns=100)
    box.add((1,), now_ns=0)
    box.add((2,), now_ns=60)
    box.tick(99)
    assert box.add((1,), now_ns=99) is None
    box.tick(100)
    assert box.add((1,), now_ns=100) == DigestList(3, ((1,),))
    assert box.add((2,), now_ns=100) is None


def test_it_is_sent_again_though_nobody_looked_at_the_time() -> None:
    box = buffer(0, 0, ack_timeout_ns=100)
    box.add((1,), now_ns=0)
    assert box.add((1,), now_ns=100) == DigestList(2, ((1,),))


def test_a_list_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_buffer, "_MAX_LIST_SIZE", 3)
    box = buffer(100, 10**9)
    assert [box.add((number,), now_ns=0) for number in (1, 2)] == [None, None]
    assert box.add((3,), now_ns=0) == DigestList(1, ((1,), (2,), (3,)))


def test_without_acknowledgements_nothing_is_remembered() -> None:
    box = buffer()
    assert [box.add((1,), now_ns=0), box.add((1,), now_ns=0)] == [
        DigestList(1, ((1,),)),
        DigestList(2, ((1,),)),
    ]


def test_another_controller_is_told_anew() -> None:
    box = buffer(0, 0, ack_timeout_ns=100)
    box.add((1,), now_ns=0)
    box.forget()
    assert box.add((1,), now_ns=1) == DigestList(2, ((1,),))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_buffer, "_MAX_REMEMBERED", 2)
    box = buffer(0, 0, ack_timeout_ns=10**9)
    for number in (1, 2, 3):
        box.add((number,), now_ns=0)
    assert box.add((1,), now_ns=1) == DigestList(4, ((1,),))  # the oldest is forgotten
    assert box.add((3,), now_ns=1) is None
