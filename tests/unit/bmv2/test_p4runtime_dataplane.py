"""Entities on a real data plane, shown by packets.

Run: pytest tests/unit/bmv2/test_p4runtime_dataplane.py
"""

from __future__ import annotations

from typing import Any

from finsy.proto import p4d, p4r
from p4rt_bench import Bench, Start
from p4rt_client import DELETE, INSERT, MODIFY, exact
from p4rt_desk import EXHAUSTED, EXISTS, INVALID

from bmv2.embedded.p4runtime.batch import Batch, write_batch
from bmv2.embedded.p4runtime.reconcile import carry_over

ROLLBACK = p4r.WriteRequest.ROLLBACK_ON_ERROR

# --- action profiles -------------------------------------------------------------


def answer_of(bench: Bench, source: int, flow: int = 0, *, by_groups: bool = True) -> int | None:
    came = bench.process(source, bytes([by_groups, flow, 0, 0]))
    return None if came is None else int.from_bytes(came[1][2:4], "big")


def row(bench: Bench, source: int, action: p4r.TableAction | None) -> p4r.TableEntry:
    table = bench.ids.table["with_groups"]
    return p4r.TableEntry(table_id=table, match=exact(source), action=action)


def member(bench: Bench, number: int, action: p4r.Action) -> p4r.ActionProfileMember:
    profile = bench.ids.profile["groups"]
    return p4r.ActionProfileMember(action_profile_id=profile, member_id=number, action=action)


def test_members_and_groups_answer(start: Start) -> None:
    bench = start("profile")
    bench.insert(*(member(bench, n, bench.call("answer", 10 * n)) for n in (1, 2, 3)))
    group = p4r.ActionProfileGroup(
        action_profile_id=bench.ids.profile["groups"],
        group_id=1,
        members=[p4r.ActionProfileGroup.Member(member_id=n, weight=w) for n, w in ((1, 1), (2, 4))],
    )
    bench.insert(group)
    bench.insert(row(bench, 7, p4r.TableAction(action_profile_member_id=3)))
    bench.insert(row(bench, 8, p4r.TableAction(action_profile_group_id=1)))
    assert answer_of(bench, 7) == 30
    answers = [answer_of(bench, 8, flow) for flow in range(256)]
    assert set(answers) == {10, 20}
    assert answers.count(10) < answers.count(20)
    bench.modify(member(bench, 3, bench.call("drop")), member(bench, 2, bench.call("answer", 99)))
    assert answer_of(bench, 7) is None
    assert {answer_of(bench, 8, flow) for flow in range(256)} == {10, 99}
    bench.modify(row(bench, 7, p4r.TableAction(action_profile_group_id=1)))
    assert answer_of(bench, 7) in (10, 99)
    bench.write(DELETE, row(bench, 7, None))
    assert answer_of(bench, 7) == 0


def one_shot(bench: Bench, *answers: int) -> p4r.TableAction:
    actions = [
        p4r.ActionProfileAction(action=bench.call("answer", each), weight=1) for each in answers
    ]
    return p4r.TableAction(
        action_profile_action_set=p4r.ActionProfileActionSet(action_profile_actions=actions)
    )


def test_one_shots_answer_for_a_long_time(start: Start) -> None:
    bench = start("profile")
    bench.insert(row(bench, 7, one_shot(bench, 1, 2)))
    assert {answer_of(bench, 7, flow) for flow in range(256)} == {1, 2}
    for turn in range(1000):  # what one leaves behind would fill the profile
        bench.modify(row(bench, 7, one_shot(bench, turn, turn + 1)))
    assert {answer_of(bench, 7, flow) for flow in range(256)} == {999, 1000}
    bench.write(DELETE, row(bench, 7, None))
    assert answer_of(bench, 7) == 0


# --- meters ----------------------------------------------------------------------


