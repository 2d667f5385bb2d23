"""An instance of a network function: what happens to each frame that comes in."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import Generic

from nf.runtime.flow_table import FlowTable, FlowTableOptions
from nf.runtime.function import NetworkFunction, State
from nf.runtime.markers import MarkerLog
from nf.runtime.port import Port
from nf.runtime.set_aside import SetAside, SetAsideOptions
from nf.southbound.flow import FiveTuple
from nf.southbound.inband import is_detour, mark_bounce, parse_marker
from nf.southbound.packet import Packet

_log = logging.getLogger(__name__)

_BATCH = 32  # frames between two turns of the event loop: about half a millisecond
_EXPIRY_INTERVAL_S = 0.2
_EXPIRY_BATCH = 500
_FAULTS_LOGGED = 10


class WallClock:
    """The wall clock as it was at the start, going on without a step."""

    def __init__(self) -> None:
        self._offset_us = time.time_ns() // 1000 - time.monotonic_ns() // 1000

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return time.monotonic_ns() // 1000 + self._offset_us


class Instance(Generic[State]):
    """Runs a network function on the frames of one port.

    A frame of a flow that has state, or may have, is processed and sent back as it is.
    Otherwise it is bounced, and so are later ones of that flow. A marker is swallowed.
    Anything that is not well-formed IPv4 is sent back untouched. What is set aside is
    processed, or handed to the controller, later.
    """

    def __init__(
        self,
        name: str,
        function: NetworkFunction[State],
        port: Port,
        options: FlowTableOptions,
    ) -> None:
        self.name = name
        self.function = function
        self.port = port
        self.table = FlowTable(function, options)
        self.markers = MarkerLog()
        self.set_aside = SetAside(SetAsideOptions())
        self.clock = WallClock()
        self.packets = 0
        """Frames read, markers included."""
        self.bytes = 0
        self.returned = 0
        """Frames sent back, bounced ones included."""
        self.bounced = 0
        self.uninspected = 0
        """Frames sent back without a look at them: not IPv4, malformed, or no room."""
        self.faults = 0
        """Packets on which the function failed; they were sent back all the same."""
        self._packet = Packet()

    async def run(self) -> None:
        """Works until it is cancelled."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self.port.fileno(), self._read_frames)
        try:
            while True:
                now_us = self.clock.now_us()
                for flow in self.set_aside.forgotten(now_us):
                    _log.warning("%s was set aside and forgotten: its packets go on", flow)
                    self.admit(flow)
                more = self.table.expire(now_us, _EXPIRY_BATCH)
                await asyncio.sleep(0 if more else _EXPIRY_INTERVAL_S)
        finally:
            loop.remove_reader(self.port.fileno())

    def _read_frames(self) -> None:
        now_us = self.clock.now_us()
        transmit = self.port.transmit
        before = self.packets
        for frame in self.port.read(_BATCH):
            self.packets += 1
            self.bytes += len(frame)
            if self.handle(frame, now_us) and transmit(frame):
                self.returned += 1
        if self.packets == before:
            error = self.port.take_error()
            if error:
                _log.warning("%s: %s", self.port.interface, os.strerror(error))

    def handle(self, frame: memoryview, now_us: int) -> bool:
        """Processes a frame, in place; whether it is to be sent back."""
        packet = self._packet
        if not packet.read(frame):
            marker = parse_marker(frame)
            if marker is not None:
                self.markers.add(marker)
                return False
            self.uninspected += 1
            return True
        detour = is_detour(frame)
        if self.set_aside and packet.key in self.set_aside and not detour:
            # Without room for it, it goes on unprocessed.
            return not self.set_aside.add(packet.key, frame)
        state = self.table.state_for(packet, now_us, detour=detour)
        if state is None:
            flow = packet.flow
            if self.table.is_refused(flow, now_us, detour=detour):
                self.table.turned_away.add(flow, now_us)
                mark_bounce(frame)
                self.bounced += 1
            else:
                self.uninspected += 1
            return True
        self.table.count(packet, state, now_us)
        try:
            self.function.process(packet, state, now_us)
        except Exception:
            # A fault of the function must not cost the traffic a packet.
            self.faults += 1
            if self.faults <= _FAULTS_LOGGED:
                _log.exception("%s failed on a packet of %s", self.function.name, state.flow)
        return True

    def admit(self, flow: FiveTuple) -> int:
        """Processes what of a flow was set aside, in order; how many packets that were."""
        frames = self.set_aside.take(flow)
        now_us = self.clock.now_us()
        for frame in frames:
            buffer = memoryview(bytearray(frame))
            if self.handle(buffer, now_us) and self.port.transmit(buffer):
                self.returned += 1
        return len(frames)
