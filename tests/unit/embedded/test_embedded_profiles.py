"""Indirect tables: members, groups, and the member that a hash chooses."""

from __future__ import annotations

import pytest
from small_program import Load, P, SmallProgram, ethernet

from bmv2.embedded.match import Exact
from bmv2.embedded.profile import Group, Member

MEMBERS, GROUPS = P + "members", P + "groups"
FLOWS = range(64)


def results(program: SmallProgram, src: int, *, which: int, flows: range = range(1)) -> list[int]:
    """The answers to packets of several flows; 0 where nothing answered, -1 for a drop."""
    frames = [ethernet(1, src, 0, bytes([which, flow, 0, 0])) for flow in flows]
    out = [program.run(frame) for frame in frames]
    return [int.from_bytes(found[0][1][16:18], "big") if found else -1 for found in out]


def crc16(data: bytes) -> int:
    """CRC-16/ARC."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def chosen(members: list[int], dst: int = 1) -> list[int]:
    """Which of the members BMv2 chooses for each flow."""
    inputs = [dst.to_bytes(6, "big") + bytes([flow]) for flow in FLOWS]
    return [members[crc16(each) % len(members)] for each in inputs]


def test_an_entry_does_what_its_member_does(load: Load) -> None:
    program = load("profile")
    plane = program.dataplane
    members = [plane.member_add(MEMBERS, P + "answer", [100 + each]) for each in range(3)]
    assert members == [0, 1, 2]
    entry = plane.table_add_indirect(P + "with_members", [Exact(5)], 0, Member(1))
    assert results(program, 5, which=0) == [101]
    assert results(program, 6, which=0) == [0]
    plane.member_modify(MEMBERS, 1, P + "answer", [300])
    assert results(program, 5, which=0) == [300]
    plane.table_modify_indirect(P + "with_members", entry, Member(2))
    assert results(program, 5, which=0) == [102]
    plane.member_modify(MEMBERS, 2, P + "drop", [])
    assert results(program, 5, which=0) == [-1]
    plane.table_delete(P + "with_members", entry)
    plane.member_delete(MEMBERS, 1)
    assert results(program, 5, which=0) == [0]
    assert plane.member_add(MEMBERS, P + "answer", [1]) == 1, "a free handle is used again"


def test_a_group_chooses_as_bmv2_does(load: Load) -> None:
    program = load("profile")
    plane = program.dataplane
    a, b, c = (plane.member_add(GROUPS, P + "answer", [200 + each]) for each in range(3))
    group = plane.group_add(GROUPS, [c, a, b])
    plane.table_add_indirect(P + "with_groups", [Exact(5)], 0, Group(group))
    plane.table_add_indirect(P + "with_groups", [Exact(6)], 0, Member(b))
    assert results(program, 5, which=1, flows=FLOWS) == chosen([200, 201, 202])
    assert results(program, 6, which=1, flows=FLOWS) == [201] * len(FLOWS)
    plane.group_modify(GROUPS, group, [b, c, c, c])
    assert results(program, 5, which=1, flows=FLOWS) == chosen([201, 202, 202, 202])
    plane.member_modify(GROUPS, c, P + "answer", [400])
    assert results(program, 5, which=1, flows=FLOWS) == chosen([201, 400, 400, 400])


def test_an_empty_group_is_a_hit_that_does_nothing(load: Load) -> None:
    program = load("profile")
    plane = program.dataplane
    group = plane.group_add(GROUPS, [])
    plane.table_set_default(P + "with_groups", P + "drop", [])
    plane.table_add_indirect(P + "with_groups", [Exact(5)], 0, Group(group))
    assert results(program, 5, which=1) == [0]
    assert results(program, 6, which=1) == [-1]


def test_what_is_not_there_is_a_key_error(load: Load) -> None:
    plane = load("profile").dataplane
    with pytest.raises(KeyError, match="has no member 3"):
        plane.member_delete(GROUPS, 3)
    with pytest.raises(KeyError, match="has no group 0"):
        plane.group_modify(GROUPS, 0, [])
    with pytest.raises(KeyError, match="has no entry with handle 9"):
        plane.table_modify_indirect(P + "with_groups", 9, Member(0))


def test_an_entry_is_direct_or_indirect_as_its_table_is(load: Load) -> None:
    plane = load("profile").dataplane
    with pytest.raises(ValueError, match="name members and groups"):
        plane.table_add(P + "with_groups", [Exact(5)], 0, P + "drop", [])
    plane = load("meter").dataplane
    with pytest.raises(ValueError, match="has no action profile"):
        plane.table_add_indirect(P + "entries_", [Exact(5)], 0, Member(0))
