"""Registers as the controller reads them: pytest tests/unit/embedded/test_embedded_registers.py"""

from __future__ import annotations

import json
from typing import Any

from finsy.proto import p4r
from small_program import BUILD, CPU_PORT

from bmv2.embedded.dataplane import Dataplane

WIDTHS = (1, 8, 63, 64, 65, 127, 128, 129, 256, 1000, 2048)


def test_cells_of_every_width_are_read_whole() -> None:
    program: dict[str, Any] = json.loads((BUILD / "wide.json").read_text())
    program["register_arrays"] = [
        {"name": f"r{width}", "id": width, "size": 3, "bitwidth": width} for width in WIDTHS
    ]
    plane = Dataplane.load(json.dumps(program).encode(), ports={}, cpu_port=CPU_PORT)
    for width in WIDTHS:
        values = [0, (1 << width) - 1, 1 << width - 1]
        for index, value in enumerate(values):
            plane.register_write(f"r{width}", index, value)
        message = p4r.ReadResponse.FromString(plane.register_messages(f"r{width}", 7, 0, 3))
        read = [each.register_entry for each in message.entities]
        assert [(each.register_id, each.index.index) for each in read] == [(7, 0), (7, 1), (7, 2)]
        assert [each.data.bitstring for each in read] == [
            value.to_bytes(max(1, (value.bit_length() + 7) // 8)) for value in values
        ]
    plane.stop()
