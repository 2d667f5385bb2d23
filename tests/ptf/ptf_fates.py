"""What becomes of a frame: it leaves, it comes to the controller, or it is dropped.

Nothing here is waited for by the clock. Behind the frames go fences, which a switch that
keeps order lets through only when it is done with the frames.
"""

from __future__ import annotations

import time
from ipaddress import IPv4Address
from itertools import count
from typing import NamedTuple

from ptf_controller import Controller
from ptf_frames import GATEWAY_MAC, padded
from ptf_network import PORTS, PtfNetwork
from scapy.layers.l2 import ARP, Ether

from controlplane import p4_constants as p4
from controlplane.switch.packets import PacketIn, PacketOut

FENCE_ADDRESS = IPv4Address("192.0.2.1")
"""A gateway, with GATEWAY_MAC, that only fences ask for."""

_FENCE_MAC = "02:00:00:00:fe:ce"
_FENCE_ETHERTYPE = b"\x88\xb6"
_FENCE_MIGRATION = 0xFE0C0000
_WAIT_S = 10.0
_RESEND_S = 0.1


class Out(NamedTuple):
    """A frame that left by a port."""

    port: int
    frame: bytes

    def __repr__(self) -> str:
        return f"Out(port {self.port}: {Ether(self.frame).summary()} = {self.frame.hex(' ', -2)})"


class Dropped(NamedTuple):
    """A frame that was dropped, and counted."""

    reason: int
    """`DROP_*` of the P4 constants."""


Fate = Out | PacketIn | Dropped


class Fences:
    """Tells when a switch is done, and what has come out of it."""

    def __init__(self, network: PtfNetwork, controller: Controller) -> None:
        self._network = network
        self._controller = controller
        self._numbers = count(1)
        self._out: dict[int, list[bytes]] = {port: [] for port in PORTS}

    def wait_until_ready(self) -> None:
        """Waits for a switch that is just opening its ports."""
        deadline = time.monotonic() + _WAIT_S
        for port in PORTS:
            ask, answer = self._question()
            while self._network.receive(port, _RESEND_S) != answer:
                assert time.monotonic() < deadline, f"nothing comes back from port {port}"
                self._network.send(port, ask)
        self.collect()

    def settle(self, port: int) -> None:
        """Waits until all frames that were sent into a port have come out.

        A port of the tester has room for some hundreds.
        """
        ask, answer = self._question()
        self._network.send(port, ask)
        self._receive(port, answer)
        self._fence_ports(self._fence(next(self._numbers)), [])

    def collect(self) -> list[Out | PacketIn]:
        """All that has come out, port by port, then at the controller."""
        number = next(self._numbers)
        fence = self._fence(number)
        barrier = PacketOut(p4.PACKET_OUT_BARRIER, fence, migration=_FENCE_MIGRATION + number)
        self._fence_ports(fence, [barrier])
        packets = self._controller.packet_ins_until(barrier.migration)
        out = [Out(port, frame) for port in PORTS for frame in self._out[port]]
        for frames in self._out.values():
            frames.clear()
        return [*out, *packets]

    def _fence_ports(self, fence: bytes, then: list[PacketOut]) -> None:
        """Takes what comes out by each port before the fence does."""
        to_ports = [PacketOut(p4.PACKET_OUT_PORT, fence, egress_port=port) for port in PORTS]
        self._controller.send([*to_ports, *then])
        for port in PORTS:
            self._receive(port, fence)

    @staticmethod
    def _fence(number: int) -> bytes:
        return padded(bytes(12) + _FENCE_ETHERTYPE + number.to_bytes(4, "big"))

    def _question(self) -> tuple[bytes, bytes]:
        sender = str(IPv4Address("198.18.0.0") + next(self._numbers))
        fence = str(FENCE_ADDRESS)
        ask = ARP(op="who-has", hwsrc=_FENCE_MAC, psrc=sender, pdst=fence)
        answer = ARP(op="is-at", hwsrc=GATEWAY_MAC, psrc=fence, hwdst=_FENCE_MAC, pdst=sender)
        return (
            bytes(Ether(src=_FENCE_MAC, dst="ff:ff:ff:ff:ff:ff") / ask),
            bytes(Ether(src=GATEWAY_MAC, dst=_FENCE_MAC) / answer),
        )

    def _receive(self, port: int, fence: bytes) -> None:
        while (frame := self._network.receive(port, _WAIT_S)) != fence:
            assert frame is not None, f"port {port}: a fence has been lost"
            if Ether(frame).dst != _FENCE_MAC:  # one of those that were sent again
                self._out[port].append(frame)
