"""STF files as commands, and what came out compared with them."""

from __future__ import annotations

import pytest

from bmv2.stf.errors import StfError
from bmv2.stf.outputs import complaints
from bmv2.stf.script import (
    Add,
    AddMirroring,
    AssociateNode,
    Call,
    CheckCounter,
    Command,
    CreateGroup,
    CreateNode,
    Expect,
    Packet,
    SetDefault,
    WriteRegister,
    parse_script,
)


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
        ("add t go() = $1", Add(1, "t", 0, (), Call("go", ()))),
        ("setdefault t go(x:1)", SetDefault(1, "t", Call("go", (("x", "1"),)))),
        ("mirroring_add 5 4", AddMirroring(1, 5, 4)),
        ("mc_mgrp_create 7", CreateGroup(1, 7)),
        ("mc_node_create 400 6 8", CreateNode(1, 400, (6, 8))),
        ("mc_node_associate 7 0", AssociateNode(1, 7, 0)),
        ("register_write r 3 0x10", WriteRegister(1, "r", 3, 16)),
        ("check_counter c(2) bytes == 14", CheckCounter(1, "c", 2, is_bytes=True, value=14)),
    ],
)
def test_a_line_is_a_command(line: str, command: Command) -> None:
    assert parse_script(line) == [command]


def test_what_says_nothing_is_left_out() -> None:
    assert parse_script("\n# nothing\n   \nwait\n") == []


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
        ("check_counter c bytes 3", "a check is: check_counter"),
    ],
)
def test_a_wrong_line_is_named(line: str, complaint: str) -> None:
    with pytest.raises(StfError, match=r"^line 2: ") as raised:
        parse_script(f"\n{line}")
    assert complaint in str(raised.value)


def test_outputs_are_compared_in_order_by_port() -> None:
    script = parse_script("expect 1 aa**\nexpect 2 bb $\nexpect 1 cc $\nexpect 3")
    expected = [command for command in script if isinstance(command, Expect)]
    good = [(2, b"\xbb"), (1, b"\xaa\x01\x02"), (3, b"any"), (1, b"\xcc"), (3, b"thing")]
    assert complaints(expected, good) == []
    bad = [(1, b"\xaa"), (1, b"\xcc\xcc"), (2, b"\xbb"), (2, b"\xbb"), (4, b"\x04")]
    assert complaints(expected, bad) == [
        "line 1: port 1: expected AA**…, got AA",
        "line 3: port 1: expected CC$, got CCCC",
        "port 2: got BB, expected nothing",
        "port 4: got 04, expected nothing",
    ]
    assert complaints(expected, good[1:]) == ["line 2: port 2: expected BB$, got nothing"]
