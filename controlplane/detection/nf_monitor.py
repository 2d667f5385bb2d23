"""The flow monitor where the paper has it: in the instances, which count what they process.

An instance counts a flow from its first packet on, however long it pauses, and lists all the
flows that it has state of, active or not. Making that list is work that it cannot do on
packets meanwhile; the switch's table costs it nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from controlplane.detection.flows import FlowTable, Loads, Rows
from controlplane.detection.monitor import Chosen, Snapshot
from nf.southbound.client import FlowListing, FlowSummary


class CountingInstance(Protocol):
    """What is used of `nf.southbound.client.InstanceClient`."""

    async def count_flows(self) -> FlowListing:
        """The flows it has state for, and what it took to tell. Raises SouthboundError."""
        ...


class NfMonitor:
    """Asks the instances behind one switch what flows they have."""

    def __init__(
        self,
        instances: Mapping[int, CountingInstance],
        window_us: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`instances` are by the number that the switch knows them by.

        A flow is active for `window_us` after its last packet; `clock` tells monotonic
        seconds.
        """
        self._instances = instances
        self._window_us = window_us
        self._clock = clock

    @property
    def window_us(self) -> int:
        """How long a flow is active after its last packet."""
        return self._window_us

    async def read(self, instance: int | None = None) -> Snapshot:
        """The active flows of an instance, or of all. Raises SouthboundError."""
        asked = [*self._instances] if instance is None else [instance]
        begin_s = self._clock()
        listings = await asyncio.gather(*(self._instances[each].count_flows() for each in asked))
        now_s = self._clock()
        active = [
            (number, flow)
            for number, listing in zip(asked, listings, strict=True)
            for flow in listing.flows
            if flow.idle_s * 1e6 <= self._window_us
        ]
        return Snapshot(
            flows=_table(active),
            now_us=int(now_s * 1e6),
            overflow=0,
            read_s=now_s - begin_s,
            nf_cpu_s=sum(listing.cpu_s for listing in listings),
        )

    async def choose(self, instance: int | None, select: Callable[[Loads], Rows]) -> Chosen:
        """Those of the active flows that `select` takes. Raises SouthboundError."""
        seen = await self.read(instance)
        flows = seen.flows
        return Chosen(flows.take(select(flows)), flows, seen.overflow, seen.nf_cpu_s)


def _table(flows: list[tuple[int, FlowSummary]]) -> FlowTable:
    rows = [
        (*flow.flow, instance, flow.bytes, round(flow.idle_s * 1e6), flow.ended)
        for instance, flow in flows
    ]
    low, high, low_port, high_port, protocol, at, size, idle_us, ended = (
        np.array(rows, np.int64).reshape(-1, 9).T
    )
    return FlowTable(
        low_address=low,
        high_address=high,
        low_port=low_port,
        high_port=high_port,
        protocol=protocol,
        instance=at,
        bytes=size,
        idle_us=idle_us,
        ended=ended.astype(np.bool_),
    )
