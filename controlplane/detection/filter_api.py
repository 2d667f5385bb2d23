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

from controlplane.detection.choice import LEARNT, Choice, DetectionError, Settings
from controlplane.detection.fit import FlowTable
from controlplane.detection.monitor import FlowMonitor
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
    """Time to read the flow information table; where it is read twice, with the time between."""
    choose_s: float
    """Time to choose among the flows."""


@dataclass(frozen=True)
class Look:
    """The active flows, with how fast they send."""

    flows: FlowTable
    bytes_per_s: npt.NDArray[np.float64]
    """One a row; 0 where that was not asked for."""
    overflow: int
    """Packets that were not counted since the switch started, for want of a slot."""
    read_s: float
    """Time that it took."""


class ElephantDetector:
    """The elephant detection module (paper §3.1), with any of the rules."""

    def __init__(
        self,
        monitor: FlowMonitor,
        settings: Settings | None = None,
        *,
        recorder: FlowRecorder | None = None,
        move_s: Callable[[], float] | None = None,
    ) -> None:
        """`settings` hold where nothing else is asked for.

        `recorder` knows the learnt distribution; `move_s` tells how long moves take, in
        seconds.
        """
        self._monitor = monitor
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

        Without a `rule` it is the configured one. Raises SwitchError and DetectionError.
        """
        rule = rule or await self.rule()
        seen = await self.look(instance, rates_wanted=rule.needs_rates)
        flows = seen.flows
        begin_s = time.perf_counter()
        elephants = rule.select(flows, seen.bytes_per_s)
        live = flows.live()
        return Filter(
            flows=set_filter(elephants),
            elephants=elephants,
            choice=rule.choice,
            active_flows=len(flows),
            live_flows=len(live),
            live_bytes=int(live.bytes.sum()),
            overflow=seen.overflow,
            read_s=seen.read_s,
            choose_s=time.perf_counter() - begin_s,
        )

    async def look(self, instance: int | None, *, rates_wanted: bool) -> Look:
        """Looks at the flows at an instance, or at all of them; twice where rates are wanted.

        Raises SwitchError.
        """
        begin_s = time.perf_counter()
        earlier = None
        if rates_wanted:
            # Anything shorter would miss the packets of slow flows.
            earlier = await self._monitor.read()
            await asyncio.sleep(self._monitor.window_us / 1e6)
        snapshot = await self._monitor.read()
        read_s = time.perf_counter() - begin_s
        flows = snapshot.flows if instance is None else snapshot.flows.at(instance)
        speeds = np.zeros(len(flows))
        if earlier is not None:
            between_us = max(snapshot.now_us - earlier.now_us, 1)
            speeds = rates(earlier.flows, flows, between_us / 1e6)
        return Look(flows, speeds, snapshot.overflow, read_s)

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
