"""Members, groups and one-shots: pytest tests/unit/bmv2/test_p4runtime_profiles.py"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from finsy.proto import p4r
from p4rt_client import DELETE, INSERT, MODIFY, entity, exact
from p4rt_desk import EXHAUSTED, EXISTS, INVALID, NOT_FOUND, PRECONDITION, UNIMPLEMENTED, FakeDesk

from bmv2.embedded.match import Exact
from bmv2.embedded.profile import Group, Member

MEMBERS, GROUPS = "FencedIngress.process.members", "FencedIngress.process.groups"
WITH_MEMBERS = "FencedIngress.process.with_members"
WITH_GROUPS = "FencedIngress.process.with_groups"
ANSWER = "FencedIngress.process.answer"


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk("profile")


def member(desk: FakeDesk, number: int, answer: int = 0, profile: str = "groups") -> Any:
    return p4r.ActionProfileMember(
        action_profile_id=desk.ids.profile[profile],
        member_id=number,
        action=desk.call("answer", answer or number),
    )


def group(desk: FakeDesk, number: int, weights: dict[int, int], **more: Any) -> Any:
    return p4r.ActionProfileGroup(
        action_profile_id=desk.ids.profile[more.pop("profile", "groups")],
        group_id=number,
        members=[
            p4r.ActionProfileGroup.Member(member_id=each, weight=weight)
            for each, weight in weights.items()
        ],
        **more,
    )


def row(desk: FakeDesk, key: int, do: p4r.TableAction | None, table: str = "with_groups") -> Any:
    return p4r.TableEntry(table_id=desk.ids.table[table], match=exact(key), action=do)


def to_member(number: int) -> p4r.TableAction:
    return p4r.TableAction(action_profile_member_id=number)


def to_group(number: int) -> p4r.TableAction:
    return p4r.TableAction(action_profile_group_id=number)


def one_shot(desk: FakeDesk, answers: Sequence[tuple[int, int]], **more: Any) -> p4r.TableAction:
    """`answers` are answer and weight."""
    actions = [
        p4r.ActionProfileAction(action=desk.call("answer", answer), weight=weight)
        for answer, weight in answers
    ]
    return p4r.TableAction(
        action_profile_action_set=p4r.ActionProfileActionSet(action_profile_actions=actions, **more)
    )


def targets(desk: FakeDesk, table: str = WITH_GROUPS) -> dict[int, Any]:
    """What the data plane's entries point to, by key."""
    found: dict[int, Any] = {}
    for each in desk.backend.tables[table].values():
        (field,) = each.key
        assert isinstance(field, Exact)
        found[field.value] = each.action
    return found


def calls_of(desk: FakeDesk, target: Any) -> list[int]:
    """The answers that the data plane may give for a target, each as often as it weighs."""
    profile = desk.backend.profiles[GROUPS]
    handles = [target.handle] if isinstance(target, Member) else profile.groups[target.handle]
    return [profile.members[handle][1][0] for handle in handles]


def test_entries_point_to_members_and_groups(desk: FakeDesk) -> None:
    desk.insert(member(desk, 1), member(desk, 2), group(desk, 1, {1: 2, 2: 1}))
    desk.insert(row(desk, 7, to_member(2)), row(desk, 8, to_group(1)))
    found = targets(desk)
    assert isinstance(found[7], Member)
    assert isinstance(found[8], Group)
    assert (calls_of(desk, found[7]), calls_of(desk, found[8])) == ([2], [1, 1, 2])
    desk.modify(row(desk, 7, to_group(1)), group(desk, 1, {2: 1}), member(desk, 2, 99))
    assert calls_of(desk, targets(desk)[7]) == [99]


def test_what_was_written_is_read(desk: FakeDesk) -> None:
    written = [
        member(desk, 1, profile="members"),
        member(desk, 1),
        member(desk, 2),
        group(desk, 5, {1: 2, 2: 1}),
        row(desk, 7, to_member(2)),
        row(desk, 8, to_group(5)),
    ]
    written[3].members[0].watch_port = b"\1"
    desk.insert(*written)
    assert desk.read(p4r.ActionProfileMember()) == [entity(each) for each in written[:3]]
    profile = desk.ids.profile["groups"]
    of_groups = p4r.ActionProfileMember(action_profile_id=profile)
    assert desk.read(of_groups) == [entity(each) for each in written[1:3]]
    one = p4r.ActionProfileMember(action_profile_id=profile, member_id=2)
    assert desk.read(one) == [entity(written[2])]
    assert desk.read(p4r.ActionProfileGroup()) == [entity(written[3])]
    assert desk.read(p4r.TableEntry()) == [entity(each) for each in written[4:]]
    assert desk.read_refusal(p4r.ActionProfileGroup(action_profile_id=profile, group_id=9)) == (
        NOT_FOUND,
        f"action profile {GROUPS}: there is no group 9",
    )


