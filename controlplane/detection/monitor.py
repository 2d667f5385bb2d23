"""The flow monitor: what the switch knows about active flows, read when it is asked for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from controlplane.detection.clock import SwitchClock
from controlplane.detection.fit import LOADS, REGISTERS, active, decode, named, newest_us
from controlplane.detection.flows import FlowTable, Loads, Rows
from controlplane.registers.reader import Cells, RegisterReader
from controlplane.switch.session import CounterValue

_OVERFLOW = "fit_overflow"
_SECOND_LOOK_S = 0.01  # an overloaded switch takes in many packets meanwhile
_ALWAYS_US = 1 << 48  # as long as the switch's clock can run

logger = logging.getLogger(__name__)


class Counters(Protocol):
    """What is used of `controlplane.switch.session.SwitchSession`."""

    async def read_counter(self, name: str) -> Sequence[CounterValue]:
        """All cells of a counter. Raises SwitchError."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """The flow information table at one time."""

    flows: FlowTable
    now_us: int
    """The switch's time."""
    overflow: int
    """Packets that were not counted since the switch started: their flow found no free slot."""
    read_s: float
    """How long it took to read and decode."""
    nf_cpu_s: float | None = None
    """Time of the instances' processors that it took; none where they were not asked."""


@dataclass(frozen=True)
class Chosen:
    """Some of the active flows, and those among which they were chosen."""

    flows: FlowTable
    among: Loads
    overflow: int
    """As in `Snapshot`."""
    nf_cpu_s: float | None = None
    """As in `Snapshot`."""


class FlowSource(Protocol):
    """Who counts the bytes of flows."""

    @property
    def window_us(self) -> int:
        """How long a flow is active after its last packet."""
        ...

    async def read(self, instance: int | None = None) -> Snapshot:
        """The active flows of an instance, or of all. Raises SwitchError or SouthboundError."""
        ...

    async def choose(self, instance: int | None, select: Callable[[Loads], Rows]) -> Chosen:
        """Those of them that `select` takes. Raises SwitchError or SouthboundError."""
        ...


class FlowMonitor:
    """Reads the flow information table of one switch."""

    def __init__(
        self,
        reader: RegisterReader,
        counters: Counters,
        window_us: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`window_us` is the switch's activity window; `clock` tells monotonic seconds."""
        self._reader = reader
        self._counters = counters
        self._window_us = window_us
        self._clock = clock
        self._switch_clock = SwitchClock()
        self._overflow: int | None = None

    @property
    def window_us(self) -> int:
        """The switch's activity window."""
        return self._window_us

    async def read(self, instance: int | None = None) -> Snapshot:
        """The active flows of an instance, or of all. Raises SwitchError."""
        snapshot = await self._read(self._window_us)
        if instance is None:
            return snapshot
        flows = snapshot.flows
        return replace(snapshot, flows=flows.take(flows.at(instance)))

    async def read_all(self) -> Snapshot:
        """All that the table says, also of flows that are not active. Raises SwitchError."""
        return await self._read(_ALWAYS_US)

    async def choose(self, instance: int | None, select: Callable[[Loads], Rows]) -> Chosen:
        """Those of the active flows that `select` takes. Raises SwitchError.

        Only their names are read, so this is faster than to read all.
        """
        cells, now_us = await self._read_cells(LOADS)
        flows = active(cells, now_us, self._window_us)
        if instance is not None:
            flows = flows.take(flows.loads.at(instance))
        chosen = flows.take(select(flows.loads))
        names, overflow = await asyncio.gather(
            self._reader.read_cells(chosen.cells()), self._read_overflow()
        )
        return Chosen(named(chosen, names), flows.loads, overflow)

    async def _read(self, window_us: int) -> Snapshot:
        begin_s = self._clock()
        (cells, now_us), overflow = await asyncio.gather(
            self._read_cells(REGISTERS), self._read_overflow()
        )
        flows = decode(cells, now_us, window_us)
        return Snapshot(flows, now_us, overflow, self._clock() - begin_s)

    async def _read_overflow(self) -> int:
        overflow = sum(cell.packets for cell in await self._counters.read_counter(_OVERFLOW))
        if self._overflow is not None and overflow > self._overflow:
            logger.warning(
                "%d packets found no room in the flow information table since it was last read:"
                " an elephant may be missed",
                overflow - self._overflow,
            )
        self._overflow = overflow
        return overflow

    async def _read_cells(self, names: Sequence[str]) -> tuple[dict[str, Cells], int]:
        """Whole registers of the table, and what the switch's clock shows.

        When the newest packet is older than the window, a second look tells whether packets
        have ceased or are late.
        """
        cells = await self._reader.read(names)
        newest = newest_us(cells)
        now_us = self._switch_clock.observe(newest, self._clock() * 1e6)
        if now_us - newest <= self._window_us:
            return cells, now_us
        await asyncio.sleep(_SECOND_LOOK_S)
        again = await self._reader.read(names)
        if newest_us(again) == newest:
            return cells, now_us
        return again, self._switch_clock.restart(newest_us(again), self._clock() * 1e6)
