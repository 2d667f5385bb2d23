"""Parser value sets (specification, section 9.6 "ValueSetEntry")."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from finsy.proto import p4r

from bmv2.embedded.errors import TableFull
from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.errors import Code, P4RuntimeError, exhausted, invalid
from bmv2.embedded.p4runtime.match_codec import Key, KeyCodec
from bmv2.embedded.p4runtime.schema import Schema, ValueSet


class ValueSets:
    """Reads and writes the value sets of one program."""

    def __init__(self, schema: Schema, backend: Backend) -> None:
        """All of them are empty."""
        self._schema = schema
        self._backend = backend
        self._members: dict[int, list[Key]] = {number: [] for number in schema.value_sets}
        self._codecs = {
            number: KeyCodec(value_set.fields) for number, value_set in schema.value_sets.items()
        }

    def write(self, kind: p4r.Update.Type.ValueType, message: p4r.ValueSetEntry) -> None:
        """Replaces the members of a value set. Raises P4RuntimeError."""
        value_set = self._schema.value_set(message.value_set_id)
        try:
            if kind != p4r.Update.MODIFY:
                raise invalid("it can only be modified")
            members = self._decode(value_set, message)
        except P4RuntimeError as error:
            raise error.within(f"value set {value_set.name}") from error
        try:
            self._backend.value_set_write(value_set.name, members)
        except TableFull as error:
            raise exhausted(str(error)) from error
        self._members[value_set.id] = members

    def _decode(self, value_set: ValueSet, message: p4r.ValueSetEntry) -> list[Key]:
        if len(message.members) > value_set.size:
            raise exhausted(
                f"{len(message.members)} members, it has room for {value_set.size}",
            )
        codec = self._codecs[value_set.id]
        members = [codec.decode(member.match) for member in message.members]
        if len(set(members)) != len(members):
            raise P4RuntimeError(Code.ALREADY_EXISTS, "a member is given twice")
        return members

    def read(self, query: p4r.ValueSetEntry) -> Generator[p4r.Entity]:
        """The value sets that a query selects; id 0 selects all. Raises P4RuntimeError."""
        selected: Iterable[int] = (
            [self._schema.value_set(query.value_set_id).id] if query.value_set_id else self._members
        )
        for number in selected:
            codec = self._codecs[number]
            entry = p4r.ValueSetEntry(
                value_set_id=number,
                members=[
                    p4r.ValueSetMember(match=codec.encode(member))
                    for member in self._members[number]
                ],
            )
            yield p4r.Entity(value_set_entry=entry)
