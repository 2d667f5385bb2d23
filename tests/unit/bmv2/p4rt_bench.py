"""A P4Runtime desk before a real data plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from p4rt_client import small_program
from p4rt_desk import Desk

from bmv2.embedded.dataplane import Dataplane

CPU_PORT = 510


class Bench(Desk):
    """A program on a data plane whose packets are processed at once."""

    def __init__(self, name: str) -> None:
        config = small_program(name).p4_device_config
        self.dataplane = Dataplane.load(
            config, ports={0: None, 1: None, 2: None}, cpu_port=CPU_PORT
        )
        super().__init__(name, self.dataplane)

    def process(self, source: int, rest: bytes, kind: int = 0) -> tuple[int, bytes] | None:
        """Where a frame comes out, and what follows its Ethernet header; None if it does not."""
        header = bytes(6) + source.to_bytes(6, "big") + kind.to_bytes(2, "big")
        self.dataplane.send(0, header + rest)
        self.dataplane.process()
        came = self.dataplane.receive()
        assert len(came) <= 1
        return (came[0][0], came[0][1][14:]) if came else None


Start: TypeAlias = Callable[[str], Bench]
"""Starts a small program by its name."""
