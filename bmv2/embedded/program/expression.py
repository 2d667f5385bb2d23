"""Expressions and operands of a program, as a tree of immutable nodes.

Integers are mathematical: BMv2 computes without bounds, and p4c puts a mask or a cast
where a width ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Constant:
    """An integer."""

    value: int


@dataclass(frozen=True, slots=True)
class Boolean:
    """A truth value."""

    value: bool


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field of a header; `$valid$` stands for the header's validity."""

    header: str
    field: str


@dataclass(frozen=True, slots=True)
class StackFieldRef:
    """A field of the header that was extracted last into a stack."""

    stack: str
    field: str


@dataclass(frozen=True, slots=True)
class UnionStackFieldRef:
    """A field of a member of the union that was extracted last into a stack."""

    stack: str
    member: str
    field: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument of the action, by its place."""

    index: int


@dataclass(frozen=True, slots=True)
class HeaderRef:
    """A header as a whole."""

    name: str


@dataclass(frozen=True, slots=True)
class StackRef:
    """A header stack as a whole."""

    name: str


@dataclass(frozen=True, slots=True)
class UnionRef:
    """A header union as a whole."""

    name: str


@dataclass(frozen=True, slots=True)
class UnionStackRef:
    """A stack of header unions as a whole."""

    name: str


@dataclass(frozen=True, slots=True)
class RegisterRef:
    """A cell of a register."""

    array: str
    index: Expression


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """A calculation, counter, meter or register array by its name."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """A string, for log messages."""

    value: str


@dataclass(frozen=True, slots=True)
class Arguments:
    """A list of operands, for log messages."""

    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator over one, two or (for `?`) three operands."""

    operator: str
    operands: tuple[Expression, ...]


Expression: TypeAlias = (
    Constant
    | Boolean
    | FieldRef
    | StackFieldRef
    | UnionStackFieldRef
    | Parameter
    | HeaderRef
    | StackRef
    | UnionRef
    | UnionStackRef
    | RegisterRef
    | ObjectRef
    | Text
    | Arguments
    | Operation
)