def test_meters_colour(start: Start) -> None:
    bench = start("meter")
    green, red = 0, 2
    packet = bytes([1, 0xEE, 0, 0])  # array, its cell 1

    def colours(source: int = 0) -> tuple[int, int]:
        """Of the array and of the entry."""
        came = bench.process(source, packet, kind=1)
        assert came is not None
        return came[1][1], came[1][2]

    assert colours()[0] == green
    none = p4r.MeterConfig(cir=0, cburst=0, pir=0, pburst=0)
    meter = p4r.MeterEntry(meter_id=bench.ids.meter["by_packets"], index=p4r.Index(index=1))
    meter.config.CopyFrom(none)
    bench.modify(meter)
    assert colours()[0] == red
    meter.ClearField("config")
    bench.modify(meter)
    assert colours()[0] == green

    metered = p4r.TableEntry(
        table_id=bench.ids.table["entries_"],
        match=exact(5),
        action=p4r.TableAction(action=bench.call("metered")),
        meter_config=none,
    )
    bench.insert(metered)
    assert colours(5)[1] == red
    metered.ClearField("meter_config")
    bench.modify(metered)
    assert colours(5)[1] == green


# --- value sets, digests, constant entries -------------------------------------------


def test_value_sets_steer_the_parser(start: Start) -> None:
    bench = start("value_set")
    tag = bytes(4)

    def result(kind: int, last: int = 0) -> int | None:
        came = bench.process(last, tag, kind)
        assert came is not None
        return int.from_bytes(came[1][2:4], "big") if came[0] == 1 else None

    def value_set(name: str, *members: tuple[int, ...]) -> p4r.ValueSetEntry:
        return p4r.ValueSetEntry(
            value_set_id=bench.ids.value_set[name],
            members=[p4r.ValueSetMember(match=exact(*each)) for each in members],
        )

    assert [result(7), result(8, 9)] == [None, None]
    bench.modify(value_set("kinds", (7,), (6,)), value_set("pairs", (8, 9)))
    assert [result(6), result(7), result(8, 9), result(8, 8)] == [1, 1, 2, None]
    bench.modify(value_set("kinds"), value_set("pairs", (7, 9)))
    assert [result(6), result(7), result(7, 9)] == [None, None, 2]


def test_digests_have_their_fields(start: Start) -> None:
    bench = start("digest")
    digests = bench.pipeline.entities.digests
    bench.insert(p4r.DigestEntry(digest_id=bench.ids.digest["learned_t"]))
    bench.process(0xA0B0, b"", kind=1)
    (message,) = digests.receive(bench.dataplane.receive_digests(), now_ns=0)
    members = [p4d.P4Data(bitstring=each) for each in (b"\xa0\xb0", b"\0")]
    assert list(message.data) == [p4d.P4Data(struct=p4d.P4StructLike(members=members))]


def test_the_programs_own_entries_count(start: Start) -> None:
    bench = start("const_entries")
    for packet in (b"\x12\x00\1\0\0\0", b"\x12\x34\1\0\0\0", b"\0\0\2\0\0\0"):
        assert bench.process(0, packet) is not None
    query = p4r.TableEntry(table_id=bench.ids.table["in_order"], counter_data=p4r.CounterData())
    found = [each.table_entry for each in bench.read(query)]
    assert [each.counter_data.packet_count for each in found] == [2, 0, 0, 1]


# --- registers -------------------------------------------------------------------


def test_signed_registers_are_read_as_they_were_written(start: Start) -> None:
    bench = start("registers")
    values = [b"\0", b"\x7f", b"\0\x80", b"\x80"]  # 0, 127, 128, -128

    def cell(index: int | None, value: bytes = b"") -> p4r.Entity:
        entry = p4r.RegisterEntry(register_id=bench.ids.register["signed"])
        if index is not None:
            entry.index.index = index
            entry.data.bitstring = value
        return p4r.Entity(register_entry=entry)

    bench.modify(*(cell(index, value) for index, value in enumerate(values)))
    found = [each.register_entry.data.bitstring for each in bench.read(cell(None))]
    assert found == values
    assert bench.read(cell(2, b"")) == [cell(2, b"\0\x80")]


