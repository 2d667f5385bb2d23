"""The externs of a program. A class bears the name of the JSON object that it stands for."""

from __future__ import annotations

from dataclasses import dataclass

from bmv2.embedded.program.expression import Expression, FieldRef


@dataclass(frozen=True, slots=True)
class HashInput:
    """A part of what a calculation reads: an expression of a width, a header, or the payload."""

    source: Expression | None
    width: int


@dataclass(frozen=True, slots=True)
class Calculation:
    """A hash over fields. An input without source is the payload."""

    name: str
    algorithm: str
    inputs: tuple[HashInput, ...]


@dataclass(frozen=True, slots=True)
class Checksum:
    """A field that is verified after the parser or updated before the deparser."""

    header: str
    field: str
    calculation: str
    condition: Expression
    is_verified: bool
    is_updated: bool


@dataclass(frozen=True, slots=True)
class Register:
    """An array of cells."""

    name: str
    size: int
    width: int
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class Counter:
    """An array of packet and byte counts."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Meter:
    """An array of two-rate three-colour markers, or those of a table's entries."""

    name: str
    size: int
    counts_bytes: bool
    direct_table: str | None
    result: FieldRef | None


@dataclass(frozen=True, slots=True)
class FieldList:
    """Fields that a copy of a packet, or a digest, carries."""

    id: int
    name: str
    fields: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ActionProfile:
    """The members, and with a selector the groups, that entries of indirect tables name."""

    name: str
    size: int
    selector: Calculation | None
