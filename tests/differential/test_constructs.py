"""What packets alone do not show, on every target: meters, action profiles, value sets, digests.

Run: python -m testbed.sandbox pytest tests/differential/test_constructs.py
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from diff_entities import INSERT, MODIFY, Entities, encode, insert
from diff_switch import ProgramSwitch, Start
from finsy.proto import p4r, rpc_code
from ptf_fit import crc16
from ptf_targets import TARGETS

# PTF warns of frames that have nothing but an Ethernet header, in a deprecated way.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated")

GREEN, YELLOW, RED = 0, 1, 2


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> str:
    return request.param


def ethernet(kind: int, source: int = 0, destination: int = 0) -> bytes:
    return destination.to_bytes(6) + source.to_bytes(6) + kind.to_bytes(2)


def entity_update(kind: p4r.Update.Type.ValueType, **entity: object) -> p4r.Update:
    return p4r.Update(type=kind, entity=p4r.Entity(**entity))  # pyright: ignore[reportArgumentType]


# --- meters ----------------------------------------------------------------------------------

# No token comes back while the test runs: what is in the buckets decides.
RATES = p4r.MeterConfig(cir=1, cburst=2, pir=2, pburst=4)


def colors(switch: ProgramSwitch, kind: int, index: int, count: int, place: int = 15) -> list[int]:
    """The colors of so many packets."""
    frames = [ethernet(kind, source=1) + bytes([index, 0, 0, 0])] * count
    return [frame[place] for frame in switch.process(0, *frames)[1]]


def meter_update(
    switch: ProgramSwitch, name: str, index: int, rates: p4r.MeterConfig | None
) -> p4r.Update:
    meter = Entities(switch.p4info).named("meters", name)
    entry = p4r.MeterEntry(meter_id=meter.preamble.id, index=p4r.Index(index=index), config=rates)
    return entity_update(MODIFY, meter_entry=entry)


def test_a_meter_without_rates_is_green(start: Start, target: str) -> None:
    assert colors(start(target, "meter"), 1, 0, 20) == [GREEN] * 20


def test_a_meter_of_packets(start: Start, target: str) -> None:
    switch = start(target, "meter")
    assert switch.client.write([meter_update(switch, "by_packets", 2, RATES)]) == [0]
    assert colors(switch, 1, 2, 6) == [GREEN] * 2 + [YELLOW] * 2 + [RED] * 2
    assert colors(switch, 1, 1, 6) == [GREEN] * 6
    assert switch.client.write([meter_update(switch, "by_packets", 2, None)]) == [0]
    assert colors(switch, 1, 2, 6) == [GREEN] * 6


def test_a_meter_of_bytes(start: Start, target: str) -> None:
    switch = start(target, "meter")
    rates = p4r.MeterConfig(cir=1, cburst=40, pir=1, pburst=60)
    assert switch.client.write([meter_update(switch, "by_bytes", 0, rates)]) == [0]
    assert colors(switch, 2, 0, 5) == [GREEN] * 2 + [YELLOW] + [RED] * 2


def test_a_meter_of_an_entry(start: Start, target: str) -> None:
    switch = start(target, "meter")
    entities = Entities(switch.p4info)
    action = entities.action("metered", {})
    entry = entities.table_entry("entries_", {"ethernet.src": "1"}, action, meter_config=RATES)
    assert switch.client.write(insert(entry)) == [0]
    assert colors(switch, 0, 0, 6, place=16) == [GREEN] * 2 + [YELLOW] * 2 + [RED] * 2
    entry.ClearField("meter_config")
    without = p4r.DirectMeterEntry(table_entry=entry)
    assert switch.client.write([entity_update(MODIFY, direct_meter_entry=without)]) == [0]
    assert colors(switch, 0, 0, 6, place=16) == [GREEN] * 6


# --- action profiles -----------------------------------------------------------------------------


def answer(switch: ProgramSwitch, which: int, source: int, flow: int = 0) -> int | None:
    """What the action that ran wrote; none when the packet was dropped."""
    frame = ethernet(0, source=source) + bytes([which, flow, 0, 0])
    out = switch.process(0, frame)
    return int.from_bytes(out[1][0][16:18]) if out else None


class Profile:
    """Writes of one action profile of a switch."""

    def __init__(self, switch: ProgramSwitch, name: str) -> None:
        self._switch = switch
        self._entities = Entities(switch.p4info)
        self._id: int = self._entities.named("action_profiles", name).preamble.id

    def member(
        self, number: int, value: int, kind: p4r.Update.Type.ValueType = INSERT
    ) -> p4r.Update:
        member = p4r.ActionProfileMember(
            action_profile_id=self._id,
            member_id=number,
            action=self._entities.action("answer", {"number": value}),
        )
        return entity_update(kind, action_profile_member=member)

    def group(
        self,
        number: int,
        weights: Sequence[tuple[int, int]],
        kind: p4r.Update.Type.ValueType = INSERT,
    ) -> p4r.Update:
        group = p4r.ActionProfileGroup(
            action_profile_id=self._id,
            group_id=number,
            max_size=8,
            members=[
                p4r.ActionProfileGroup.Member(member_id=member, weight=weight)
                for member, weight in weights
            ],
        )
        return entity_update(kind, action_profile_group=group)

    def entry(self, table: str, source: int, to: p4r.TableAction) -> p4r.Update:
        return insert(self._entities.table_entry(table, {"ethernet.src": str(source)}, to))[0]


def to_member(number: int) -> p4r.TableAction:
    return p4r.TableAction(action_profile_member_id=number)


def test_entries_share_a_member(start: Start, target: str) -> None:
    switch = start(target, "profile")
    profile = Profile(switch, "members")
    updates = [
        profile.member(1, 0x1111),
        profile.member(2, 0x2222),
        *(
            profile.entry("with_members", source, to_member(number))
            for source, number in ((1, 1), (2, 1), (3, 2))
        ),
    ]
    assert switch.client.write(updates) == [0] * len(updates)
    assert [answer(switch, 0, source) for source in range(4)] == [0, 0x1111, 0x1111, 0x2222]
    assert switch.client.write([profile.member(1, 0x3333, MODIFY)]) == [0]
    assert [answer(switch, 0, source) for source in range(4)] == [0, 0x3333, 0x3333, 0x2222]


def test_a_group_spreads_flows_by_hash(start: Start, target: str) -> None:
    """The member is the hash of the selector's fields, modulo the members in their order."""
    switch = start(target, "profile")
    profile = Profile(switch, "groups")
    updates = [
        *(profile.member(number, number) for number in (1, 2, 3)),
        profile.group(1, [(1, 1), (2, 1), (3, 1)]),
        profile.entry("with_groups", 1, p4r.TableAction(action_profile_group_id=1)),
        profile.entry("with_groups", 2, to_member(3)),
    ]
    assert switch.client.write(updates) == [0] * len(updates)
    assert [answer(switch, 1, 2, flow) for flow in range(4)] == [3] * 4
    hashes = [crc16(bytes(6) + bytes([flow])) for flow in range(24)]
    assert [answer(switch, 1, 1, flow) for flow in range(24)] == [1 + each % 3 for each in hashes]
    assert switch.client.write([profile.group(1, [(2, 1)], MODIFY)]) == [0]
    assert [answer(switch, 1, 1, flow) for flow in range(4)] == [2] * 4
    assert switch.client.write([profile.group(1, [], MODIFY)]) == [0]
    assert answer(switch, 1, 1) == 0


