"""One action profile: its members and groups, and who uses them (specification, section 9.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from finsy.proto import p4r

from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.action_codec import Call, decode_call
from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.errors import Code, P4RuntimeError, exhausted, invalid, not_found
from bmv2.embedded.p4runtime.schema import ActionProfile
from bmv2.embedded.p4runtime.watched_groups import Share, WatchedGroups, shares
from bmv2.embedded.p4runtime.weights import Weights
from bmv2.embedded.profile import Group, Member, ProfileTarget


class MemberRef(NamedTuple):
    """An entry's member, by the controller's id."""

    member_id: int


class GroupRef(NamedTuple):
    """An entry's group, by the controller's id."""

    group_id: int


class OneShot(NamedTuple):
    """An entry's own members in a group of its own."""

    message: p4r.ActionProfileActionSet
    """As the controller wrote it, with canonical values."""
    group: int
    """Handles of the data plane, like those of the members."""
    members: tuple[int, ...]
    size: int


Binding: TypeAlias = Call | MemberRef | GroupRef | OneShot
"""What an entry does: it calls an action itself, or has an action profile do it."""


@dataclass(slots=True)
class _Member:
    handle: int
    call: Call
    users: int = 0
    """Groups and entries that name it."""


@dataclass(slots=True)
class _Group:
    handle: int
    message: p4r.ActionProfileGroup
    size: int
    users: int = 0
    """Entries that name it."""

    @property
    def member_ids(self) -> list[int]:
        return [each.member_id for each in self.message.members]


