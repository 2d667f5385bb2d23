"""The small programs on the embedded switch, packets and all, without a network.

Run: pytest tests/unit/bmv2/test_programs_stf.py
"""

from __future__ import annotations

from pathlib import Path

import pytest
from finsy.proto import p4i
from google.protobuf import text_format

from bmv2.stf.player import play
from bmv2.stf.script import parse_script

PROGRAMS = Path(__file__).parents[2] / "programs"


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.stf")), ids=lambda path: path.stem)
def test_a_program_does_what_its_packets_say(path: Path) -> None:
    build = PROGRAMS / "build"
    p4info = text_format.Parse((build / f"{path.stem}.p4info.txtpb").read_text(), p4i.P4Info())
    program = (build / f"{path.stem}.json").read_bytes()
    assert play(program, p4info, parse_script(path.read_text())) == []
