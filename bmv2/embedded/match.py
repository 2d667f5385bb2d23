"""What a table entry wants of a key field.

Matches are compared with others of the same field only: as tuples they know no kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
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


def exact_key(values: Iterable[int]) -> tuple[Exact, ...]:
    """A key of exact matches, made at a third of what `Exact` takes for each."""
    return tuple(map(tuple.__new__, repeat(Exact), zip(values, strict=False)))
