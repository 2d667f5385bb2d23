"""What a table entry wants of a key field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Exact:
    """The field has this value."""

    value: int


@dataclass(frozen=True, slots=True)
class Lpm:
    """The first `prefix` bits of the field are those of `value`."""

    value: int
    prefix: int


@dataclass(frozen=True, slots=True)
class Ternary:
    """The bits of the field under `mask` are those of `value`."""

    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class Range:
    """The field is `low` … `high`, both included."""

    low: int
    high: int


Match: TypeAlias = Exact | Lpm | Ternary | Range
