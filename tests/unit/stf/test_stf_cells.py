"""Registers and counters of a program are read, written and compared.

Run: pytest tests/unit/stf/test_stf_cells.py
"""

from __future__ import annotations

from pathlib import Path

import pytest
from finsy.proto import p4i
from google.protobuf import text_format

from bmv2.stf.errors import StfError
from bmv2.stf.player import play
from bmv2.stf.script import parse_script

BUILD = Path(__file__).parents[2] / "programs" / "build"
ZEROS = "000000000000 000000000000"
READ, WRITE = "00", "01"


def complaints(program: str, script: str) -> list[tuple[int | None, str]]:
    p4info = text_format.Parse((BUILD / f"{program}.p4info.txtpb").read_text(), p4i.P4Info())
    data = (BUILD / f"{program}.json").read_bytes()
    return [(each.line, each.text) for each in play(data, p4info, parse_script(script))]


def access(operation: str, index: int, value: int) -> str:
    return f"packet 0 {ZEROS} 0000 {operation} {index:08x} {value:016x}\nexpect 1\n"


def test_a_register_is_read_and_written() -> None:
    script = (
        "register_write narrow 2 0x345\n"
        + access(READ, 2, 0)
        + access(WRITE, 1, 0x12345)
        + "register_read narrow 1 == 0x345\n"
        + "register_read narrow 2 > 0x345\n"
        + "register_reset narrow\nregister_read narrow 1 != 0\nregister_read narrow 2\n"
    )
    found = complaints("registers", script)
    assert [text for _, text in found] == [
        "FencedIngress.process.narrow[2]: expected > 837, got 837",
        "FencedIngress.process.narrow[1]: expected != 0, got 0",
    ]
    assert [line for line, _ in found] == [7, 9]


def test_a_counter_is_compared_and_written() -> None:
    script = (
        2 * access(READ, 3, 0)
        + "check_counter seen(3)\ncheck_counter seen(3) packets == 2\n"
        + "check_counter seen(3) bytes == 54\ncheck_counter seen(3) packets < 2\n"
        + "counter_write seen 3 10 100\ncheck_counter seen(3) packets == 10\n"
        + "check_counter seen(3) bytes >= 100\ncounter_read seen 3\n"
    )
    assert complaints("registers", script) == [
        (8, "FencedIngress.process.seen(3): expected < 2 packets, got 2")
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("register_read nothing 0", "no register 'nothing'"),
        ("register_read narrow 8", "index 8 is not below its size 8"),
        ("register_write narrow 0 0x1000", "does not fit into 12 bits"),
        ("check_counter seen(6)", "index 6 is not below its size 6"),
        ("check_counter seen($one)", "no entry was added as one"),
        ("meter_set_rates nothing 0 1:1 1:1", "no meter 'nothing'"),
    ],
)
def test_what_is_not_there_is_an_error(line: str, complaint: str) -> None:
    with pytest.raises(StfError, match=complaint) as raised:
        complaints("registers", f"\n{line}")
    assert raised.value.line == 2


def test_a_direct_counter_is_that_of_its_entry() -> None:
    packet = f"packet 0 {ZEROS} 0000 01 0a000000 0001 00 00 0000\nexpect 1\n"
    script = (
        "add masks 5 key_.port:0x0001 answer(number:3) = low\n"
        "add masks 6 key_.port:0x00** answer(number:4) = high\n"
        + 3 * packet
        + "check_counter hits($high) packets == 3\ncheck_counter hits($low) packets == 1\n"
    )
    assert complaints("match", script) == [
        (10, "FencedIngress.process.hits(low): expected 1 packets, got 0")
    ]