# --- value sets ----------------------------------------------------------------------------------


def value_set(switch: ProgramSwitch, name: str, members: Sequence[Sequence[int]]) -> p4r.Update:
    info = Entities(switch.p4info).named("value_sets", name)
    entry = p4r.ValueSetEntry(value_set_id=info.preamble.id)
    for values in members:
        entry.members.add(
            match=[
                p4r.FieldMatch(field_id=field.id, exact=p4r.FieldMatch.Exact(value=encode(value)))
                for field, value in zip(info.match, values, strict=True)
            ]
        )
    return entity_update(MODIFY, value_set_entry=entry)


def test_simple_switch_has_no_value_sets_over_p4runtime(start: Start) -> None:
    """So what the embedded one does with them stands on the specification alone."""
    switch = start("simple_switch", "value_set")
    assert switch.client.write([value_set(switch, "kinds", [[1]])]) == [rpc_code.UNIMPLEMENTED]


def test_a_value_set(start: Start) -> None:
    switch = start("embedded", "value_set")
    kinds = value_set(switch, "kinds", [[1], [2]])
    pairs = value_set(switch, "pairs", [[3, 7], [4, 8]])
    frames = [
        ethernet(kind, source) + bytes(4) for kind, source in ((1, 0), (2, 0), (3, 7), (3, 8))
    ]

    def results() -> list[int]:
        out = [switch.process(0, frame) for frame in frames]
        return [int.from_bytes(each[1][0][16:18]) if 1 in each else 0 for each in out]

    assert results() == [0, 0, 0, 0]
    assert switch.client.write([kinds, pairs]) == [0, 0]
    assert results() == [1, 1, 2, 0]
    assert switch.client.write([value_set(switch, "kinds", [[2]])]) == [0]
    assert results() == [0, 1, 2, 0]
    assert switch.client.write([value_set(switch, "pairs", [])]) == [0]
    assert results() == [0, 1, 0, 0]


