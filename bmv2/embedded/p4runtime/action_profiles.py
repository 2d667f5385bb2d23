"""Reads and writes the members and groups of all action profiles."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping

from finsy.proto import p4r

from bmv2.embedded.p4runtime.action_profile import Profile
from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.errors import invalid
from bmv2.embedded.p4runtime.schema import Schema


class ActionProfiles:
    """The action profiles of one program."""

    def __init__(self, schema: Schema, backend: Backend) -> None:
        """Without members and groups."""
        self._schema = schema
        self.by_id: Mapping[int, Profile] = {
            number: Profile(profile, backend) for number, profile in schema.action_profiles.items()
        }

    def write_member(
        self, kind: p4r.Update.Type.ValueType, message: p4r.ActionProfileMember
    ) -> None:
        """Does one update. Raises P4RuntimeError."""
        self._profile(message.action_profile_id).write_member(kind, message)

    def write_group(self, kind: p4r.Update.Type.ValueType, message: p4r.ActionProfileGroup) -> None:
        """Does one update. Raises P4RuntimeError."""
        self._profile(message.action_profile_id).write_group(kind, message)

    def read_members(self, query: p4r.ActionProfileMember) -> Generator[p4r.Entity]:
        """The members that a query selects. Raises P4RuntimeError."""
        for profile in self._selected(query.action_profile_id, query.member_id):
            for number in [query.member_id] if query.member_id else profile.members:
                yield p4r.Entity(action_profile_member=profile.member_message(number))

    def read_groups(self, query: p4r.ActionProfileGroup) -> Generator[p4r.Entity]:
        """The groups that a query selects. Raises P4RuntimeError."""
        for profile in self._selected(query.action_profile_id, query.group_id):
            for number in [query.group_id] if query.group_id else profile.groups:
                yield p4r.Entity(action_profile_group=profile.group_message(number))

    def _profile(self, number: int) -> Profile:
        return self.by_id[self._schema.action_profile(number).id]

    def _selected(self, profile_id: int, part_id: int) -> Iterable[Profile]:
        if profile_id:
            return [self._profile(profile_id)]
        if part_id:
            raise invalid(f"{part_id} is asked for, the action profile id is missing")
        return self.by_id.values()
