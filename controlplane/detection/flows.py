"""Flows in columns: what they have sent, and their names.

Everything is done by numpy on whole arrays; only flows that somebody wants by name become
objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from nf.southbound.flow import FiveTuple

Integers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.intp]
"""Numbers of rows."""


@dataclass(frozen=True, eq=False)
class Loads:
    """Active flows without their names, one a row; each field has one value a row."""

    instance: Integers
    """Where the flow's last packet was steered; 0 is not known."""
    bytes: Integers
    """Of the flow's frames, both directions."""
    idle_us: Integers
    """Since the last packet."""
    ended: Flags
    """Whether TCP has closed both directions, or reset the connection."""

    def __len__(self) -> int:
        return len(self.bytes)

    def take(self, rows: Rows | Flags) -> Self:
        """A table of some of the rows: by their numbers, or where a flag is set."""
        return type(self)(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    def at(self, instance: int) -> Rows:
        """The rows of the flows of an instance."""
        return np.flatnonzero(self.instance == instance)

    def largest_first(self, wanted: Flags | None = None) -> Rows:
        """The rows where a flag is set, or all, in the order of bytes; equal ones as they are."""
        rows = np.arange(len(self)) if wanted is None else np.flatnonzero(wanted)
        return rows[np.argsort(-self.bytes[rows], kind="stable")]


@dataclass(frozen=True, eq=False)
class FlowTable(Loads):
    """The same with their names."""

    low_address: Integers
    high_address: Integers
    low_port: Integers
    high_port: Integers
    protocol: Integers

    def largest_first(self, wanted: Flags | None = None) -> Rows:
        """The rows where a flag is set, or all, in the order of bytes; equal ones by name."""
        order = np.lexsort((*reversed(self._key()), -self.bytes))
        return order if wanted is None else order[wanted[order]]

    def five_tuples(self) -> tuple[FiveTuple, ...]:
        """The flows by name."""
        columns: Iterable[list[int]] = (column.tolist() for column in self._key())
        return tuple(map(FiveTuple, *columns))

    def keys(self) -> Integers:
        """The five-tuples as numbers, two rows: a column differs from that of any other flow."""
        low = self.low_address << 24 | self.low_port << 8 | self.protocol
        return np.stack((low, self.high_address << 16 | self.high_port))

    def _key(self) -> tuple[Integers, ...]:
        return self.low_address, self.high_address, self.low_port, self.high_port, self.protocol
