"""Tells action profiles which ports are down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bmv2.embedded.p4runtime.pipeline import Pipeline

_SCAN_S = 0.05


class PortPump:
    """Asks at intervals, while any member of a group watches a port."""

    def __init__(self, pipeline: Callable[[], Pipeline | None]) -> None:
        """`pipeline` is the one that has the packets."""
        self._pipeline = pipeline

    async def run(self) -> None:
        """Tells of the ports until cancelled."""
        while True:
            await asyncio.sleep(_SCAN_S)
            pipeline = self._pipeline()
            if pipeline is not None:
                pipeline.follow_ports()
