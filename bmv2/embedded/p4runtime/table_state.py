"""The entries of one table, as the controller wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from finsy.proto import p4r

from bmv2.embedded.p4runtime.errors import unimplemented
from bmv2.embedded.p4runtime.schema import Action, Table
from bmv2.embedded.p4runtime.table_codec import Key, encode_action, encode_key


@dataclass(frozen=True, slots=True)
class Cookie:
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


@dataclass(slots=True)
class Entry:
    """An entry in the data plane."""

    handle: int
    key: Key
    priority: int
    action: Action
    arguments: tuple[int, ...]
    is_const: bool = False
    """Set by the program; it cannot be changed."""
    cookie: Cookie = Cookie()
    idle_timeout_ns: int = 0
    """0: the entry never expires."""


@dataclass(slots=True)
class DefaultEntry:
    """What a table does on a miss."""

    action: Action
    arguments: tuple[int, ...]
    cookie: Cookie = Cookie()


@dataclass(slots=True)
class TableState:
    """A table, its entries by key and priority, and its default entry."""

    table: Table
    entries: dict[tuple[Key, int], Entry] = field(default_factory=dict[tuple[Key, int], Entry])
    default: DefaultEntry | None = None
    """None where the program names no default action: a miss then does nothing."""
    initial_default: DefaultEntry | None = None
    """The default entry that the program has."""

    def key_message(self, entry: Entry) -> p4r.TableEntry:
        """The message that names an entry: table, match and priority."""
        message = p4r.TableEntry(table_id=self.table.id, priority=entry.priority)
        encode_key(self.table, entry.key, message)
        return message

    def message(self, entry: Entry) -> p4r.TableEntry:
        """An entry as a Read reports it, without direct resources and times."""
        message = self.key_message(entry)
        encode_action(entry.action, entry.arguments, message.action)
        entry.cookie.put_into(message)
        message.idle_timeout_ns = entry.idle_timeout_ns
        message.is_const = entry.is_const
        return message

    def default_message(self, default: DefaultEntry) -> p4r.TableEntry:
        """The default entry as a Read reports it, without direct resources."""
        message = p4r.TableEntry(table_id=self.table.id, is_default_action=True)
        encode_action(default.action, default.arguments, message.action)
        default.cookie.put_into(message)
        return message


def state_of(states: Mapping[int, TableState], table: Table) -> TableState:
    """A table's state. Raises P4RuntimeError for one that is in P4Info only."""
    state = states.get(table.id)
    if state is None:
        raise unimplemented("the compiler has left the table out: it has no effect")
    return state