def test_the_default_entry_is_no_action(desk: FakeDesk) -> None:
    table = desk.ids.table["with_groups"]
    default = p4r.TableEntry(table_id=table, is_default_action=True)
    (found,) = desk.read(default)
    default.is_const = True
    default.action.action.action_id = desk.ids.action["NoAction"]
    assert found.table_entry == default


def test_values_are_read_back_in_canonical_form(desk: FakeDesk) -> None:
    padded = one_shot(desk, [(7, 1)])
    (each,) = padded.action_profile_action_set.action_profile_actions
    each.watch_port = each.action.params[0].value = b"\0\0\7"
    desk.insert(row(desk, 1, padded))
    (found,) = desk.read(row(desk, 1, None))
    plain = one_shot(desk, [(7, 1)])
    plain.action_profile_action_set.action_profile_actions[0].watch_port = b"\7"
    assert found.table_entry.action == plain
    desk.write(DELETE, row(desk, 1, None))

    desk.insert(member(desk, 1))
    watching, expected = group(desk, 5, {1: 1}), group(desk, 5, {1: 1})
    watching.members[0].watch_port, expected.members[0].watch_port = b"\0\2", b"\2"
    desk.insert(watching)
    assert desk.read(p4r.ActionProfileGroup()) == [entity(expected)]
    watching.members[0].watch_port, expected.members[0].watch_port = b"\0\0", b"\0"
    desk.modify(watching)
    assert desk.read(p4r.ActionProfileGroup()) == [entity(expected)]


def test_an_empty_port_is_not_watched(desk: FakeDesk) -> None:
    watching = group(desk, 5, {1: 1})
    watching.members[0].watch_port = b""
    desk.insert(member(desk, 1), watching, row(desk, 1, to_group(5)))
    desk.backend.down = frozenset({0})
    desk.pipeline.follow_ports()
    assert calls_of(desk, targets(desk)[1]) == [1]


def test_one_shots_watch_ports_that_exist(desk: FakeDesk) -> None:
    each = one_shot(desk, [(4, 1)])
    each.action_profile_action_set.action_profile_actions[0].watch_port = b"\1\0"
    code, reason = desk.refusal(INSERT, row(desk, 1, each))
    assert (code, reason.endswith("watch_port 256 is no port of the switch")) == (INVALID, True)


def test_members_stand_back_while_their_port_is_down(desk: FakeDesk) -> None:
    watching = group(desk, 5, {1: 2, 2: 1, 3: 1})
    watching.members[0].watch_port, watching.members[1].watch_port = b"\0\7", b"\x08"
    desk.insert(*(member(desk, number) for number in (1, 2, 3)), watching)
    desk.insert(row(desk, 1, to_group(5)))

    def answers(*down: int) -> list[int]:
        desk.backend.down = frozenset(down)
        desk.pipeline.follow_ports()
        return calls_of(desk, targets(desk)[1])

    assert answers() == [1, 1, 2, 3]
    assert answers(7) == [2, 3]
    assert answers(7, 8) == [3]
    assert answers(8, 9) == [1, 1, 3]
    assert desk.read(p4r.ActionProfileGroup())[0].action_profile_group.members[0].weight == 2
    watching.members[1].ClearField("watch_port")
    desk.modify(watching)
    assert calls_of(desk, targets(desk)[1]) == [1, 1, 2, 3]
    desk.write(DELETE, row(desk, 1, None), watching)
    desk.backend.down = frozenset({7})
    desk.pipeline.follow_ports()  # of what is gone nothing is written


def test_one_shots_watch_ports_as_well(desk: FakeDesk) -> None:
    both = one_shot(desk, [(4, 1), (5, 1)])
    both.action_profile_action_set.action_profile_actions[1].watch_port = b"\2"
    desk.insert(row(desk, 1, both))
    desk.backend.down = frozenset({2})
    desk.pipeline.follow_ports()
    assert calls_of(desk, targets(desk)[1]) == [4]
    desk.modify(row(desk, 1, one_shot(desk, [(6, 1)])))
    assert not desk.pipeline.entities.profiles.by_id[desk.ids.profile["groups"]].watched.is_watching


