"""The commands of STF files. Each knows its line."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

COMPARISONS: Mapping[str, Callable[[int, int], bool]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
)


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet comes in by a port."""

    line: int
    port: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Expect:
    """A packet goes out by a port; without a pattern, any number of them may."""

    line: int
    port: int
    pattern: str
    """Hexadecimal digits, `*` for any one. What follows them may be anything."""
    is_whole: bool
    """Whether nothing may follow."""

    @property
    def is_anything(self) -> bool:
        """Whether the port is not looked at."""
        return not self.pattern and not self.is_whole


@dataclass(frozen=True, slots=True)
class Call:
    """An action and its arguments by name."""

    action: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Add:
    """An entry is added to a table. The larger priority wins."""

    line: int
    table: str
    priority: int
    key: tuple[tuple[str, str], ...]
    call: Call
    handle: str | None = None
    """What later commands call the entry."""


@dataclass(frozen=True, slots=True)
class SetDefault:
    """A table gets another default action."""

    line: int
    table: str
    call: Call


@dataclass(frozen=True, slots=True)
class RemoveAll:
    """All entries that were added are removed."""

    line: int


@dataclass(frozen=True, slots=True)
class AddMirroring:
    """A clone session that sends to a port."""

    line: int
    session: int
    port: int


@dataclass(frozen=True, slots=True)
class AddGroupMirroring:
    """A clone session that sends to a multicast group."""

    line: int
    session: int
    group: int


@dataclass(frozen=True, slots=True)
class DeleteMirroring:
    """A clone session ends."""

    line: int
    session: int


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """A multicast group."""

    line: int
    group: int


@dataclass(frozen=True, slots=True)
class CreateNode:
    """A multicast node: a replication id and its ports. Nodes are numbered from 0."""

    line: int
    rid: int
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AssociateNode:
    """A node becomes a part of a group."""

    line: int
    group: int
    node: int


@dataclass(frozen=True, slots=True)
class Condition:
    """What a number must be."""

    comparison: str
    """One of `COMPARISONS`."""
    value: int

    def holds(self, number: int) -> bool:
        """Whether a number is so."""
        return COMPARISONS[self.comparison](number, self.value)

    def __str__(self) -> str:
        return str(self.value) if self.comparison == "==" else f"{self.comparison} {self.value}"


@dataclass(frozen=True, slots=True)
class ReadRegister:
    """A register's cell is read, and compared where there is a condition."""

    line: int
    register: str
    index: int
    condition: Condition | None


@dataclass(frozen=True, slots=True)
class WriteRegister:
    """A register's cell is set, or all of them."""

    line: int
    register: str
    index: int | None
    value: int


@dataclass(frozen=True, slots=True)
class CheckCounter:
    """A counter's cell is read, and compared where there is a condition."""

    line: int
    counter: str
    cell: int | str
    """The index, or the handle of the entry whose direct counter it is."""
    unit: str
    """`packets` or `bytes`."""
    condition: Condition | None


@dataclass(frozen=True, slots=True)
class WriteCounter:
    """A counter's cell is set."""

    line: int
    counter: str
    index: int
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate in units (bytes or packets) a second, and a burst in units."""

    rate: int
    burst: int


@dataclass(frozen=True, slots=True)
class SetMeter:
    """A meter's cell gets its rates, or all of them."""

    line: int
    meter: str
    index: int | None
    committed: Rate
    peak: Rate


Command: TypeAlias = (
    Packet
    | Expect
    | Add
    | SetDefault
    | RemoveAll
    | AddMirroring
    | AddGroupMirroring
    | DeleteMirroring
    | CreateGroup
    | CreateNode
    | AssociateNode
    | ReadRegister
    | WriteRegister
    | CheckCounter
    | WriteCounter
    | SetMeter
)
