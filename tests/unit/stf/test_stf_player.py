"""Scripts are played on a program, through the command line.

Run: pytest tests/unit/stf/test_stf_player.py
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bmv2.__main__ import main

BUILD = Path(__file__).parents[2] / "programs" / "build"
KEY = "000000000000 000000000000 0000"


def play(tmp_path: Path, program: str, script: str) -> int:
    path = tmp_path / "case.stf"
    path.write_text(script)
    return main(
        ["stf", str(BUILD / f"{program}.p4info.txtpb"), str(BUILD / f"{program}.json"), str(path)]
    )


def frame(which: int, address: int, port: int, small: int) -> str:
    """A frame for the program `match`, up to its verdict."""
    return f"{KEY} {which:02x} {address:08x} {port:04x} {small:02x}"


ENTRIES = """
add prefixes key_.address:0x0a000000/8 key_.small:1 answer(number:1)
add prefixes key_.address:0x0a0b**** key_.small:1 answer(number:2)
add masks 5 key_.address:0x0a****** key_.port:0x0001 answer(number:3)
add masks 6 key_.address:0x**0b**** key_.port:0x***1 answer(number:4)
setdefault ranges answer(number:9)
"""


def test_entries_of_all_kinds_match(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        (0, 0x0A0B0001, 0, 1, 2),
        (0, 0x0A0C0001, 0, 1, 1),
        (1, 0x0A0B0000, 1, 0, 4),
        (1, 0x0A000000, 1, 0, 3),
        (2, 1, 1, 1, 9),
    ]
    packets = [
        f"packet 0 {frame(*row)} 00 0000\nexpect 1 {frame(*row)} ** {number:04x} $"
        for *row, number in rows
    ]
    assert play(tmp_path, "match", "\n".join([ENTRIES, *packets])) == 0, capsys.readouterr().out


def test_a_difference_is_one_line_and_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = f"{frame(0, 1, 1, 1)} 00 0000"
    assert play(tmp_path, "match", f"packet 0 {sent}\nexpect 1 {sent}\n") == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{tmp_path / 'case.stf'}:2: port 1: expected ")


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("add nothing a:1 answer()", "case.stf:1: no table 'nothing'"),
        ("add masks 1 key_.nothing:1 answer(number:1)", "no field of"),
        ("add masks 1 key_.port:0x1 nothing()", "no action of"),
        ("add masks 1 key_.port:0x1 answer(what:1)", "no argument of"),
        ("add masks 1 key_.port:1* answer(number:1)", "need a prefix such as 0x"),
        ("mc_node_associate 1 0", "case.stf:1: there is no multicast group 1"),
        ("what", "case.stf:1: unknown command 'what'"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, complaint: str
) -> None:
    assert play(tmp_path, "match", script) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("bmv2: ")
    assert complaint in printed
    assert printed.count("\n") == 1


def test_a_directory_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, pattern in (("good", ""), ("bad", "01")):
        for suffix in (".json", ".p4info.txtpb"):
            (tmp_path / f"{name}{suffix}").write_bytes((BUILD / f"match{suffix}").read_bytes())
        sent = f"{frame(0, 1, 1, 1)} 00 0000"
        (tmp_path / f"{name}.stf").write_text(f"packet 0 {sent}\nexpect 1 {pattern}\n")
    assert main(["stf", "--directory", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{tmp_path}/bad.stf:2: port 1: expected 01…, got ")
    assert lines[1] == "1 of 2 pass"


def test_a_script_without_a_program_does_not_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "alone.stf").write_text("")
    assert main(["stf", "--directory", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{tmp_path}/alone.p4info.txtpb: No such file or directory",
        "0 of 1 pass",
    ]


def test_a_directory_without_scripts_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stf", "--directory", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"bmv2: {tmp_path}: there is no STF file\n"


def test_entries_are_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = frame(0, 0x0A000001, 0, 1)
    add = "add prefixes key_.address:0x0a000000/8 key_.small:1 answer(number:1)\n"
    play_one = f"packet 0 {row} 00 0000\n"
    script = (
        f"setdefault prefixes answer(number:9)\n{add}{play_one}expect 1 {row} ** 0001\n"
        f"remove all\n{play_one}expect 1 {row} ** 0009\n"
        f"{add}{play_one}expect 1 {row} ** 0001\n"
    )
    assert play(tmp_path, "match", script) == 0, capsys.readouterr().out


# What a clone of the program `clone` shows: instance type, kept, lost, port, rid, length.
ORIGINAL, INGRESS_CLONE, EGRESS_CLONE = "00", "01", "02"


def clone_case(kind: int, *types_of_port: str) -> str:
    packet = f"packet 0 000000000000 000000000000 {kind:04x} 00 00 00 00 0000 0000\n"
    expected = [f"expect 1 ************ ************ {kind:04x} {each}\n" for each in types_of_port]
    return packet + "".join(expected)


def test_an_egress_clone_comes_behind_its_original(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = "mirroring_add 5 1\n" + clone_case(11, ORIGINAL, EGRESS_CLONE)
    script += clone_case(1, INGRESS_CLONE, ORIGINAL)
    assert play(tmp_path, "clone", script) == 0, capsys.readouterr().out


def test_a_session_follows_its_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = (
        "mc_mgrp_create 9\nmirroring_add_mc 5 9\n"
        + clone_case(11, ORIGINAL)
        + "mc_node_create 3 1\nmc_node_create 4 1 2\n"
        + "mc_node_associate 9 0\nmc_node_associate 9 1\n"
        + clone_case(11, ORIGINAL, EGRESS_CLONE, EGRESS_CLONE)
        + f"expect 2 ************ ************ {11:04x} 02 ** ** 02 0004\n"
        + "mirroring_add 5 3\n"
        + clone_case(11, ORIGINAL)
        + "expect 3\nmirroring_delete 5\n"
        + clone_case(11, ORIGINAL)
    )
    assert play(tmp_path, "clone", script) == 0, capsys.readouterr().out


def test_what_goes_to_a_port_that_is_not_named_is_lost(tmp_path: Path) -> None:
    script = "mirroring_add 5 510\n" + clone_case(11, ORIGINAL)
    assert play(tmp_path, "clone", script) == 0
