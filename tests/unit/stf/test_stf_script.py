"""STF files as commands.

Run: pytest tests/unit/stf/test_stf_script.py
"""

from __future__ import annotations

import pytest

from bmv2.stf.commands import (
    Add,
    AddGroupMirroring,
    AddMirroring,
    AssociateNode,
    Call,
    CheckCounter,
    Command,
    Condition,
    CreateGroup,
    CreateNode,
    DeleteMirroring,
    Expect,
    Packet,
    Rate,
    ReadRegister,
    RemoveAll,
    SetDefault,
    SetMeter,
    WriteCounter,
    WriteRegister,
)
from bmv2.stf.errors import StfError
from bmv2.stf.script import parse_script


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("packet 3 00 aB # a comment", Packet(1, 3, b"\x00\xab")),
        ("expect 2 0*0a $", Expect(1, 2, "0*0A", is_whole=True)),
        ("expect 2 0*0a", Expect(1, 2, "0*0A", is_whole=False)),
        ("expect 2", Expect(1, 2, "", is_whole=False)),
        (
            "add t h.a:0x0* h.b[0].c:7 go(port:2, to:0xff)",
            Add(
                1,
                "t",
                0,
                (("h.a", "0x0*"), ("h.b[0].c", "7")),
                Call("go", (("port", "2"), ("to", "0xff"))),
            ),
        ),
        ("add t 10 a:1 c.go()", Add(1, "t", 10, (("a", "1"),), Call("c.go", ()))),
        ("ADD t a:1 go() = one", Add(1, "t", 0, (("a", "1"),), Call("go", ()), "one")),
        ("add t go( x:1 , y:2 )", Add(1, "t", 0, (), Call("go", (("x", "1"), ("y", "2"))))),
        ("remove all", RemoveAll(1)),
        ("setdefault t go(x:1)", SetDefault(1, "t", Call("go", (("x", "1"),)))),
        ("mirroring_add 5 4", AddMirroring(1, 5, 4)),
        ("mirroring_add_mc 5 7", AddGroupMirroring(1, 5, 7)),
        ("mirroring_delete 5", DeleteMirroring(1, 5)),
        ("mc_mgrp_create 7", CreateGroup(1, 7)),
        ("mc_node_create 400 6 8", CreateNode(1, 400, (6, 8))),
        ("mc_node_associate 7 0", AssociateNode(1, 7, 0)),
        ("register_write r 3 0x10", WriteRegister(1, "r", 3, 16)),
        ("register_reset r", WriteRegister(1, "r", None, 0)),
        ("register_read r 3", ReadRegister(1, "r", 3, None)),
        ("register_read r 3 == 0x10", ReadRegister(1, "r", 3, Condition("==", 16))),
        ("check_counter c(2)", CheckCounter(1, "c", 2, "packets", None)),
        ("check_counter c(2) bytes == 14", CheckCounter(1, "c", 2, "bytes", Condition("==", 14))),
        (
            "check_counter c($one) packets >= 3",
            CheckCounter(1, "c", "one", "packets", Condition(">=", 3)),
        ),
        ("counter_read c 2", CheckCounter(1, "c", 2, "packets", None)),
        ("counter_write c 2 3 60", WriteCounter(1, "c", 2, 3, 60)),
        (
            "meter_set_rates m 1 0.5:10 2:20",
            SetMeter(1, "m", 1, Rate(500_000, 10), Rate(2_000_000, 20)),
        ),
        (
            "meter_array_set_rates m 0.000001:1 1:2",
            SetMeter(1, "m", None, Rate(1, 1), Rate(1_000_000, 2)),
        ),
    ],
)
def test_a_line_is_a_command(line: str, command: Command) -> None:
    assert parse_script(line) == [command]


def test_what_says_nothing_is_left_out() -> None:
    assert parse_script("\n# nothing\n   \nwait\nno_packet\nmirroring_get 5\n") == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("jump 3", "unknown command 'jump'"),
        ("packet 1 0g", "the packet is not in hexadecimal digits"),
        ("packet x 00", "'x' is no number"),
        ("expect 1 0x00", "what is expected is not in hexadecimal digits"),
        ("add t a:1", "an entry is: add TABLE"),
        ("setdefault t go", "'go' is no action with its arguments in brackets"),
        ("mc_node_associate 1", "too few arguments: mc_node_associate GROUP NODE"),
        ("mc_node_create 1 2 | 3", "link aggregation groups are not supported"),
        ("remove t", "entries are removed by: remove all"),
        ("check_counter c bytes 3", "a check is: check_counter"),
        ("check_counter c(1) bytes = 3", "a check is: check_counter"),
        ("register_read r", "a read is: register_read"),
        ("register_read r 0 == x", "'x' is no number"),
        ("register_reset", "too few arguments: register_reset REGISTER"),
        ("meter_set_rates m 1 2:3", "rates are set by: meter_set_rates"),
        ("meter_set_rates m 1 2:3 4", "'4' is not RATE:BURST"),
    ],
)
def test_a_wrong_line_is_named(line: str, complaint: str) -> None:
    with pytest.raises(StfError) as raised:
        parse_script(f"\n{line}")
    assert raised.value.line == 2
    assert complaint in str(raised.value)
