"""What a table entry wants of a key field.

Matches are compared with others of the same field only: as tuples they know no kind.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Exact(NamedTuple):
    """The field has this value."""

    value: int


class Lpm(NamedTuple):
    """The first `prefix` bits of the field are those of `value`."""

    value: int
    prefix: int


class Ternary(NamedTuple):
    """The bits of the field under `mask` are those of `value`."""

    value: int
    mask: int


class Range(NamedTuple):
    """The field is `low` … `high`, both included."""

    low: int
    high: int


Match: TypeAlias = Exact | Lpm | Ternary | Range
