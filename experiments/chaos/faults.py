"""What goes wrong while flows move, and how it is put right again."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from testbed.bed import Bed
from testbed.northbound import NorthboundClient, NorthboundError

_LONGEST_DELAY_S = 0.2  # the whole of a move, and a little more
_LONGEST_OUTAGE_S = 0.3
_HANG_S = 1.5


class Fault(StrEnum):
    """What goes wrong."""

    NONE = "nothing"
    CANCEL = "the move is cancelled"
    CONTROLLER = "the controller is killed"
    STAND_BY = "the controller is killed, another one stands by"
    SWITCH = "the switch is killed"
    SOURCE = "the source is killed"
    DESTINATION = "the destination is killed"
    SOURCE_HANGS = "the source hangs"
    DESTINATION_HANGS = "the destination hangs"

    @property
    def forgets(self) -> bool:
        """Whether an instance's state is gone."""
        return self in (Fault.SOURCE, Fault.DESTINATION)


@dataclass(frozen=True, kw_only=True)
class Accident:
    """A fault, when it comes, and how long it lasts."""

    fault: Fault
    delay_s: float
    """After the move was asked for."""
    outage_s: float
    """Until what was killed is started again."""

    @classmethod
    def draw(cls, random: Random) -> Accident:
        """One at random."""
        return cls(
            fault=random.choice(list(Fault)),
            delay_s=random.uniform(0, _LONGEST_DELAY_S),
            outage_s=random.uniform(0, _LONGEST_OUTAGE_S),
        )

    async def prepare(self, bed: Bed) -> None:
        """What has to be there before the move. Raises BedError."""
        if self.fault is Fault.STAND_BY:
            await asyncio.to_thread(bed.start_stand_by)

    async def happen(self, bed: Bed, source: str, destination: str) -> None:
        """Happens, and is put right: returns when everything runs again. Raises BedError."""
        await asyncio.sleep(self.delay_s)
        match self.fault:
            case Fault.NONE:
                pass
            case Fault.CANCEL:
                await _cancel(bed.northbound)
            case Fault.CONTROLLER:
                await self._restart(bed, "controller")
            case Fault.STAND_BY:
                bed.kill("controller")
                await asyncio.to_thread(bed.await_stand_by)
            case Fault.SWITCH:
                await self._restart(bed, "switch")
            case Fault.SOURCE:
                await self._restart(bed, source)
            case Fault.DESTINATION:
                await self._restart(bed, destination)
            case Fault.SOURCE_HANGS:
                await _hang(bed, source)
            case Fault.DESTINATION_HANGS:
                await _hang(bed, destination)

    async def _restart(self, bed: Bed, name: str) -> None:
        bed.kill(name)
        await asyncio.sleep(self.outage_s)
        await asyncio.to_thread(bed.restart, name)


async def _hang(bed: Bed, name: str) -> None:
    pid = bed.pids()[name]
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(_HANG_S)
    finally:
        os.kill(pid, signal.SIGCONT)


async def _cancel(northbound: NorthboundClient) -> None:
    try:
        for move in await northbound.moves():
            if move["state"] in ("preparing", "moving"):
                await northbound.cancel(move["id"])
    except NorthboundError:
        pass  # it has just ended