def test_what_is_in_use_stays(desk: FakeDesk) -> None:
    desk.insert(member(desk, 1), member(desk, 2), group(desk, 1, {1: 1}))
    desk.insert(row(desk, 7, to_member(2)), row(desk, 8, to_group(1)))
    for message in (member(desk, 1), member(desk, 2), group(desk, 1, {})):
        assert desk.refusal(DELETE, message)[0] == PRECONDITION
    desk.write(DELETE, row(desk, 7, None), row(desk, 8, None))
    assert desk.refusal(DELETE, member(desk, 1))[0] == PRECONDITION  # still in the group
    desk.modify(group(desk, 1, {2: 1}))
    desk.write(DELETE, member(desk, 1), group(desk, 1, {}), member(desk, 2))
    assert desk.backend.profiles[GROUPS].members == {}
    assert desk.backend.profiles[GROUPS].groups == {}


def test_an_entry_that_is_modified_lets_go(desk: FakeDesk) -> None:
    desk.insert(member(desk, 1), member(desk, 2), row(desk, 7, to_member(1)))
    desk.modify(row(desk, 7, to_member(2)))
    desk.write(DELETE, member(desk, 1))
    assert desk.refusal(DELETE, member(desk, 2))[0] == PRECONDITION


def test_a_refused_entry_lets_go(desk: FakeDesk) -> None:
    desk.insert(member(desk, 1))
    desk.backend.capacity = 0
    assert desk.refusal(INSERT, row(desk, 7, to_member(1)))[0] == EXHAUSTED
    desk.write(DELETE, member(desk, 1))


def test_one_shots(desk: FakeDesk) -> None:
    first = row(desk, 7, one_shot(desk, [(11, 2), (12, 1), (11, 1)]))
    second = row(desk, 7, one_shot(desk, [(13, 1)]))
    desk.insert(first)
    assert calls_of(desk, targets(desk)[7]) == [11, 11, 12, 11]
    assert desk.read(p4r.TableEntry()) == [entity(first)]
    assert desk.read(p4r.ActionProfileMember()) == desk.read(p4r.ActionProfileGroup()) == []
    desk.modify(second)
    assert calls_of(desk, targets(desk)[7]) == [13]
    assert desk.read(p4r.TableEntry()) == [entity(second)]
    desk.write(DELETE, second)
    assert desk.backend.profiles[GROUPS].members == {}
    assert desk.backend.profiles[GROUPS].groups == {}


def test_one_shots_exclude_members_and_groups(desk: FakeDesk) -> None:
    desk.insert(row(desk, 7, one_shot(desk, [(1, 1)])))
    for message in (member(desk, 1), group(desk, 1, {}), row(desk, 8, to_member(1))):
        assert desk.refusal(INSERT, message)[0] == INVALID
    desk.insert(member(desk, 1, profile="members"))  # another profile
    desk.write(DELETE, row(desk, 7, None))
    desk.insert(member(desk, 1))
    code, words = desk.refusal(INSERT, row(desk, 8, one_shot(desk, [(1, 1)])))
    assert (code, "exclude one-shot action sets" in words) == (INVALID, True)


def test_the_size_of_a_profile_holds(desk: FakeDesk) -> None:
    size = 16
    desk.insert(*(member(desk, number, profile="members") for number in range(1, size + 1)))
    full = desk.refusal(INSERT, member(desk, 99, profile="members"))
    assert full == (EXHAUSTED, f"action profile {MEMBERS}: it is full (16 members)")


def test_the_sizes_of_groups_add_up(desk: FakeDesk) -> None:
    desk.insert(member(desk, 1), group(desk, 1, {1: 30}))
    assert desk.refusal(INSERT, group(desk, 2, {1: 3}))[0] == EXHAUSTED
    desk.modify(group(desk, 1, {1: 29}))
    desk.insert(group(desk, 2, {1: 3}))
    desk.write(DELETE, group(desk, 2, {}))
    desk.modify(group(desk, 1, {1: 32}))


def test_a_full_profile_takes_a_one_shot_in_the_place_of_another(desk: FakeDesk) -> None:
    desk.insert(row(desk, 7, one_shot(desk, [(1, 32)])))
    assert desk.refusal(INSERT, row(desk, 8, one_shot(desk, [(1, 1)])))[0] == EXHAUSTED
    desk.modify(row(desk, 7, one_shot(desk, [(2, 32)])))
    assert calls_of(desk, targets(desk)[7]) == [2] * 32