@dataclass
class Profile:
    """The state of one action profile."""

    schema: ActionProfile
    backend: Backend
    members: dict[int, _Member] = field(default_factory=dict[int, _Member])
    groups: dict[int, _Group] = field(default_factory=dict[int, _Group])
    _one_shots: int = 0
    _group_sizes: int = 0
    """The sum of the sizes of all groups, those of one-shots among them."""

    def __post_init__(self) -> None:
        self._weights = Weights(self.schema)
        self.watched = WatchedGroups(self.schema.name, self.backend)

    # --- members -----------------------------------------------------------------

    def write_member(
        self, kind: p4r.Update.Type.ValueType, message: p4r.ActionProfileMember
    ) -> None:
        """Does one update. Raises P4RuntimeError."""
        number = message.member_id
        try:
            if number == 0:
                raise invalid("the member id is missing")
            if kind == p4r.Update.INSERT:
                self._insert_member(number, message)
            elif kind == p4r.Update.MODIFY:
                member = self._member(number)
                call = self._call(message)
                self.backend.member_modify(
                    self.schema.name, member.handle, call.action.name, call.arguments
                )
                member.call = call
            else:
                member = self._member(number)
                _check_unused(f"member {number}", member.users)
                self.backend.member_delete(self.schema.name, member.handle)
                del self.members[number]
        except P4RuntimeError as error:
            raise self.schema.refusal(error) from error

    def _insert_member(self, number: int, message: p4r.ActionProfileMember) -> None:
        self._check_style(is_one_shot=False)
        if number in self.members:
            raise P4RuntimeError(Code.ALREADY_EXISTS, f"member {number} exists")
        call = self._call(message)
        if self.schema.size and len(self.members) >= self.schema.size:
            raise exhausted(f"it is full ({self.schema.size} members)")
        handle = self.backend.member_add(self.schema.name, call.action.name, call.arguments)
        self.members[number] = _Member(handle, call)

    def _call(self, message: p4r.ActionProfileMember) -> Call:
        if not message.HasField("action"):
            raise invalid(f"member {message.member_id}: the action is missing")
        return decode_call(self.schema.actions, message.action)

    def _member(self, number: int) -> _Member:
        member = self.members.get(number)
        if member is None:
            raise not_found(f"there is no member {number}")
        return member

    def member_message(self, number: int) -> p4r.ActionProfileMember:
        """A member as a Read reports it. Raises P4RuntimeError (NOT_FOUND)."""
        try:
            call = self._member(number).call
        except P4RuntimeError as error:
            raise self.schema.refusal(error) from error
        return p4r.ActionProfileMember(
            action_profile_id=self.schema.id, member_id=number, action=call.message()
        )

    # --- groups ------------------------------------------------------------------

    def write_group(self, kind: p4r.Update.Type.ValueType, message: p4r.ActionProfileGroup) -> None:
        """Does one update. Raises P4RuntimeError."""
        number = message.group_id
        try:
            if not self.schema.has_selector:
                raise invalid("it has no selector, and so no groups")
            if number == 0:
                raise invalid("the group id is missing")
            if kind == p4r.Update.INSERT:
                self._insert_group(number, message)
            elif kind == p4r.Update.MODIFY:
                self._modify_group(self._group(number), message)
            else:
                group = self._group(number)
                _check_unused(f"group {number}", group.users)
                self.watched.delete(group.handle)
                self._use(group.member_ids, -1)
                self._group_sizes -= group.size
                del self.groups[number]
        except P4RuntimeError as error:
            raise self.schema.refusal(error) from error

    def _insert_group(self, number: int, message: p4r.ActionProfileGroup) -> None:
        self._check_style(is_one_shot=False)
        if number in self.groups:
            raise P4RuntimeError(Code.ALREADY_EXISTS, f"group {number} exists")
        self._weights.check_max_size(message.max_size)
        members, size = self._group_shares(message, 0)
        group = _Group(self.watched.add(members), _kept_group(message), size)
        self.groups[number] = group
        self._group_sizes += size
        self._use(group.member_ids, 1)

    def _modify_group(self, group: _Group, message: p4r.ActionProfileGroup) -> None:
        if message.max_size != group.message.max_size:
            raise invalid(f"group {message.group_id}: its max_size cannot be changed")
        members, size = self._group_shares(message, group.size)
        self.watched.modify(group.handle, members)
        self._use(group.member_ids, -1)
        self._group_sizes += size - group.size
        group.size = size
        group.message = _kept_group(message)
        self._use(group.member_ids, 1)

    def _group_shares(
        self, message: p4r.ActionProfileGroup, former_size: int
    ) -> tuple[tuple[Share, ...], int]:
        """A group's members, and its size."""
        ids = [each.member_id for each in message.members]
        if len(set(ids)) != len(ids):
            raise invalid(f"group {message.group_id}: a member is given twice")
        handles = [self._member(number).handle for number in ids]
        weights = [each.weight for each in message.members]
        size = self._weights.size_of(weights, message.max_size)
        self._check_room(size - former_size)
        self.watched.check_ports(message.members)
        return shares(handles, message.members), size

    def _group(self, number: int) -> _Group:
        group = self.groups.get(number)
        if group is None:
            raise not_found(f"there is no group {number}")
        return group

    def _use(self, member_ids: Sequence[int], count: int) -> None:
        for number in member_ids:
            self.members[number].users += count

    def group_message(self, number: int) -> p4r.ActionProfileGroup:
        """A group as a Read reports it. Raises P4RuntimeError (NOT_FOUND)."""
        try:
            return self._group(number).message
        except P4RuntimeError as error:
            raise self.schema.refusal(error) from error

    # --- entries -----------------------------------------------------------------

    def bind(self, message: p4r.TableAction, former: Binding | None = None) -> Binding:
        """What an entry with this action is bound to, until `unbind`. Raises P4RuntimeError.

        `former` is what the entry has been bound to, and is to be unbound.
        """
        match message.WhichOneof("type"):
            case "action_profile_member_id":
                self._check_style(is_one_shot=False)
                self._member(message.action_profile_member_id).users += 1
                return MemberRef(message.action_profile_member_id)
            case "action_profile_group_id" if self.schema.has_selector:
                self._check_style(is_one_shot=False)
                self._group(message.action_profile_group_id).users += 1
                return GroupRef(message.action_profile_group_id)
            case "action_profile_action_set" if self.schema.has_selector:
                freed = former.size if isinstance(former, OneShot) else 0
                return self._bind_one_shot(message.action_profile_action_set, freed)
            case None:
                raise invalid("the action is missing")
            case other:
                kind = "with" if self.schema.has_selector else "without"
                raise invalid(f"{other} is given, the table has an action profile {kind} selector")

    def _bind_one_shot(self, message: p4r.ActionProfileActionSet, freed: int) -> OneShot:
        self._check_style(is_one_shot=True)
        actions = message.action_profile_actions
        calls = [decode_call(self.schema.actions, each.action) for each in actions]
        weights = [each.weight for each in actions]
        size = self._weights.size_of_set(message, weights)
        self._check_room(size - freed)
        self.watched.check_ports(actions)
        name = self.schema.name
        handles = [
            self.backend.member_add(name, call.action.name, call.arguments) for call in calls
        ]
        group = self.watched.add(shares(handles, actions))
        self._one_shots += 1
        self._group_sizes += size
        return OneShot(_kept_set(message, calls), group, tuple(handles), size)

    def unbind(self, binding: Binding) -> None:
        """Takes note that an entry is no longer bound to what it was bound to."""
        match binding:
            case MemberRef(number):
                self.members[number].users -= 1
            case GroupRef(number):
                self.groups[number].users -= 1
            case OneShot():
                self.watched.delete(binding.group)
                for handle in binding.members:
                    self.backend.member_delete(self.schema.name, handle)
                self._one_shots -= 1
                self._group_sizes -= binding.size
            case Call():
                pass

    def target(self, binding: Binding) -> ProfileTarget:
        """What the data plane's entry points to. Raises TypeError for an action of its own."""
        match binding:
            case MemberRef(number):
                return Member(self.members[number].handle)
            case GroupRef(number):
                return Group(self.groups[number].handle)
            case OneShot():
                return Group(binding.group)
            case Call():
                raise TypeError("an action is no target in an action profile")

    def _check_style(self, *, is_one_shot: bool) -> None:
        if is_one_shot and (self.members or self.groups):
            raise invalid("it has members and groups, which exclude one-shot action sets")
        if not is_one_shot and self._one_shots:
            raise invalid("it has one-shot action sets, which exclude members and groups")

    def _check_room(self, size: int) -> None:
        if self.schema.size and self._group_sizes + size > self.schema.size:
            raise exhausted(f"it is full (its groups' sizes add up to {self.schema.size} at most)")


