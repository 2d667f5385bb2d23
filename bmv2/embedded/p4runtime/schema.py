"""P4Info as the server uses it: objects by id, typed and checked once.

A class bears the name of the P4Info message that it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from finsy.proto import p4i

from bmv2.embedded.p4runtime.errors import P4RuntimeError, invalid, not_found, unimplemented


class MatchType(Enum):
    """How a key field is matched; the value is the name of the FieldMatch field."""

    EXACT = "exact"
    LPM = "lpm"
    TERNARY = "ternary"
    RANGE = "range"
    OPTIONAL = "optional"


_MATCH_TYPES = {
    p4i.MatchField.EXACT: MatchType.EXACT,
    p4i.MatchField.LPM: MatchType.LPM,
    p4i.MatchField.TERNARY: MatchType.TERNARY,
    p4i.MatchField.RANGE: MatchType.RANGE,
    p4i.MatchField.OPTIONAL: MatchType.OPTIONAL,
}
ERROR_WIDTH = 32
"""The bits of a value of type error in BMv2: P4Info gives it none."""
_WITH_PRIORITY = {MatchType.TERNARY, MatchType.RANGE, MatchType.OPTIONAL}


@dataclass(frozen=True, slots=True)
class Bits:
    """A match field, action parameter or metadata field: a bit<width> with an id."""

    id: int
    name: str
    width: int

    @property
    def maximum(self) -> int:
        """The largest value, which is also the mask of all bits."""
        return (1 << self.width) - 1


@dataclass(frozen=True, slots=True)
class MatchField(Bits):
    """One field of a table's key."""

    match_type: MatchType


@dataclass(frozen=True, slots=True)
class Action:
    """An action and its parameters in their order."""

    id: int
    name: str
    params: tuple[Bits, ...]


@dataclass(frozen=True)
class Table:
    """A match-action table."""

    id: int
    name: str
    fields: tuple[MatchField, ...]
    actions: Mapping[int, Action]
    default_only: frozenset[int]
    """Actions that only the default entry may have."""
    table_only: frozenset[int]
    """Actions that the default entry may not have."""
    has_const_default: bool
    is_const: bool
    size: int
    direct_counter_id: int | None
    supports_idle_timeout: bool
    implementation_id: int
    """The action profile behind the table; 0 for none."""

    @cached_property
    def is_exact(self) -> bool:
        """Whether every field is matched exactly."""
        return all(field.match_type is MatchType.EXACT for field in self.fields)

    @cached_property
    def needs_priority(self) -> bool:
        """Whether entries are ordered by priority."""
        return any(field.match_type in _WITH_PRIORITY for field in self.fields)

    def refusal(self, error: P4RuntimeError) -> P4RuntimeError:
        """An error with the table's name in front."""
        return error.within(f"table {self.name}")


@dataclass(frozen=True, slots=True)
class Array:
    """A counter or a register: `size` cells, each of `width` bits (registers only)."""

    id: int
    name: str
    size: int
    width: int = 0


@dataclass(frozen=True, slots=True)
class Schema:
    """All objects of a program by id."""

    tables: Mapping[int, Table]
    counters: Mapping[int, Array]
    registers: Mapping[int, Array]
    direct_counters: Mapping[int, int]
    """Direct counter to table."""
    packet_in: tuple[Bits, ...]
    packet_out: tuple[Bits, ...]

    def table(self, table_id: int) -> Table:
        """The table of an id. Raises P4RuntimeError."""
        table = self.tables.get(table_id)
        if table is None:
            raise unknown_id("table", table_id)
        return table

    def counter(self, counter_id: int) -> Array:
        """The counter of an id. Raises P4RuntimeError."""
        counter = self.counters.get(counter_id)
        if counter is None:
            raise unknown_id("counter", counter_id)
        return counter

    def register(self, register_id: int) -> Array:
        """The register of an id. Raises P4RuntimeError."""
        register = self.registers.get(register_id)
        if register is None:
            raise unknown_id("register", register_id)
        return register