# --- batches ---------------------------------------------------------------------


def test_a_rolled_back_batch_leaves_what_packets_meet(start: Start) -> None:
    bench = start("profile")
    bench.insert(row(bench, 7, one_shot(bench, 5)), row(bench, 8, one_shot(bench, 6)))
    updates: list[Any] = [
        (DELETE, row(bench, 7, None)),
        (MODIFY, row(bench, 8, one_shot(bench, 77))),
        (INSERT, row(bench, 9, one_shot(bench, 9))),
        (INSERT, row(bench, 9, one_shot(bench, 10))),
    ]
    batch = p4r.WriteRequest(
        atomicity=ROLLBACK,
        updates=[
            p4r.Update(type=kind, entity=p4r.Entity(table_entry=message))
            for kind, message in updates
        ],
    )
    results = write_batch(bench.pipeline, Batch.parse(batch.SerializeToString()))
    assert [error.code.value[0] if error else 0 for error in results] == [10, 10, 10, EXISTS]
    assert [answer_of(bench, source) for source in (7, 8, 9)] == [5, 6, 0]


def test_counters_of_a_const_default_entry_are_rolled_back(start: Start) -> None:
    bench = start("const_entries")
    table = bench.ids.table["in_order"]
    default = p4r.TableEntry(table_id=table, is_default_action=True)

    def counted(packets: int) -> p4r.DirectCounterEntry:
        data = p4r.CounterData(packet_count=packets)
        return p4r.DirectCounterEntry(table_entry=default, data=data)

    bench.modify(counted(3))
    batch = p4r.WriteRequest(
        atomicity=ROLLBACK,
        updates=[
            p4r.Update(type=MODIFY, entity=p4r.Entity(direct_counter_entry=counted(9))),
            p4r.Update(type=DELETE, entity=p4r.Entity(table_entry=default)),
        ],
    )
    results = write_batch(bench.pipeline, Batch.parse(batch.SerializeToString()))
    assert [error.code.value[0] if error else 0 for error in results] == [10, INVALID]
    (read,) = bench.read(p4r.DirectCounterEntry(table_entry=default))
    assert read.direct_counter_entry.data.packet_count == 3


def test_counters_of_the_program_s_own_entries_are_carried_over(start: Start) -> None:
    old, new = start("const_entries"), start("const_entries")
    for _ in range(3):
        old.process(0, bytes.fromhex("1299 01 00 0000"))  # the first entry
    old.process(0, bytes.fromhex("9999 07 00 0000"))  # the default entry
    carry_over(old.pipeline, new.pipeline)
    query = p4r.DirectCounterEntry(table_entry=p4r.TableEntry(table_id=old.ids.table["in_order"]))
    assert new.read(query) == old.read(query)
    counts = [each.direct_counter_entry.data.packet_count for each in new.read(query)]
    assert sorted(counts) == [0, 0, 0, 3]
    query.table_entry.is_default_action = True
    (read,) = new.read(query)
    assert read.direct_counter_entry.data.packet_count == 1


def test_a_table_that_the_controller_has_not_written_to_may_go(start: Start) -> None:
    old, new = start("const_entries"), start("controller")
    carry_over(old.pipeline, new.pipeline)


def test_a_table_fills_up(start: Start) -> None:
    bench = start("controller")
    table = bench.ids.table["hosts"]
    action = p4r.TableAction(action=bench.call("to_port", 2))

    def host(number: int) -> p4r.TableEntry:
        return p4r.TableEntry(table_id=table, match=exact(number), action=action)

    bench.insert(*(host(number) for number in range(1024)))
    assert bench.refusal(INSERT, host(1024))[0] == EXHAUSTED
    bench.write(DELETE, host(0))
    bench.insert(host(1024))
    assert len(bench.read(p4r.TableEntry())) == 1024
