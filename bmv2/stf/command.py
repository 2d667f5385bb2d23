"""`python -m bmv2 stf`: plays one STF file, or those of a directory."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from finsy.proto import p4i
from google.protobuf import text_format

from bmv2.embedded.errors import CompileError, UnsupportedProgram
from bmv2.stf.errors import StfError
from bmv2.stf.player import play
from bmv2.stf.script import parse_script

_P4INFO_SUFFIXES = (".p4info.txtpb", ".p4info.txt")


@dataclass(frozen=True)
class Case:
    """A program with its script."""

    p4info: Path
    program: Path
    script: Path


def add_arguments(stf: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    stf.add_argument("p4info", nargs="?", type=Path, help="P4Info, as protobuf text")
    stf.add_argument("program", nargs="?", type=Path, help="BMv2 JSON as p4c writes it")
    stf.add_argument("script", nargs="?", type=Path, help="STF file")
    stf.add_argument(
        "--directory",
        type=Path,
        help="instead: every NAME.stf there, with NAME.json and NAME.p4info.txtpb",
    )


def check_arguments(stf: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuses arguments that do not go together: exits with 2."""
    if (arguments.script is None) == (arguments.directory is None) or (
        arguments.directory is not None and arguments.p4info is not None
    ):
        stf.error("give either a P4Info, a program and a script, or --directory")


def execute(arguments: argparse.Namespace) -> int:
    """Plays what is asked for; 0 when all went as the scripts say. Raises StfError."""
    if arguments.directory is None:
        found = run_case(Case(arguments.p4info, arguments.program, arguments.script))
        for line in found:
            print(f"{arguments.script}: {line}")
        return 1 if found else 0
    cases = cases_of(arguments.directory)
    failed = 0
    for case in cases:
        try:
            found = run_case(case)
        except StfError as error:
            found = [str(error)]
        failed += bool(found)
        for line in found:
            print(f"{case.script.name}: {line}", flush=True)
    print(f"{len(cases) - failed} of {len(cases)} pass")
    return 1 if failed else 0


def cases_of(directory: Path) -> list[Case]:
    """The cases of a directory. Raises StfError when there is none."""
    cases = [
        Case(p4info, program, script)
        for script in sorted(directory.glob("*.stf"))
        if (program := script.with_suffix(".json")).exists()
        for suffix in _P4INFO_SUFFIXES
        if (p4info := script.with_name(script.stem + suffix)).exists()
    ]
    if not cases:
        raise StfError(f"{directory}: no NAME.stf beside its NAME.json and NAME.p4info.txtpb")
    return cases


def run_case(case: Case) -> list[str]:
    """What went otherwise than the script says, a line each. Raises StfError."""
    try:
        p4info = text_format.Parse(case.p4info.read_text(), p4i.P4Info())
        return play(case.program.read_bytes(), p4info, parse_script(case.script.read_text()))
    except OSError as error:
        raise StfError(f"{error.filename}: {error.strerror}") from error
    except text_format.ParseError as error:
        raise StfError(f"{case.p4info} is no P4Info: {error}") from error
    except (UnsupportedProgram, CompileError) as error:
        raise StfError(f"{case.program}: {error}") from error