def unknown_id(kind: str, number: int) -> P4RuntimeError:
    """What is said of an id that P4Info does not have."""
    if number == 0:
        return invalid(f"the {kind} id is missing")
    return not_found(f"P4Info has no {kind} with id {number}")


def _width(
    name: str, message: p4i.MatchField | p4i.Action.Param | p4i.ControllerPacketMetadata.Metadata
) -> int:
    if message.bitwidth > 0:
        return message.bitwidth
    if message.HasField("type_name"):
        raise unimplemented(f"{name}: a translated type without a bit width")
    return ERROR_WIDTH


def _match_field(table: str, message: p4i.MatchField) -> MatchField:
    match_type = _MATCH_TYPES.get(message.match_type)
    if match_type is None:
        raise unimplemented(f"table {table}: the match kind of field {message.name}")
    return MatchField(
        id=message.id,
        name=message.name,
        width=_width(f"table {table}: field {message.name}", message),
        match_type=match_type,
    )


def _action(message: p4i.Action) -> Action:
    name = message.preamble.name
    return Action(
        id=message.preamble.id,
        name=name,
        params=tuple(
            Bits(param.id, param.name, _width(f"action {name}: {param.name}", param))
            for param in message.params
        ),
    )


def _table(
    message: p4i.Table, actions: Mapping[int, Action], direct_counters: Mapping[int, int]
) -> Table:
    name = message.preamble.name
    references = message.action_refs
    missing = [reference.id for reference in references if reference.id not in actions]
    if missing:
        raise invalid(f"table {name}: P4Info has no action with id {missing[0]}")
    counters = [number for number in message.direct_resource_ids if number in direct_counters]
    return Table(
        id=message.preamble.id,
        name=name,
        fields=tuple(_match_field(name, field) for field in message.match_fields),
        actions={reference.id: actions[reference.id] for reference in references},
        default_only=frozenset(
            reference.id
            for reference in references
            if reference.scope == p4i.ActionRef.DEFAULT_ONLY
        ),
        table_only=frozenset(
            reference.id for reference in references if reference.scope == p4i.ActionRef.TABLE_ONLY
        ),
        has_const_default=message.const_default_action_id != 0,
        is_const=message.is_const_table,
        size=message.size,
        direct_counter_id=counters[0] if counters else None,
        supports_idle_timeout=message.idle_timeout_behavior == p4i.Table.NOTIFY_CONTROL,
        implementation_id=message.implementation_id,
    )


def _register(message: p4i.Register) -> Array:
    name = message.preamble.name
    bitstring = message.type_spec.bitstring
    match bitstring.WhichOneof("type_spec"):
        case "bit":
            width = bitstring.bit.bitwidth
        case "int":
            width = bitstring.int.bitwidth
        case _:
            raise unimplemented(f"register {name}: cells that are not bit<W>")
    return Array(message.preamble.id, name, message.size, width)


def _packet_header(p4info: p4i.P4Info, name: str) -> tuple[Bits, ...]:
    for header in p4info.controller_packet_metadata:
        if header.preamble.name == name:
            return tuple(
                Bits(field.id, field.name, _width(f"{name}: {field.name}", field))
                for field in header.metadata
            )
    return ()


def schema_of(p4info: p4i.P4Info) -> Schema:
    """Checks a P4Info and sorts it by id.

    Raises P4RuntimeError: INVALID_ARGUMENT where it contradicts itself, UNIMPLEMENTED
    where it has a type that the server does not know.
    """
    actions = {message.preamble.id: _action(message) for message in p4info.actions}
    direct_counters = {
        message.preamble.id: message.direct_table_id for message in p4info.direct_counters
    }
    return Schema(
        tables={
            message.preamble.id: _table(message, actions, direct_counters)
            for message in p4info.tables
        },
        counters={
            message.preamble.id: Array(message.preamble.id, message.preamble.name, message.size)
            for message in p4info.counters
        },
        registers={message.preamble.id: _register(message) for message in p4info.registers},
        direct_counters=direct_counters,
        packet_in=_packet_header(p4info, "packet_in"),
        packet_out=_packet_header(p4info, "packet_out"),
    )
