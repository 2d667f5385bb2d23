"""A program of tests/programs on a data plane with virtual ports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from bmv2.embedded.dataplane import Dataplane
from bmv2.embedded.observation import Observation

BUILD = Path(__file__).parents[2] / "programs" / "build"
CPU_PORT = 510
P = "FencedIngress.process."
"""What the names of tables, actions and externs of an ingress begin with."""

Load: TypeAlias = "Callable[[str], SmallProgram]"


def ethernet(dst: int, src: int, kind: int, *payload: bytes) -> bytes:
    """A frame."""
    head = dst.to_bytes(6, "big") + src.to_bytes(6, "big") + kind.to_bytes(2, "big")
    return head + b"".join(payload)


class SmallProgram:
    """Frames in, frames out, in the caller's thread."""

    def __init__(self, name: str, observation: Observation | None = None) -> None:
        """Compiles a program by its name. Nothing runs yet."""
        ports = dict.fromkeys(range(4))
        program = (BUILD / f"{name}.json").read_bytes()
        self.dataplane = Dataplane.load(
            program, ports=ports, cpu_port=CPU_PORT, observation=observation
        )

    def run(self, *frames: bytes, port: int = 0) -> list[tuple[int, bytes]]:
        """What leaves, and by which port, when frames come in by one port."""
        for frame in frames:
            self.dataplane.send(port, frame)
        self.dataplane.process()
        return self.dataplane.receive()
