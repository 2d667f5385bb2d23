"""The filter API of the paper (§3.2), between the controller and the elephant detection.

The controller asks by `filter_channel`; `set_filter` makes the answer, the five-tuples of
the flows to be moved.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from controlplane.detection.choice import LEARNT, Choice, DetectionError, Edm, Settings
from controlplane.detection.flows import FlowTable, Loads, Rows
from controlplane.detection.monitor import Chosen, FlowMonitor, FlowSource
from controlplane.detection.rates import rates
from controlplane.detection.recorder import FlowRecorder
from controlplane.detection.registry import Rule, make_rule
from controlplane.sizes.distribution import SizeDistribution, SizesError
from controlplane.sizes.files import find_distribution
from nf.southbound.flow import FiveTuple


@dataclass(frozen=True)
class Filter:
    """What has been selected, and out of what."""

    flows: tuple[FiveTuple, ...]
    """The elephants, largest first."""
    elephants: FlowTable
    """The same, with all that is known about them."""
    choice: Choice
    """The detector, and its parameters."""
    active_flows: int
    """Flows seen within the activity window, ended ones included."""
    live_flows: int
    """Those that have not ended, among which was chosen."""
    live_bytes: int
    """Their bytes."""
    overflow: int
    """Packets that were not counted since the switch started, for want of a slot."""
    read_s: float
    """Time to read who has what; where that is done twice, with the time between."""
    nf_cpu_s: float | None
    """Time of the instances' processors that it took; none where they were not asked."""
    choose_s: float
    """Time to choose among the flows."""


@dataclass(frozen=True)
class Look:
    """The active flows, with how fast they send."""

    flows: FlowTable
    bytes_per_s: npt.NDArray[np.float64]
    """One a row."""
    overflow: int
    """Packets that were not counted since the switch started, for want of a slot."""
    nf_cpu_s: float | None
    """Time of the instances' processors that it took; none where they were not asked."""


class ElephantDetector:
    """The elephant detection module (paper §3.1), with any of the rules."""

    def __init__(
        self,
        monitor: FlowMonitor,
        settings: Settings | None = None,
        *,
        counting_nfs: FlowSource | None = None,
        recorder: FlowRecorder | None = None,
        move_s: Callable[[], float] | None = None,
    ) -> None:
        """`settings` hold where nothing else is asked for.

        `monitor` is the switch's and `counting_nfs` the instances', where those can be asked;
        `recorder` knows the learnt distribution; `move_s` tells how long moves take, in
        seconds.
        """
        self._sources: dict[Edm, FlowSource] = {Edm.SWITCH: monitor}
        if counting_nfs is not None:
            self._sources[Edm.NF] = counting_nfs
        self._settings = settings or Settings()
        self._recorder = recorder or FlowRecorder(monitor.window_us)
        self._move_s = move_s or (lambda: self._settings.move_ms / 1e3)

    async def rule(self, choice: Choice | None = None) -> Rule:
        """The rule that is asked for, with all its parameters. Raises DetectionError.

        A distribution in a file is read now, without keeping the event loop.
        """
        choice, settings, move_s = choice or Choice(), self._settings, self._move_s()
        try:
            return await asyncio.to_thread(make_rule, choice, settings, self._find_sizes, move_s)
        except SizesError as error:
            raise DetectionError(str(error)) from None

    async def filter_channel(self, instance: int | None, rule: Rule | None = None) -> Filter:
        """Asks for the elephants at an instance, or at all of them.

        Without a `rule` it is the configured one. Raises SwitchError, SouthboundError and
        DetectionError.
        """
        rule = rule or await self.rule()
        choosing_s = 0.0

        def select(flows: Loads, bytes_per_s: npt.NDArray[np.float64] | None = None) -> Rows:
            nonlocal choosing_s
            begin_s = time.perf_counter()
            rows = rule.select(flows, np.zeros(len(flows)) if bytes_per_s is None else bytes_per_s)
            choosing_s += time.perf_counter() - begin_s
            return rows

        begin_s = time.perf_counter()
        if rule.needs_rates:
            seen = await self.look(instance, edm=rule.choice.edm)
            elephants = seen.flows.take(select(seen.flows, seen.bytes_per_s))
            chosen = Chosen(elephants, seen.flows, seen.overflow, seen.nf_cpu_s)
        else:
            chosen = await self._source(rule.choice.edm).choose(instance, select)
        read_s = time.perf_counter() - begin_s - choosing_s
        elephants = chosen.flows.take(chosen.flows.largest_first())
        live = ~chosen.among.ended
        return Filter(
            flows=set_filter(elephants),
            elephants=elephants,
            choice=rule.choice,
            active_flows=len(chosen.among),
            live_flows=int(live.sum()),
            live_bytes=int(chosen.among.bytes[live].sum()),
            overflow=chosen.overflow,
            read_s=read_s,
            nf_cpu_s=chosen.nf_cpu_s,
            choose_s=choosing_s,
        )

    def _source(self, edm: Edm | None) -> FlowSource:
        """Who counts the bytes. Raises DetectionError."""
        edm = edm or self._settings.edm
        if edm not in self._sources:
            raise DetectionError("there are no instances that could be asked for their flows")
        return self._sources[edm]

    async def look(self, instance: int | None, *, edm: Edm | None = None) -> Look:
        """Looks at the flows at an instance, or at all of them, twice: for how fast they send.

        Raises SwitchError, SouthboundError and DetectionError.
        """
        source = self._source(edm)
        earlier = await source.read(instance)
        # Anything shorter would miss the packets of slow flows.
        await asyncio.sleep(source.window_us / 1e6)
        snapshot = await source.read(instance)
        between_us = max(snapshot.now_us - earlier.now_us, 1)
        speeds = rates(earlier.flows, snapshot.flows, between_us / 1e6)
        nf_cpu_s = snapshot.nf_cpu_s
        if nf_cpu_s is not None:
            nf_cpu_s += earlier.nf_cpu_s or 0.0
        return Look(snapshot.flows, speeds, snapshot.overflow, nf_cpu_s)

    async def sizes(self, name: str | None = None) -> SizeDistribution:
        """The distribution of that name, or the configured one. Raises DetectionError."""
        try:
            return await asyncio.to_thread(self._find_sizes, name or self._settings.distribution)
        except SizesError as error:
            raise DetectionError(str(error)) from None

    def _find_sizes(self, name: str) -> SizeDistribution:
        return self._recorder.distribution() if name == LEARNT else find_distribution(name)


def set_filter(elephants: FlowTable) -> tuple[FiveTuple, ...]:
    """The five-tuples that the controller matches packets and state with."""
    return elephants.five_tuples()
