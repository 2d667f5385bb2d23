"""The entries of one table, as the controller wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from finsy.proto import p4r

from bmv2.embedded.p4runtime.action_codec import Call
from bmv2.embedded.p4runtime.action_profile import Binding, encode_binding
from bmv2.embedded.p4runtime.errors import invalid, not_found, unimplemented
from bmv2.embedded.p4runtime.match_codec import Key, KeyCodec
from bmv2.embedded.p4runtime.place import Place, PlaceFormat, has_key_of, priority
from bmv2.embedded.p4runtime.schema import Schema, Table


class Cookie(NamedTuple):
    """What the controller attached to an entry; it means nothing to the switch."""

    metadata: bytes = b""
    controller_metadata: int = 0
    """Its predecessor, deprecated but still to be kept."""

    @classmethod
    def of(cls, message: p4r.TableEntry) -> Cookie:
        """The cookie of an entry that is written, or of a query."""
        deprecated = message.controller_metadata  # pyright: ignore[reportDeprecated]
        return cls(message.metadata, deprecated)

    def put_into(self, message: p4r.TableEntry) -> None:
        """Writes the cookie into `message`."""
        message.metadata = self.metadata
        message.controller_metadata = self.controller_metadata  # pyright: ignore[reportDeprecated]

    def is_selected_by(self, query: Cookie) -> bool:
        """Whether a query for a cookie finds this one; what it leaves out is not compared."""
        return (not query.metadata or query.metadata == self.metadata) and (
            not query.controller_metadata or query.controller_metadata == self.controller_metadata
        )


NO_COOKIE = Cookie()


@dataclass(slots=True)
class Entry:
    """An entry in the data plane."""

    handle: int
    place: Place
    binding: Binding
    cookie: Cookie = NO_COOKIE
    idle_timeout_ns: int = 0
    """0: the entry never expires."""
    is_const: bool = False
    """Set by the program; it cannot be changed."""


@dataclass(slots=True)
class DefaultEntry:
    """What a table does on a miss."""

    call: Call
    cookie: Cookie = NO_COOKIE


@dataclass(slots=True)
class TableState:
    """A table, its entries by place, and its default entry."""

    table: Table
    keys: KeyCodec
    places: PlaceFormat
    entries: dict[Place, Entry] = field(default_factory=dict[Place, Entry])
    default: DefaultEntry | None = None
    """None where the program names no default action: a miss then does nothing."""
    initial_default: DefaultEntry | None = None
    """The default entry that the program has."""

    @classmethod
    def of(cls, table: Table) -> TableState:
        """A table without entries."""
        return cls(table, KeyCodec(table.fields), PlaceFormat(table.fields))

    def decode(self, message: p4r.TableEntry) -> tuple[Key, int]:
        """Key and priority in a message. Raises P4RuntimeError."""
        if self.table.needs_priority:
            if message.priority <= 0:
                raise invalid("a priority above 0 is needed")
        elif message.priority:
            raise invalid(f"priority {message.priority} in a table without priorities")
        return self.keys.decode(message.match), message.priority

    def find(self, message: p4r.TableEntry) -> Entry:
        """The entry that a message names. Raises P4RuntimeError."""
        entry = self.entries.get(self.places.pack(*self.decode(message)))
        if entry is None:
            raise not_found("there is no such entry")
        return entry

    def find_handle(self, message: p4r.TableEntry) -> int | None:
        """The handle of the entry that a message names; none for the default entry.

        Raises P4RuntimeError.
        """
        if message.is_default_action:
            check_default_key(message)
            return None
        return self.find(message).handle

    def select(self, query: p4r.TableEntry) -> list[Entry]:
        """The entries that a query selects, but not the default entry (section 9.1.6).

        Raises P4RuntimeError (INVALID_ARGUMENT).
        """
        chosen = list(self.entries.values())
        if query.table_id == 0:
            return chosen
        if query.match:
            place = self.places.pack(self.keys.decode(query.match), query.priority)
            if self.table.needs_priority and not query.priority:
                chosen = [entry for entry in chosen if has_key_of(entry.place, place)]
            else:
                entry = self.entries.get(place)
                chosen = [entry] if entry else []
        elif query.priority:
            chosen = [entry for entry in chosen if priority(entry.place) == query.priority]
        action_id = query.action.action.action_id
        cookie = Cookie.of(query)
        return [
            entry
            for entry in chosen
            if (not action_id or _calls(entry.binding, action_id))
            and entry.cookie.is_selected_by(cookie)
        ]

    def key_message(self, entry: Entry) -> p4r.TableEntry:
        """The message that names an entry: table, match and priority."""
        return p4r.TableEntry(
            table_id=self.table.id,
            match=self.keys.encode(self.places.key(entry.place)),
            priority=priority(entry.place),
        )

    def message(self, entry: Entry) -> p4r.TableEntry:
        """An entry as a Read reports it, without direct resources and times."""
        message = self.key_message(entry)
        encode_binding(entry.binding, message.action)
        entry.cookie.put_into(message)
        message.idle_timeout_ns = entry.idle_timeout_ns
        message.is_const = entry.is_const
        return message

    def default_message(self, default: DefaultEntry) -> p4r.TableEntry:
        """The default entry as a Read reports it, without direct resources."""
        message = p4r.TableEntry(
            table_id=self.table.id, is_default_action=True, is_const=self.table.has_const_default
        )
        encode_binding(default.call, message.action)
        default.cookie.put_into(message)
        return message


class TableStates:
    """The tables of one program, by id."""

    def __init__(self, schema: Schema, by_id: Mapping[int, TableState]) -> None:
        """`by_id` has what the device config has."""
        self._schema = schema
        self._by_id = by_id

    def of(self, table_id: int) -> TableState:
        """The table of an id. Raises P4RuntimeError."""
        state = self._by_id.get(table_id)
        if state is None:
            table = self._schema.table(table_id)
            raise table.refusal(unimplemented("the compiler has left it out, for it has no effect"))
        return state

    def find(self, table_id: int) -> TableState | None:
        """The table of an id, if the program has it."""
        return self._by_id.get(table_id)

    def all(self) -> list[TableState]:
        """Every table."""
        return list(self._by_id.values())


def check_default_key(message: p4r.TableEntry) -> None:
    """Raises P4RuntimeError when a default entry is given a key."""
    if message.match or message.priority:
        raise invalid("a default entry has neither match nor priority")


def _calls(binding: Binding, action_id: int) -> bool:
    return isinstance(binding, Call) and binding.action.id == action_id
