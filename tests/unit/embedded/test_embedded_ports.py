"""Ports that v1model has no numbers for: pytest tests/unit/embedded/test_embedded_ports.py"""

from __future__ import annotations

from small_program import BUILD, CPU_PORT, ethernet

from bmv2.embedded.dataplane import Dataplane


def test_a_port_has_nine_bits_in_the_program() -> None:
    program = (BUILD / "multicast.json").read_bytes()
    plane = Dataplane.load(program, ports={0: None, 600: None}, cpu_port=CPU_PORT)
    plane.multicast_group_set(1, [(600, 7)])
    plane.send(0, ethernet(0, 0, 1, bytes(64)))
    plane.process()
    ((port, frame),) = plane.receive()
    assert (port, frame[14:18]) == (600, bytes.fromhex("0007 0058"))
    plane.stop()
