"""A target that runs one of the small programs: frames in, frames out, state."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TypeAlias

from diff_client import DEVICE, P4RuntimeClient
from finsy.proto import p4i
from google.protobuf import text_format
from ptf_network import PtfNetwork
from ptf_start import enter_network

from bmv2 import targets
from bmv2.target import SwitchOptions
from testbed.namespace import NetworkNamespace

PROGRAMS = Path(__file__).parents[1] / "programs"
BUILD = PROGRAMS / "build"
PORTS = {number: f"port{number}" for number in range(4)}
CPU_PORT = 500

Frames: TypeAlias = dict[int, list[bytes]]
"""Port to frames, in order."""

# What include/end.p4 says of fences.
_FENCE_BYTES = 1400
_FENCE_MARK = b"a fence of the tests"

_WAIT_S = 10.0
_RESEND_S = 0.1
_ROUNDS = 4  # a frame that goes through the ingress so often is found
_FRAMES_AT_ONCE = 32


class ProgramSwitch:
    """A running switch. `stack` stops it."""

    def __init__(self, stack: ExitStack, target: str, program: str, directory: Path) -> None:
        """Starts it with wires of its own, and waits until frames come through."""
        self.target = target
        self.p4info = read_p4info(program)
        self._network = PtfNetwork(PORTS)
        enter_network(stack, target, self._network)
        address = f"unix:{directory}/{target}.sock"
        switch = targets.create(
            target,
            SwitchOptions(
                program=BUILD / f"{program}.json",
                p4info=BUILD / f"{program}.p4info.txtpb",
                ports=PORTS,
                cpu_port=CPU_PORT,
                device_id=DEVICE,
                grpc_address=address,
                log_file=directory / f"{target}.log",
            ),
        )
        stack.callback(switch.stop)
        with self.switch_side.entered():
            switch.start()
        self.thrift_address = switch.thrift_address
        self.client = P4RuntimeClient(address)
        stack.callback(self.client.close)
        self._numbers = count(1)
        self._out: Frames = {port: [] for port in PORTS}
        self._wait_until_ready()

    @property
    def switch_side(self) -> NetworkNamespace:
        """The namespace that the switch is in."""
        return self._network.switch_side

    def process(self, port: int, *frames: bytes) -> Frames:
        """Sends frames into a port; what comes out, by port. Ports without any are left out."""
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            for frame in frames[start : start + _FRAMES_AT_ONCE]:
                self._network.send(port, frame)
            for _ in range(_ROUNDS):
                self._settle(port)
        out = {number: frames for number, frames in self._out.items() if frames}
        self._out = {number: [] for number in PORTS}
        return out

    def _settle(self, port: int) -> None:
        fences = {to: _fence(to, next(self._numbers)) for to in PORTS}
        for fence in fences.values():
            self._network.send(port, fence)
        for to, fence in fences.items():
            while not _is_same(frame := self._network.receive(to, _WAIT_S), fence):
                assert frame is not None, f"{self.target}: a fence to port {to} has been lost"
                if _FENCE_MARK not in frame:  # not one of those that were sent again
                    self._out[to].append(frame)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _WAIT_S
        for port in PORTS:
            fence = _fence(port, next(self._numbers))
            while True:
                self._network.send(port, fence)
                if _is_same(self._network.receive(port, _RESEND_S), fence):
                    break
                assert time.monotonic() < deadline, f"{self.target}: nothing leaves port {port}"


Start: TypeAlias = Callable[[str, str], ProgramSwitch]
"""Starts a target with a program."""


def read_p4info(program: str) -> p4i.P4Info:
    """The P4Info of one of the programs."""
    return text_format.Parse((BUILD / f"{program}.p4info.txtpb").read_text(), p4i.P4Info())


def _fence(port: int, number: int) -> bytes:
    mark = _FENCE_MARK + number.to_bytes(8)
    return bytes(_FENCE_BYTES + port - len(mark)) + mark


def _is_same(frame: bytes | None, fence: bytes) -> bool:
    """Whether a fence has come: a program may have written to its first headers."""
    end = len(_FENCE_MARK) + 8
    return frame is not None and frame[-end:] == fence[-end:]
