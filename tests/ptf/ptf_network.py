"""The wires between a switch and PTF's data plane: veths, in namespaces of their own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from ptf.dataplane import DataPlane

from testbed import plan
from testbed.link import LinkEnd, bring_up_loopback, connect, silence
from testbed.namespace import NetworkNamespace

CLIENT, SERVER = plan.CLIENT.port, plan.SERVER.port
NF1, NF2 = plan.NF1.port, plan.NF2.port
PORTS = (CLIENT, SERVER, NF1, NF2)

_QUEUE_FRAMES = 10_000
_DEVICE = 0


class PtfNetwork:
    """A context manager: leaving it takes the wires away."""

    def __init__(self, ports: Mapping[int, str] = plan.PORTS) -> None:
        """Nothing is made yet. `ports` is port number to interface."""
        self._ports = ports
        self._stack = ExitStack()
        self._dataplane: Any = None

    def __enter__(self) -> Self:
        """Makes the wires. Raises PermissionError where namespaces are not allowed."""
        try:
            self._make()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _make(self) -> None:
        self.switch_side = NetworkNamespace("switch")
        self._stack.callback(self.switch_side.close)
        tester_side = NetworkNamespace("tester")
        self._stack.callback(tester_side.close)
        for namespace in (self.switch_side, tester_side):
            silence(namespace)
        bring_up_loopback(self.switch_side)
        for interface in self._ports.values():
            connect(
                LinkEnd(namespace=self.switch_side, interface=interface),
                LinkEnd(namespace=tester_side, interface=interface),
            )
        with tester_side.entered():
            self._dataplane = DataPlane({"platform": "eth", "qlen": _QUEUE_FRAMES})
            self._stack.callback(self._dataplane.kill)
            for number, interface in self._ports.items():
                self._dataplane.port_add(interface, _DEVICE, number)

    def send(self, port: int, frame: bytes) -> None:
        """Sends a frame into a port of the switch."""
        sent: int = self._dataplane.send(_DEVICE, port, frame)
        assert sent == len(frame)

    def receive(self, port: int, timeout_s: float) -> bytes | None:
        """The next frame that came out of a port of the switch; none when none comes in time."""
        found: Any = self._dataplane.poll(_DEVICE, port, timeout_s)
        return found.packet if isinstance(found, DataPlane.PollSuccess) else None
