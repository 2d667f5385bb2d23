"""The filter API of the paper (§3.2), between the controller and the elephant detection.

The controller asks by `filter_channel`; `set_filter` makes the answer, the five-tuples of
the flows to be moved.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from controlplane.detection.fit import FlowTable
from controlplane.detection.monitor import FlowMonitor
from controlplane.detection.proportion import proportion
from nf.southbound.flow import FiveTuple


@dataclass(frozen=True)
class Filter:
    """What has been selected, and out of what."""

    flows: tuple[FiveTuple, ...]
    """The elephants, largest first."""
    elephants: FlowTable
    """The same, with all that is known about them."""
    rho: float
    active_flows: int
    """Flows seen within the activity window, ended ones included."""
    live_flows: int
    """Those that have not ended, among which was chosen."""
    live_bytes: int
    """Their bytes."""
    overflow: int
    """Packets that were not counted since the switch started, for want of a slot."""
    read_s: float
    """Time to read the flow information table."""
    choose_s: float
    """Time to choose among the flows."""


class ElephantDetector:
    """The elephant detection module (paper §3.1), with the proportion rule."""

    def __init__(self, monitor: FlowMonitor, rho: float) -> None:
        """`rho` holds where none is asked for."""
        self._monitor = monitor
        self._rho = rho

    async def filter_channel(self, instance: int | None, rho: float | None = None) -> Filter:
        """Asks for the elephants at an instance, or at all of them. Raises SwitchError."""
        rho = self._rho if rho is None else rho
        snapshot = await self._monitor.read()
        begin_s = time.perf_counter()
        flows = snapshot.flows if instance is None else snapshot.flows.at(instance)
        elephants = proportion(flows, rho)
        live = flows.live()
        return Filter(
            flows=set_filter(elephants),
            elephants=elephants,
            rho=rho,
            active_flows=len(flows),
            live_flows=len(live),
            live_bytes=int(live.bytes.sum()),
            overflow=snapshot.overflow,
            read_s=snapshot.read_s,
            choose_s=time.perf_counter() - begin_s,
        )


def set_filter(elephants: FlowTable) -> tuple[FiveTuple, ...]:
    """The five-tuples that the controller matches packets and state with."""
    return elephants.five_tuples()
