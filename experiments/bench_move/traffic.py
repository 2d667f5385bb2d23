"""Flows that do not end: a few elephants and many mice, each at a steady rate."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import numpy as np
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from nf.southbound.flow import FiveTuple
from testbed import plan
from testbed.namespace import NetworkNamespace

FLOWS_AN_ELEPHANT = 50
"""Of so many flows one is an elephant."""

MOUSE_PPS = 1.5
"""Packets a second of a mouse: some in every activity window."""

ACTIVITY_WINDOW_MS = 1000

_MOUSE_BYTES = 128
_ELEPHANT_BYTES = 1400
_LEAST_ELEPHANT_PPS = 500.0  # of all elephants together
_PERIOD_S = 2  # in which the packets of all flows come again
_TICK_S = 0.002
_FIRST_PORT = 10_000
_SINK_PORT = 9
_UDP = 17


class Mix:
    """How many elephants and mice there are, and what each sends."""

    def __init__(self, flows: int) -> None:
        """Nothing is sent yet."""
        elephants = max(1, flows // FLOWS_AN_ELEPHANT)
        mice = flows - elephants
        pps = max(_LEAST_ELEPHANT_PPS, mice * MOUSE_PPS) / elephants
        self.flows = [_five_tuple(number) for number in range(flows)]
        self.elephants = self.flows[:elephants]
        self.mice = self.flows[elephants:]
        self.counts = [round(pps * _PERIOD_S)] * elephants + [round(MOUSE_PPS * _PERIOD_S)] * mice
        """Packets of each flow in a period."""
        elephants_bytes = sum(self.counts[:elephants]) * _ELEPHANT_BYTES
        self.elephants_share = elephants_bytes / (
            elephants_bytes + sum(self.counts[elephants:]) * _MOUSE_BYTES
        )
        """Of the bytes that are sent."""


class Traffic:
    """Sends from the client to the server, from a thread, while it is entered."""

    def __init__(self, mix: Mix, client: NetworkNamespace, server: NetworkNamespace) -> None:
        """Nothing is sent yet. Raises OSError."""
        self._mix = mix
        self._frames = _frames(mix.elephants, _ELEPHANT_BYTES) + _frames(mix.mice, _MOUSE_BYTES)
        self._order = _interleaved(mix.counts)
        self.rate_pps = len(self._order) / _PERIOD_S
        self._sent = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        with client.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._socket.bind((plan.HOST_INTERFACE, 0))
        with server.entered():  # else the server would answer that nobody is there
            self._sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sink.bind((str(plan.SERVER.address.ip), _SINK_PORT))

    def __enter__(self) -> Self:
        """Begins to send, or goes on."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._send, name="traffic", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Sends no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Lets go of the sockets."""
        self._socket.close()
        self._sink.close()

    def sent(self) -> Mapping[FiveTuple, int]:
        """The packets of each flow so far."""
        flows = self._mix.flows
        periods, rest = divmod(self._sent, len(self._order))
        counts = periods * np.bincount(self._order, minlength=len(flows))
        counts += np.bincount(self._order[:rest], minlength=len(flows))
        return dict(zip(flows, map(int, counts), strict=True))

    def _send(self) -> None:
        order, frames, send = self._order.tolist(), self._frames, self._socket.send
        begin_s, before = time.monotonic(), self._sent
        while not self._stop.wait(_TICK_S):
            due = before + int((time.monotonic() - begin_s) * self.rate_pps)
            while self._sent < due:
                send(frames[order[self._sent % len(order)]])
                self._sent += 1


def _five_tuple(number: int) -> FiveTuple:
    client, server = int(plan.CLIENT.address.ip), int(plan.SERVER.address.ip)
    return FiveTuple(client, server, _FIRST_PORT + number, _SINK_PORT, _UDP)


def _interleaved(counts: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Numbers of flows in an order in which each comes as often as it says, evenly."""
    flows = np.repeat(np.arange(len(counts)), counts)
    offsets = np.random.default_rng(1).random(len(counts))
    places = np.concatenate(
        [(np.arange(count) + offset) / count for count, offset in zip(counts, offsets, strict=True)]
    )
    return flows[np.argsort(places, kind="stable")]


def _frames(flows: Sequence[FiveTuple], size: int) -> list[bytes]:
    """Ethernet frames of so many bytes that differ in the client's port only."""
    headers = Ether(src=plan.CLIENT.mac, dst=plan.GATEWAY_MAC) / IP(
        src=str(plan.CLIENT.address.ip), dst=str(plan.SERVER.address.ip)
    )
    empty = headers / UDP(sport=0, dport=_SINK_PORT, chksum=0)
    frame = bytes(empty / Raw(bytes(size - len(empty))))
    at = len(headers)
    return [frame[:at] + flow.low_port.to_bytes(2) + frame[at + 2 :] for flow in flows]