def encode_binding(binding: Binding, message: p4r.TableAction) -> None:
    """Writes what an entry does into `message`."""
    match binding:
        case Call():
            message.action.CopyFrom(binding.message())
        case MemberRef(number):
            message.action_profile_member_id = number
        case GroupRef(number):
            message.action_profile_group_id = number
        case OneShot():
            message.action_profile_action_set.CopyFrom(binding.message)


def _kept_group(message: p4r.ActionProfileGroup) -> p4r.ActionProfileGroup:
    kept = p4r.ActionProfileGroup()
    kept.CopyFrom(message)
    for member in kept.members:
        if member.HasField("watch_port"):
            member.watch_port = bitstring.canonical(member.watch_port)
    return kept


def _kept_set(
    message: p4r.ActionProfileActionSet, calls: Sequence[Call]
) -> p4r.ActionProfileActionSet:
    kept = p4r.ActionProfileActionSet()
    kept.CopyFrom(message)
    for each, call in zip(kept.action_profile_actions, calls, strict=True):
        each.action.CopyFrom(call.message())
        if each.HasField("watch_port"):
            each.watch_port = bitstring.canonical(each.watch_port)
    return kept


def _check_unused(what: str, users: int) -> None:
    if users:
        raise P4RuntimeError(Code.FAILED_PRECONDITION, f"{what} is in use")
