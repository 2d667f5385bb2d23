"""Packets and entries do not crash a program; a program that they crash is found out.

Run: pytest tests/unit/fuzz/test_fuzz_packets.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bmv2.embedded.codegen.generate import generate
from bmv2.embedded.program.model import Program
from bmv2.fuzz import fuzzer
from bmv2.fuzz.fuzzer import Fuzzer

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "tests" / "programs" / "build"
SEED = 1


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bmv2", "fuzz", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_programs_do_not_crash(tmp_path: Path) -> None:
    programs = [BUILD / "exit.json", BUILD / "zero.json"]
    result = run(*map(str, programs), "--seconds", "2", "--directory", str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    first, *lines, last = result.stdout.splitlines()
    assert (first, last) == ("seed 1", "2 of 2 programs without a crash")
    assert [line.split(":")[0] for line in lines] == ["exit", "zero"]


# What the generator would have to forget, in a program that has it.
PLANTED = [
    ("parser_error", "if (length - at < ", "if (length - at + 1 < ", "heap-buffer-overflow"),
    ("registers", "if (i < 8)", "if (i < 64)", "out of bounds"),
]


@pytest.mark.parametrize(("name", "right", "wrong", "complaint"), PLANTED)
def test_a_planted_error_is_found_and_can_be_replayed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    right: str,
    wrong: str,
    complaint: str,
) -> None:
    def generate_wrong(program: Program) -> str:
        source = generate(program)
        assert right in source
        return source.replace(right, wrong)

    monkeypatch.setattr(fuzzer, "generate", generate_wrong)
    found = Fuzzer(BUILD / f"{name}.json", tmp_path, SEED)
    found.build()
    findings = found.run(20)
    assert findings.crash is not None, findings
    assert complaint in findings.crash
    assert len(found.crash_file.read_text().splitlines()) <= 3
    assert complaint in (found.replay(found.crash_file) or "")

    monkeypatch.undo()
    found.build()
    assert found.replay(found.crash_file) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [("{}", "it has no pipelines"), ("nonsense", "no JSON"), (None, "No such file")],
)
def test_what_is_no_program_is_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    program = tmp_path / "program.json"
    if text is not None:
        program.write_text(text)
    result = run(str(program), "--directory", str(tmp_path / "out"))
    assert result.returncode == 1
    _, line, last = result.stdout.splitlines()
    assert str(program) in line
    assert message in line
    assert last == "0 of 1 programs without a crash"
