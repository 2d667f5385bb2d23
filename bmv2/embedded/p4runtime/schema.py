"""What P4Info says about a program, by id, typed and checked once.

A class bears the name of the P4Info message that it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TypeVar

from bmv2.embedded.p4runtime.data_type import CellType, DataType
from bmv2.embedded.p4runtime.errors import P4RuntimeError, invalid, not_found

_Object = TypeVar("_Object")


class MatchType(Enum):
    """How a key field is matched; the value is the name of the FieldMatch field."""

    EXACT = "exact"
    LPM = "lpm"
    TERNARY = "ternary"
    RANGE = "range"
    OPTIONAL = "optional"


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
    """One field of a table's key, or of a value set."""

    match_type: MatchType


@dataclass(frozen=True)
class Action:
    """An action and its parameters in their order."""

    id: int
    name: str
    params: tuple[Bits, ...]

    @cached_property
    def limits(self) -> list[tuple[int, int]]:
        """Id and largest value of each parameter."""
        return [(param.id, param.maximum) for param in self.params]


class MeterType(Enum):
    """How a meter colours; the value is how messages call it."""

    TWO_RATE_THREE_COLOR = "two-rate three-colour"
    SINGLE_RATE_THREE_COLOR = "single-rate three-colour"
    SINGLE_RATE_TWO_COLOR = "single-rate two-colour"


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
    """Tables with an action profile have one: NoAction."""
    is_const: bool
    size: int
    direct_counter_id: int | None
    direct_meter: MeterType | None
    """The type of the meters of its entries; none where they have no meter."""
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
class ActionProfile:
    """Members that several entries share, and groups of them where there is a selector."""

    id: int
    name: str
    actions: Mapping[int, Action]
    """What a member may do."""
    has_selector: bool
    size: int
    """How much it holds; 0 for no limit. Of what, `counts_members` says."""
    max_group_size: int
    """How much a group holds; 0 for no limit."""
    counts_members: bool
    """Whether the size of a group is its number of members, not the sum of their weights."""
    max_member_weight: int
    """0 for no limit."""
    weights_disallowed: bool

    def refusal(self, error: P4RuntimeError) -> P4RuntimeError:
        """An error with the profile's name in front."""
        return error.within(f"action profile {self.name}")


@dataclass(frozen=True, slots=True)
class Counter:
    """An array of counters."""

    id: int
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Register:
    """An array of values."""

    id: int
    name: str
    size: int
    type: CellType


@dataclass(frozen=True, slots=True)
class Meter:
    """An array of meters."""

    id: int
    name: str
    size: int
    type: MeterType


@dataclass(frozen=True, slots=True)
class Digest:
    """What the data plane tells the controller of a packet."""

    id: int
    name: str
    type: DataType


@dataclass(frozen=True, slots=True)
class ValueSet:
    """Values that the controller gives to the parser."""

    id: int
    name: str
    fields: tuple[MatchField, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Schema:
    """All objects of a program by id."""

    tables: Mapping[int, Table]
    action_profiles: Mapping[int, ActionProfile]
    counters: Mapping[int, Counter]
    meters: Mapping[int, Meter]
    registers: Mapping[int, Register]
    digests: Mapping[int, Digest]
    value_sets: Mapping[int, ValueSet]
    packet_in: tuple[Bits, ...]
    packet_out: tuple[Bits, ...]

    def table(self, table_id: int) -> Table:
        """The table of an id. Raises P4RuntimeError."""
        return _find(self.tables, "table", table_id)

    def action_profile(self, action_profile_id: int) -> ActionProfile:
        """The action profile of an id. Raises P4RuntimeError."""
        return _find(self.action_profiles, "action profile", action_profile_id)

    def counter(self, counter_id: int) -> Counter:
        """The counter of an id. Raises P4RuntimeError."""
        return _find(self.counters, "counter", counter_id)

    def meter(self, meter_id: int) -> Meter:
        """The meter of an id. Raises P4RuntimeError."""
        return _find(self.meters, "meter", meter_id)

    def register(self, register_id: int) -> Register:
        """The register of an id. Raises P4RuntimeError."""
        return _find(self.registers, "register", register_id)

    def digest(self, digest_id: int) -> Digest:
        """The digest of an id. Raises P4RuntimeError."""
        return _find(self.digests, "digest", digest_id)

    def value_set(self, value_set_id: int) -> ValueSet:
        """The value set of an id. Raises P4RuntimeError."""
        return _find(self.value_sets, "value set", value_set_id)


def _find(objects: Mapping[int, _Object], kind: str, number: int) -> _Object:
    found = objects.get(number)
    if found is None:
        if number == 0:
            raise invalid(f"the {kind} id is missing")
        raise not_found(f"P4Info has no {kind} with id {number}")
    return found