def bad_updates(desk: FakeDesk) -> list[tuple[str, p4r.Update.Type.ValueType, Any, int, str]]:
    call = p4r.TableAction(action=desk.call("answer", 1))
    nothing = p4r.ActionProfileMember(action_profile_id=desk.ids.profile["groups"], member_id=9)
    twice = group(desk, 9, {1: 1})
    twice.members.append(twice.members[0])
    off_port = group(desk, 9, {1: 1})
    off_port.members[0].watch_port = b"\x63"
    random = p4r.ActionProfileActionSet.RANDOM
    by_members = p4r.ActionProfileActionSet.SUM_OF_MEMBERS
    one = [(1, 1)]
    return [
        ("member exists", INSERT, member(desk, 1), EXISTS, "member 1 exists"),
        ("no member", MODIFY, member(desk, 9), NOT_FOUND, "there is no member 9"),
        ("delete no member", DELETE, member(desk, 9), NOT_FOUND, "there is no member 9"),
        ("member id", INSERT, member(desk, 0, 1), INVALID, "the member id is missing"),
        ("no action", INSERT, nothing, INVALID, "member 9: the action is missing"),
        ("group exists", INSERT, group(desk, 1, {}), EXISTS, "group 1 exists"),
        ("no group", DELETE, group(desk, 9, {}), NOT_FOUND, "there is no group 9"),
        ("group id", INSERT, group(desk, 0, {}), INVALID, "the group id is missing"),
        ("group of nobody", INSERT, group(desk, 9, {9: 1}), NOT_FOUND, "there is no member 9"),
        ("twice", INSERT, twice, INVALID, "a member is given twice"),
        ("weight 0", INSERT, group(desk, 9, {1: 0}), INVALID, "weight 0 is not above 0"),
        ("heavy", INSERT, group(desk, 9, {1: 1 << 20}), EXHAUSTED, "add up to 65536"),
        ("max_size", INSERT, group(desk, 9, {1: 3}, max_size=2), EXHAUSTED, "max_size is 2"),
        ("max_size 1e9", INSERT, group(desk, 9, {}, max_size=10**9), EXHAUSTED, "above 65536"),
        ("port", INSERT, off_port, INVALID, "watch_port 99 is no port of the switch"),
        ("max_size -1", INSERT, group(desk, 9, {}, max_size=-1), INVALID, "max_size -1"),
        ("change of max_size", MODIFY, group(desk, 1, {}, max_size=5), INVALID, "changed"),
        ("no selector", INSERT, group(desk, 1, {}, profile="members"), INVALID, "no selector"),
        ("entry of nobody", INSERT, row(desk, 1, to_member(9)), NOT_FOUND, "no member 9"),
        ("entry of no group", INSERT, row(desk, 1, to_group(9)), NOT_FOUND, "no group 9"),
        ("an action", INSERT, row(desk, 1, call), INVALID, "action is given"),
        ("nothing", INSERT, row(desk, 1, None), INVALID, "the action is missing"),
        ("a group", INSERT, row(desk, 1, to_group(1), "with_members"), INVALID, "without"),
        ("a set", INSERT, row(desk, 1, one_shot(desk, one), "with_members"), INVALID, "without"),
        ("unknown profile", INSERT, p4r.ActionProfileMember(action_profile_id=5), NOT_FOUND, "5"),
        ("no profile", INSERT, p4r.ActionProfileGroup(), INVALID, "profile id is missing"),
        (
            "default",
            MODIFY,
            p4r.TableEntry(table_id=desk.ids.table["with_groups"], is_default_action=True),
            7,
            "its default action is constant",
        ),
        ("random", INSERT, row(desk, 1, one_shot(desk, one, action_selection_mode=random)),
         UNIMPLEMENTED, "HASH"),
        ("semantics", INSERT, row(desk, 1, one_shot(desk, one, size_semantics=by_members)),
         UNIMPLEMENTED, "size semantics"),
    ]  # fmt: skip


@pytest.mark.parametrize("case", [each[0] for each in bad_updates(FakeDesk("profile"))])
def test_a_bad_update_says_what_and_why(desk: FakeDesk, case: str) -> None:
    _, kind, message, code, words = next(each for each in bad_updates(desk) if each[0] == case)
    if case not in ("random", "semantics"):
        desk.insert(member(desk, 1), group(desk, 1, {1: 1}))
    before = repr(desk.backend)
    found = desk.refusal(kind, message)
    assert (found[0], words in found[1]) == (code, True), found
    assert repr(desk.backend) == before
