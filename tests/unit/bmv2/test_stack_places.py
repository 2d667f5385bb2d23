"""Places of a header stack that are known at run time only, in a parser and in a key.

p4c writes them, `simple_switch_grpc` does not load them: the program is changed by hand here.
Run: pytest tests/unit/bmv2/test_stack_places.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from finsy.proto import p4i

from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.load import load_program
from bmv2.stf.player import play
from bmv2.stf.script import parse_script

BUILD = Path(__file__).parents[2] / "programs" / "build"
ADDRESSES = "000000000000 000000000000"
REPORT_NUMBER = "0b"


def place_of(stack: str, header: str, field: str) -> dict[str, Any]:
    return {
        "type": "expression",
        "value": {
            "op": "dereference_header_stack",
            "left": {"type": "header_stack", "value": stack},
            "right": {"type": "field", "value": [header, field]},
        },
    }


def stack_program() -> dict[str, Any]:
    """`stack`, whose parser reads an item into the place that the command names."""
    program = json.loads((BUILD / "stack.json").read_text())
    for state in program["parsers"][0]["parse_states"]:
        for operation in state["parser_ops"]:
            if operation["parameters"][0] == {"type": "stack", "value": "items"}:
                operation["parameters"][0] = {
                    "type": "regular",
                    "value": place_of("items", "command", "index"),
                }
    return program


@pytest.mark.parametrize(
    ("index", "report"),
    [(0, "55"), (1, "55"), (2, "55"), (3, "00"), (255, "00")],
)
def test_a_header_is_extracted_into_its_place(index: int, report: str) -> None:
    packet = f"{ADDRESSES} 0000 {REPORT_NUMBER} {index:02x} 01"
    script = f"packet 0 {packet} 00 5500 77\nexpect 1 {packet} {report} 5500 77 $"
    program = json.dumps(stack_program()).encode()
    assert play(program, p4i.P4Info(), parse_script(script)) == []


def test_a_key_is_read_from_its_place() -> None:
    program = stack_program()
    number = {"op": "access_field", "left": place_of("items", "command", "index"), "right": 0}
    tables = program["pipelines"][0]["tables"]
    table = next(each for each in tables if each["name"].startswith("tbl_stack"))
    target = {"type": "expression", "value": number}
    table["key"] = [{"match_type": "exact", "name": "n", "target": target, "mask": None}]
    # The first statement, which sets the port, becomes an entry: without a match it is left out.
    match_key = [{"match_type": "exact", "key": "0x55"}]
    action = table.pop("default_entry")
    table["entries"] = [{"match_key": match_key, "action_entry": action, "priority": 1}]
    data = json.dumps(program).encode()
    hit, miss = (f"{ADDRESSES} 0000 0e 01 01 00 {number} 00" for number in ("55", "56"))
    script = f"packet 0 {hit}\npacket 0 {miss}\nexpect 1 {hit[:-8]}\nexpect 0 {miss[:-8]}\n"
    assert play(data, p4i.P4Info(), parse_script(script)) == []


@pytest.mark.parametrize(("index", "report"), [(0, "ee"), (2, "ee"), (3, "00"), (255, "00")])
def test_what_is_written_beyond_the_end_is_not_read_there(index: int, report: str) -> None:
    program = json.loads((BUILD / "stack.json").read_text())
    actions = {
        each["primitives"][0]["source_info"]["source_fragment"].split(" = ")[0]: each["primitives"]
        for each in program["actions"]
        if each["primitives"]
    }
    # One packet writes to a place, and reads from it.
    actions["hdr.items[hdr.command.index].number"] += actions["hdr.command.report"]
    frame = f"{ADDRESSES} 0000 0c {index:02x} 01"
    script = (
        f"packet 0 {frame} 00 5500\nexpect 1 {frame} {report} {'ee' if index == 0 else '55'}00$"
    )
    assert play(json.dumps(program).encode(), p4i.P4Info(), parse_script(script)) == []


def test_a_header_of_no_type_is_refused() -> None:
    program = stack_program()
    program["headers"][0]["header_type"] = "nothing"
    with pytest.raises(UnsupportedProgram, match="no header type 'nothing'"):
        load_program(json.dumps(program).encode())
