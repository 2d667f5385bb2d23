"""The entries of the program: pytest tests/unit/bmv2/test_p4runtime_initial_entries.py"""

from __future__ import annotations

from typing import Any

import pytest
from fake_backend import FakeBackend
from finsy.proto import p4r
from p4rt_client import DELETE, INSERT, MODIFY, small_program
from p4rt_desk import DENIED, INVALID, UNIMPLEMENTED, FakeDesk

from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary
from bmv2.embedded.p4runtime.errors import P4RuntimeError, code_number
from bmv2.embedded.p4runtime.p4info import schema_of
from bmv2.embedded.p4runtime.pipeline import Pipeline
from bmv2.embedded.p4runtime.table_state import TableState

PROCESS = "FencedIngress.process"
INITIAL = {f"{PROCESS}.in_order": 4, f"{PROCESS}.prefixes": 3, f"{PROCESS}.ranges": 3}


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk("const_entries", FakeBackend(initial=INITIAL))


def state(desk: FakeDesk, table: str) -> TableState:
    return desk.pipeline.entities.states.of(desk.ids.table[table])


def read(desk: FakeDesk, table: str, **more: Any) -> list[p4r.TableEntry]:
    query = p4r.TableEntry(table_id=desk.ids.table[table], **more)
    return [each.table_entry for each in desk.read(query)]


def answers(entries: list[p4r.TableEntry]) -> list[int]:
    return [int.from_bytes(each.action.action.params[0].value, "big") for each in entries]


@pytest.mark.parametrize(
    ("table", "keys", "priorities", "expected"),
    [
        (
            "in_order",
            [
                (Ternary(0x1200, 0xFF00), Exact(1)),
                (Ternary(0x1234, 0xFFFF), Exact(1)),
                (Ternary(0, 0), Exact(1)),
                (Ternary(0, 0), Exact(2)),
            ],
            [4, 3, 2, 1],
            [1, 2, 3, 4],
        ),
        ("prefixes", [(Lpm(0x1200, 8),), (Lpm(0x1234, 16),), (Lpm(0x1000, 4),)], [0] * 3,
         [21, 22, 23]),
        ("ranges", [(Range(5, 10),), (Range(8, 20),), (Range(20, 20),)], [3, 2, 1], [31, 32, 33]),
    ],
)  # fmt: skip
def test_they_are_read(
    desk: FakeDesk,
    table: str,
    keys: list[tuple[Match, ...]],
    priorities: list[int],
    expected: list[int],
) -> None:
    kept = state(desk, table)
    assert [kept.places.key(place) for place in kept.entries] == keys
    found = read(desk, table)
    assert [each.priority for each in found] == priorities
    assert answers(found) == expected
    assert all(each.is_const for each in found)
    everything = [each.table_entry for each in desk.read(p4r.TableEntry())]
    assert [each for each in everything if each.table_id == found[0].table_id] == found


def test_a_constant_default_entry_says_so(desk: FakeDesk) -> None:
    (const,) = read(desk, "in_order", is_default_action=True)
    (free,) = read(desk, "prefixes", is_default_action=True)
    assert (const.is_const, answers([const])) == (True, [0xFFFF])
    assert (free.is_const, answers([free])) == (False, [0xFFFD])


def test_only_their_counters_can_be_written(desk: FakeDesk) -> None:
    first = read(desk, "in_order")[0]
    first.is_const = False
    for kind in (INSERT, MODIFY, DELETE):
        assert desk.refusal(kind, first)[0] == DENIED
    first.ClearField("action")
    first.counter_data.packet_count = 7
    desk.modify(first)
    counted = read(desk, "in_order", counter_data=p4r.CounterData())
    assert [each.counter_data.packet_count for each in counted] == [7, 0, 0, 0]
    assert answers(counted) == [1, 2, 3, 4]
    key = p4r.TableEntry(table_id=first.table_id, match=first.match, priority=first.priority)
    desk.modify(p4r.DirectCounterEntry(table_entry=key, data=p4r.CounterData(packet_count=8)))
    (found,) = desk.read(p4r.DirectCounterEntry(table_entry=key))
    assert found.direct_counter_entry.data.packet_count == 8


def test_is_const_is_not_the_controllers_to_set(desk: FakeDesk) -> None:
    first = read(desk, "in_order")[0]
    for kind in (MODIFY, DELETE):
        assert desk.refusal(kind, first)[0] == INVALID


def test_a_table_that_is_never_applied_is_left_out() -> None:
    config = small_program("match")
    never = config.p4info.tables.add()
    never.CopyFrom(config.p4info.tables[0])
    never.preamble.id, never.preamble.name = 77, "never"
    pipeline = Pipeline(config, schema_of(config.p4info), FakeBackend())
    entry = p4r.Entity(table_entry=p4r.TableEntry(table_id=77))
    with pytest.raises(P4RuntimeError, match="table never: the compiler has left it out") as caught:
        pipeline.entities.write(p4r.Update(type=INSERT, entity=entry))
    assert code_number(caught.value.code) == UNIMPLEMENTED


def test_the_tables_of_another_program_are_refused() -> None:
    config = small_program("match")
    config.p4_device_config = small_program("wide").p4_device_config
    with pytest.raises(P4RuntimeError, match="no table of P4Info is in the device config"):
        Pipeline(config, schema_of(config.p4info), FakeBackend())
