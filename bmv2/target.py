"""What a switch target is: one interface for the real switch and the embedded one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class SwitchOptions:
    """How a switch is started."""

    program: Path
    """BMv2 JSON as p4c writes it."""

    p4info: Path
    """P4Info of the program, as protobuf text."""

    ports: Mapping[int, str]
    """Port number to network interface."""

    cpu_port: int
    """The port of packet_in and packet_out."""

    grpc_address: str
    """Where the P4Runtime server listens: `host:port` or `unix:/path`."""

    log_file: Path
    """Where the switch writes its log."""

    device_id: int = 1
    """P4Runtime device id."""

    thrift_port: int = 9090
    """Loopback port of the Thrift server, on targets that have one."""

    start_timeout_s: float = 30.0
    """How long to wait until the P4Runtime server answers."""

    extra_args: tuple[str, ...] = field(default=())
    """Further arguments for the switch's own command line."""


class TargetError(Exception):
    """A switch cannot be started, or has stopped by itself.

    The message is one line: what, where, what to do.
    """


class Target(Protocol):
    """A switch that can be started and stopped."""

    name: str
    """`embedded` or `simple_switch`."""

    @property
    def thrift_address(self) -> str | None:
        """`host:port` of the Thrift server; none where the target has none."""
        ...

    @property
    def pid(self) -> int:
        """The process of the running switch."""
        ...

    def start(self) -> None:
        """Starts the switch; returns when its P4Runtime server answers.

        Raises TargetError.
        """
        ...

    def stop(self) -> None:
        """Stops the switch and waits for its end. Stopping twice is no error."""
        ...
