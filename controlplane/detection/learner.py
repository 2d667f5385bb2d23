"""Looks at the flow information table now and then, to learn from the flows that have ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from controlplane.detection.monitor import FlowMonitor
from controlplane.detection.recorder import FlowRecorder
from controlplane.switch.errors import SwitchError

logger = logging.getLogger(__name__)


class Learner:
    """Feeds a recorder."""

    def __init__(
        self,
        monitor: FlowMonitor,
        recorder: FlowRecorder,
        interval_s: float | None,
        is_busy: Callable[[], bool],
    ) -> None:
        """Without an interval it never looks by itself.

        `is_busy` tells when the switch and the event loop are needed for better things.
        """
        self._monitor = monitor
        self._recorder = recorder
        self._interval_s = interval_s
        self._is_busy = is_busy

    async def run(self) -> None:
        """Looks every interval, until cancelled; ends at once if there is none."""
        failing = False
        while self._interval_s is not None:
            await asyncio.sleep(self._interval_s)
            if self._is_busy():
                continue
            try:
                await self.look()
            except SwitchError as error:
                if not failing:
                    logger.warning("flow sizes cannot be learnt: %s", error)
                failing = True
            else:
                failing = False

    async def look(self) -> None:
        """Looks now. Raises SwitchError."""
        snapshot = await self._monitor.read_all()
        self._recorder.observe(snapshot.flows, snapshot.now_us)
