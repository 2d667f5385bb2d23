"""The flow information table, out of the cells of its registers.

Their layout is that of `p4src/control/fit.p4`. Everything is done by numpy on whole
arrays; only flows that somebody wants by name become objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from controlplane.p4_constants import FIT_END_HIGH_FIN, FIT_END_LOW_FIN, FIT_END_RST
from controlplane.registers.reader import Cells
from nf.southbound.flow import FiveTuple

_WAYS = ("way_0", "way_1")
_CELLS = ("fit_seen", "fit_low", "fit_high", "fit_bytes")

REGISTERS = tuple(f"{way}.{cell}" for cell in _CELLS for way in _WAYS)
"""The registers of the table, in the order in which they are to be read.

A slot can change hands while it is read. With its bytes read last they are then those of
the flow that has just begun: too few to make an elephant of a flow that is none.
"""

Integers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.intp]
"""Numbers of rows of a flow table."""

_BOTH_FINS = FIT_END_LOW_FIN | FIT_END_HIGH_FIN


@dataclass(frozen=True, eq=False)
class FlowTable:
    """Active flows, one a row; each field has one value a row."""

    low_address: Integers
    high_address: Integers
    low_port: Integers
    high_port: Integers
    protocol: Integers
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

    def take(self, rows: Rows | Flags) -> FlowTable:
        """A table of some of the rows: by their numbers, or where a flag is set."""
        return FlowTable(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def at(self, instance: int) -> FlowTable:
        """The flows of an instance."""
        return self.take(self.instance == instance)

    def live(self) -> FlowTable:
        """The flows that have not ended."""
        return self.take(~self.ended)

    def largest_first(self) -> FlowTable:
        """The same in the order of bytes; flows with equal bytes in that of their five-tuples."""
        return self.take(np.lexsort((*reversed(self._key()), -self.bytes)))

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


def newest_us(cells: Mapping[str, Cells]) -> int:
    """When the newest packet came, by the switch's clock; 0 when none has."""
    return max(int(cells[f"{way}.fit_seen"].max(initial=0)) >> 8 for way in _WAYS)


def decode(cells: Mapping[str, Cells], now_us: int, window_us: int) -> FlowTable:
    """The flows that are active: seen no longer than a window before now.

    `cells` are those of REGISTERS, `now_us` is the switch's time.
    """
    seen = _both(cells, "fit_seen")
    times = seen >> 8
    used = np.flatnonzero((seen != 0) & (now_us - times <= window_us))
    # Newest first, as the first of equal rows stays.
    used = used[np.argsort(-times[used], kind="stable")]
    low, high = _both(cells, "fit_low")[used], _both(cells, "fit_high")[used]
    used_seen = seen[used]
    ends = used_seen & 0xFF
    table = FlowTable(
        low_address=low >> 24,
        high_address=high >> 24,
        low_port=low >> 8 & 0xFFFF,
        high_port=high >> 8 & 0xFFFF,
        protocol=low & 0xFF,
        instance=high & 0xFF,
        bytes=_both(cells, "fit_bytes")[used],
        idle_us=np.maximum(now_us - (used_seen >> 8), 0),
        ended=((ends & FIT_END_RST) != 0) | ((ends & _BOTH_FINS) == _BOTH_FINS),
    )
    # A flow can change ways while the registers are read.
    return table.take(_first_of_each(np.stack((low, high >> 8))))


def _both(cells: Mapping[str, Cells], name: str) -> Integers:
    """The cells of both ways, one after the other. No cell is wider than 63 bits."""
    ways: list[npt.NDArray[Any]] = [cells[f"{way}.{name}"] for way in _WAYS]
    return np.concatenate(ways).view(np.int64)


def _first_of_each(keys: Integers) -> Rows:
    """The columns of `keys` that differ from all before them."""
    order = np.lexsort(keys)  # stable
    ordered = keys[:, order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    return np.sort(order[is_first])
