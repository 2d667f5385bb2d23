"""Packets as large as can be, and larger.

Run: pytest tests/unit/embedded/test_embedded_large_packets.py
"""

from __future__ import annotations

import errno
import json
import struct
from typing import Any

import pytest
from small_program import BUILD, CPU_PORT, Load, ethernet

from bmv2.embedded.codegen.storage import MAX_PACKET_BYTES
from bmv2.embedded.dataplane import Dataplane

FENCE = 1400
SUMMED = struct.Struct(">BBH2H2HI")


def checksummed(size: int) -> bytes:
    """A frame whose payload is summed up on its way in and out, and which leaves by port 1."""
    summed = SUMMED.pack(2, 2, 1, 2, 3, 0, 0, 0)
    head = ethernet(0, 0, 1, summed)
    size -= (size - FENCE - 1) % 512
    return head + bytes(size - len(head))


def growing() -> bytes:
    """A program whose packets go round for ever, each time with another Ethernet header."""
    program: dict[str, Any] = json.loads((BUILD / "endless.json").read_text())
    program["deparsers"][0]["order"] = ["ethernet", "ethernet"]
    for action in program["actions"]:
        for primitive in action["primitives"]:
            if primitive["op"].startswith("clone"):
                again = {"type": "hexstr", "value": "0x1"}
                primitive.update(op="recirculate", parameters=[again])
    egress = next(each for each in program["pipelines"] if each["name"] == "egress")
    for condition in egress["conditionals"]:
        condition["false_next"] = condition["true_next"]
    return json.dumps(program).encode()


def test_the_largest_packet_goes_through_a_checksum_of_its_payload(load: Load) -> None:
    frame = checksummed(MAX_PACKET_BYTES)
    ((port, received),) = load("checksum").run(frame)
    assert (port, len(received)) == (1, len(frame))


def test_a_larger_packet_is_refused(load: Load) -> None:
    plane = load("checksum").dataplane
    with pytest.raises(OSError, match=f"at most {MAX_PACKET_BYTES}") as caught:
        plane.send(0, bytes(MAX_PACKET_BYTES + 1))
    assert caught.value.errno == errno.EMSGSIZE


def test_a_packet_that_grows_each_time_it_goes_round_is_dropped() -> None:
    plane = Dataplane.load(growing(), ports={0: None, 1: None}, cpu_port=CPU_PORT)
    plane.send(0, ethernet(1, 2, 3))
    plane.process()
    assert plane.fate_counts().too_large == 1
    assert plane.receive() == []
    plane.stop()