# --- digests -------------------------------------------------------------------------------------


def test_digests(start: Start, target: str) -> None:
    """Two lists. A digest has the values of its moment; the last of a packet counts."""
    switch = start(target, "digest")
    entities = Entities(switch.p4info)
    ids = {name: entities.named("digests", name).preamble.id for name in ("learned_t", "odd_t")}
    config = p4r.DigestEntry.Config(max_timeout_ns=0, max_list_size=1, ack_timeout_ns=0)
    for digest in ids.values():
        entry = p4r.DigestEntry(digest_id=digest, config=config)
        assert switch.client.write([entity_update(INSERT, digest_entry=entry)]) == [0]
    learned, odd, both = ethernet(1, source=5), ethernet(6, destination=0xF), ethernet(3, source=6)
    assert switch.process(3, learned, odd, both) == {1: [ethernet(1), ethernet(3)]}
    digests = sorted(received(switch) for _ in range(3))  # of two lists, in no promised order
    assert digests == sorted(
        [
            (ids["learned_t"], [5, 3]),
            (ids["odd_t"], [6, 7, 0xF]),
            (ids["odd_t"], [3, 0, 0]),
        ]
    )
    switch.process(2, ethernet(1, source=7))
    assert received(switch) == (ids["learned_t"], [7, 2])


def received(switch: ProgramSwitch) -> tuple[int, list[int]]:
    """The next digest: its list and its fields."""
    digests = switch.client.receive().digest
    (data,) = digests.data
    ack = p4r.DigestListAck(digest_id=digests.digest_id, list_id=digests.list_id)
    switch.client.send(p4r.StreamMessageRequest(digest_ack=ack))
    return digests.digest_id, [int.from_bytes(each.bitstring) for each in data.struct.members]


# --- times ---------------------------------------------------------------------------------------


def test_times_count_from_the_start_in_microseconds(start: Start, target: str) -> None:
    switch = start(target, "timestamps")
    frames = [frame for _ in range(3) for frame in switch.process(0, ethernet(0))[1]]
    read = [
        [int.from_bytes(frame[14 + a : 14 + b]) for a, b in ((0, 6), (6, 12), (12, 16), (16, 20))]
        for frame in frames
    ]
    moments = [moment for times in read for moment in times[:2]]
    assert moments == sorted(moments)
    for ingress, egress, enqueued, in_queue in read:
        assert 0 < ingress <= enqueued <= egress < 60_000_000
        assert in_queue <= egress
