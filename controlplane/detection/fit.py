"""The flow information table, out of the cells of its registers.

Their layout is that of `p4src/control/fit.p4`. A slot is a cell of the same index in four
registers of one way; slots are numbered through both ways.

Whoever wants only the largest flows reads half of the table: LOADS of all slots, chooses, and
then the NAMES of what has been chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from controlplane.detection.flows import FlowTable, Integers, Loads, Rows
from controlplane.p4_constants import FIT_END_HIGH_FIN, FIT_END_LOW_FIN, FIT_END_RST
from controlplane.registers.reader import Cells

_WAYS = ("way_0", "way_1")


def _in_both(*cells: str) -> tuple[str, ...]:
    return tuple(f"{way}.{cell}" for cell in cells for way in _WAYS)


REGISTERS = _in_both("fit_seen", "fit_low", "fit_high", "fit_load")
"""The registers of the table, in the order in which they are to be read.

A slot can change hands while it is read. With its bytes read last they are then those of
the flow that has just begun: too few to make an elephant of a flow that is none.
"""

LOADS = _in_both("fit_seen", "fit_load")
"""Those that say what the flows have sent, in the same order."""

NAMES = _in_both("fit_low", "fit_high", "fit_load")
"""Those that say who the flows are, in the same order; the bytes tell whether they still are."""

_BOTH_FINS = FIT_END_LOW_FIN | FIT_END_HIGH_FIN


class Active(NamedTuple):
    """The flows that are active, without their names."""

    loads: Loads
    slots: Rows
    """Where each is in the table."""
    way_size: int
    """Slots of one way."""

    def take(self, rows: Rows) -> Active:
        """Some of the flows, by their rows."""
        return self._replace(loads=self.loads.take(rows), slots=self.slots[rows])

    def cells(self) -> dict[str, Rows]:
        """Where their names are: indices of cells, by register, in the order to be read."""
        way, index = np.divmod(self.slots, self.way_size)
        ways = [index[way == number] for number in range(len(_WAYS))]
        return {name: ways[number % len(_WAYS)] for number, name in enumerate(NAMES)}


def newest_us(cells: Mapping[str, Cells]) -> int:
    """When the newest packet came, by the switch's clock; 0 when none has."""
    return max(int(cells[f"{way}.fit_seen"].max(initial=0)) >> 8 for way in _WAYS)


def active(cells: Mapping[str, Cells], now_us: int, window_us: int) -> Active:
    """The flows that have been seen no longer than a window before now.

    `cells` are those of LOADS, `now_us` is the switch's time.
    """
    seen = _both(cells, "fit_seen")
    times = seen >> 8
    slots = np.flatnonzero((seen != 0) & (now_us - times <= window_us))
    slots = slots[np.argsort(-times[slots], kind="stable")]
    load, ends = _both(cells, "fit_load")[slots], seen[slots] & 0xFF
    loads = Loads(
        instance=load & 0xFF,
        bytes=load >> 8,
        idle_us=np.maximum(now_us - times[slots], 0),
        ended=((ends & FIT_END_RST) != 0) | ((ends & _BOTH_FINS) == _BOTH_FINS),
    )
    return Active(loads, slots, len(cells["way_0.fit_seen"]))


def decode(cells: Mapping[str, Cells], now_us: int, window_us: int) -> FlowTable:
    """The same with their names. `cells` are those of REGISTERS."""
    flows = active(cells, now_us, window_us)
    low, high = (_both(cells, name)[flows.slots] for name in ("fit_low", "fit_high"))
    return _named(flows.loads, low, high)


def named(flows: Active, cells: Mapping[str, Cells]) -> FlowTable:
    """Those of the flows that are still where they were, with their names.

    `cells` are those of `flows.cells()`, read since.
    """
    by_way = flows.take(np.argsort(flows.slots // flows.way_size, kind="stable"))
    low, high, load = (_both(cells, name) for name in ("fit_low", "fit_high", "fit_load"))
    # A flow only grows; one that has taken the slot since has not got as far.
    still = load >> 8 >= by_way.loads.bytes
    return _named(by_way.loads.take(still), low[still], high[still])


def _named(loads: Loads, low: Integers, high: Integers) -> FlowTable:
    table = FlowTable(
        instance=loads.instance,
        bytes=loads.bytes,
        idle_us=loads.idle_us,
        ended=loads.ended,
        low_address=low >> 24,
        high_address=high >> 16,
        low_port=low >> 8 & 0xFFFF,
        high_port=high & 0xFFFF,
        protocol=low & 0xFF,
    )
    # A flow can change ways while the registers are read: it is what the newest says.
    by_age = table.take(np.argsort(table.idle_us, kind="stable"))
    return by_age.take(_first_of_each(by_age.keys()))


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
