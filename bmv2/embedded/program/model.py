"""The parts of a program. A class bears the name of the JSON object that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bmv2.embedded.program.expression import Expression
from bmv2.embedded.program.externs import (
    ActionProfile,
    Calculation,
    Checksum,
    Counter,
    FieldList,
    Meter,
    Register,
)

# --- headers -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a header; a varbit's width is its largest."""

    name: str
    width: int
    is_signed: bool = False
    is_varbit: bool = False


@dataclass(frozen=True, slots=True)
class HeaderType:
    """The fields of a header in their order on the wire."""

    name: str
    fields: tuple[Field, ...]

    @property
    def width(self) -> int:
        """Bits of a header without its varbit."""
        return sum(field.width for field in self.fields if not field.is_varbit)

    @property
    def varbit(self) -> Field | None:
        """The varbit, if there is one."""
        return next((field for field in self.fields if field.is_varbit), None)

    def field(self, name: str) -> Field | None:
        """A field by its name."""
        return next((field for field in self.fields if field.name == name), None)


@dataclass(frozen=True, slots=True)
class Header:
    """A header or a struct of metadata."""

    name: str
    type: HeaderType
    is_metadata: bool


@dataclass(frozen=True, slots=True)
class Stack:
    """A header stack; its members are headers of the program as well."""

    name: str
    type: HeaderType
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """A header union: at most one of its members is valid. Member name to header."""

    name: str
    members: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UnionStack:
    """A stack of header unions."""

    name: str
    unions: tuple[str, ...]


# --- parser --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lookahead:
    """Bits ahead of the parser's place, which does not move."""

    offset: int
    width: int


@dataclass(frozen=True, slots=True)
class Extract:
    """Reads a header; a varbit is `varbit_bits` long."""

    header: str
    varbit_bits: Expression | None = None


@dataclass(frozen=True, slots=True)
class ExtractNext:
    """Reads the next header of a stack; a varbit is `varbit_bits` long."""

    stack: str
    varbit_bits: Expression | None = None


@dataclass(frozen=True, slots=True)
class ExtractAt:
    """Reads the header at a place of a stack that is known at run time only."""

    stack: str
    index: Expression
    varbit_bits: Expression | None = None


@dataclass(frozen=True, slots=True)
class ExtractUnion:
    """Reads a member of the next union of a stack."""

    stack: str
    member: str
    varbit_bits: Expression | None = None


@dataclass(frozen=True, slots=True)
class Set:
    """Assigns to a field."""

    header: str
    field: str
    source: Expression | Lookahead


@dataclass(frozen=True, slots=True)
class Verify:
    """Ends the parser with an error unless a condition holds."""

    condition: Expression
    error: Expression


@dataclass(frozen=True, slots=True)
class Advance:
    """Skips bits."""

    bits: Expression


@dataclass(frozen=True, slots=True)
class Primitive:
    """A primitive action."""

    operation: str
    operands: tuple[Expression, ...]
    source: str = ""
    """The place in the P4 text, and what stands there; for the trace only."""


ParserOp: TypeAlias = (
    Extract | ExtractNext | ExtractAt | ExtractUnion | Set | Verify | Advance | Primitive
)


@dataclass(frozen=True, slots=True)
class Transition:
    """Where to go for a value of the key; a default has neither value nor value set."""

    value: int | None
    mask: int | None
    value_set: str | None
    next_state: str | None


@dataclass(frozen=True, slots=True)
class ParseState:
    """A state: what it does, and where it goes."""

    name: str
    operations: tuple[ParserOp, ...]
    key: tuple[Expression | Lookahead, ...]
    transitions: tuple[Transition, ...]


@dataclass(frozen=True, slots=True)
class Parser:
    """A parser. A state named None accepts."""

    initial_state: str | None
    states: Mapping[str, ParseState]


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A parser value set that the controller fills."""

    name: str
    key_width: int
    size: int


# --- match-action --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ActionParameter:
    """An argument that an entry gives to its action."""

    name: str
    width: int


@dataclass(frozen=True, slots=True)
class Action:
    """An action: parameters and primitives in their order."""

    id: int
    name: str
    parameters: tuple[ActionParameter, ...]
    primitives: tuple[Primitive, ...]


@dataclass(frozen=True, slots=True)
class KeyField:
    """A field of a table's key, after its mask if it has one."""

    name: str
    match_kind: str
    source: Expression
    width: int
    mask: int | None


@dataclass(frozen=True, slots=True)
class KeyMatch:
    """What a constant entry wants of a key field: value and mask, or low and high."""

    match_kind: str
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class ConstantEntry:
    """An entry that the program itself sets. The smaller priority wins."""

    key: tuple[KeyMatch, ...]
    priority: int
    action_id: int
    arguments: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DefaultEntry:
    """What a table does on a miss."""

    action_id: int
    arguments: tuple[int, ...]
    is_const: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `next_nodes` is by action id; hit and miss go before it where they are given."""

    name: str
    key: tuple[KeyField, ...]
    kind: str
    profile: str | None
    size: int
    actions: tuple[int, ...]
    default: DefaultEntry | None
    entries: tuple[ConstantEntry, ...]
    has_counters: bool
    has_timeout: bool
    direct_meter: str | None
    next_nodes: Mapping[int, str | None]
    default_next: str | None
    next_on_hit: tuple[str | None] | None
    next_on_miss: tuple[str | None] | None


@dataclass(frozen=True, slots=True)
class Conditional:
    """A branch."""

    name: str
    condition: Expression
    if_true: str | None
    if_false: str | None
    source: str = ""


@dataclass(frozen=True, slots=True)
class ActionCall:
    """An action that is called without a table."""

    name: str
    action_id: int
    next_node: str | None


Node: TypeAlias = Table | Conditional | ActionCall


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A graph of nodes. A node named None ends it."""

    name: str
    initial_node: str | None
    nodes: Mapping[str, Node]
    profiles: tuple[ActionProfile, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A whole program. Mappings are by name unless they say otherwise."""

    headers: Mapping[str, Header]
    stacks: Mapping[str, Stack]
    unions: Mapping[str, Union]
    union_stacks: Mapping[str, UnionStack]
    errors: Mapping[str, int]
    parser: Parser
    value_sets: Mapping[str, ValueSet]
    deparser: tuple[str, ...]
    deparser_primitives: tuple[Primitive, ...]
    """What is done before the headers are emitted."""
    actions: Mapping[int, Action]
    """By id: names of actions are not unique."""
    pipelines: Mapping[str, Pipeline]
    calculations: Mapping[str, Calculation]
    checksums: tuple[Checksum, ...]
    registers: Mapping[str, Register]
    counters: Mapping[str, Counter]
    meters: Mapping[str, Meter]
    field_lists: Mapping[int, FieldList]
    """By id."""
    digests: Mapping[int, FieldList]
    """By id."""

    def tables(self) -> tuple[Table, ...]:
        """All tables, those of the ingress first."""
        return tuple(
            node
            for pipeline in self.pipelines.values()
            for node in pipeline.nodes.values()
            if isinstance(node, Table)
        )

    def profiles(self) -> tuple[ActionProfile, ...]:
        """All action profiles, those of the ingress first."""
        return tuple(
            profile for pipeline in self.pipelines.values() for profile in pipeline.profiles
        )
