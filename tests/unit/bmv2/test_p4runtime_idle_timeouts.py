"""When idle entries are reported: pytest tests/unit/bmv2/test_p4runtime_idle_timeouts.py"""

from __future__ import annotations

from p4rt_client import IDS, program

from bmv2.embedded.p4runtime.action_codec import Call
from bmv2.embedded.p4runtime.idle_timeouts import IdleTimeouts
from bmv2.embedded.p4runtime.p4info import schema_of
from bmv2.embedded.p4runtime.table_state import Entry, TableState

_SCHEMA = schema_of(program().p4info)
_TABLE = _SCHEMA.table(IDS.table["flow_rules"])
_CALL = Call(_TABLE.actions[IDS.action["no_rule"]], ())


class Clock:
    """Entries with a time of their last hit, and the timers over them."""

    def __init__(self) -> None:
        self.state = TableState.of(_TABLE)
        self.hit_ns: dict[int, int] = {}
        self.now_ns = 0
        self.looks = 0
        self.timeouts = IdleTimeouts(self._idle_ns)

    def _idle_ns(self, state: TableState, entry: Entry) -> int:
        self.looks += 1
        return self.now_ns - self.hit_ns[entry.handle]

    def add(self, number: int, timeout_ns: int) -> Entry:
        place = number.to_bytes(8)
        entry = Entry(number, place, _CALL, idle_timeout_ns=timeout_ns)
        self.state.entries[place] = entry
        self.hit_ns[number] = self.now_ns
        self.timeouts.watch(self.state, entry, self.now_ns)
        return entry

    def expired_at(self, now_ns: int) -> list[int]:
        self.now_ns = now_ns
        return [entry.handle for _, entry in self.timeouts.expired(now_ns)]


def test_an_entry_expires_once_a_timeout() -> None:
    clock = Clock()
    clock.add(1, 100)
    found = {now: clock.expired_at(now) for now in range(0, 350, 10)}
    assert [now for now, handles in found.items() if handles] == [100, 200, 300]


def test_a_hit_puts_it_off() -> None:
    clock = Clock()
    clock.add(1, 100)
    clock.hit_ns[1] = 60
    found = [now for now in range(0, 300, 10) if clock.expired_at(now)]
    assert found == [160, 260]


def test_a_deleted_entry_is_forgotten_and_a_new_one_starts_anew() -> None:
    clock = Clock()
    old = clock.add(1, 100)
    del clock.state.entries[old.place]
    clock.now_ns = 50
    clock.add(1, 100)
    assert clock.expired_at(120) == []
    assert clock.expired_at(150) == [1]


def test_a_changed_timeout_counts_from_its_change() -> None:
    clock = Clock()
    entry = clock.add(1, 100)
    entry.idle_timeout_ns = 300
    clock.timeouts.watch(clock.state, entry, 90)
    assert [now for now in range(0, 500, 10) if clock.expired_at(now)] == [390]
    entry.idle_timeout_ns = 0
    assert clock.expired_at(10_000) == []


def test_a_timeout_that_is_set_back_is_reported_once() -> None:
    clock = Clock()
    entry = clock.add(1, 100)
    for now, timeout in ((10, 200), (20, 100)):
        entry.idle_timeout_ns = timeout
        clock.timeouts.watch(clock.state, entry, now)
    found = {now: clock.expired_at(now) for now in range(20, 350, 10)}
    assert {now: each for now, each in found.items() if each} == {120: [1], 220: [1], 320: [1]}


def test_what_no_longer_counts_takes_no_room() -> None:
    clock = Clock()
    kept = clock.add(0, 10**15)
    for number in range(1, 20_000):
        del clock.state.entries[clock.add(number, 10**15).place]
        kept.idle_timeout_ns += 1
        clock.timeouts.watch(clock.state, kept, 0)
    assert clock.timeouts.size < 5000
    assert clock.expired_at(10**15) == []
    assert clock.expired_at(10**15 + 20_000) == [0]
    assert clock.timeouts.size == 1


def test_entries_in_use_cost_one_look_a_timeout() -> None:
    clock = Clock()
    for number in range(100):
        clock.add(number, 1000)
    for now in range(0, 10_001, 10):
        clock.hit_ns = dict.fromkeys(range(100), now)
        assert clock.expired_at(now) == []
    assert clock.looks <= 100 * 11
