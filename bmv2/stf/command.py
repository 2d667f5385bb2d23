"""`python -m bmv2 stf`: plays one STF file, or those of a directory."""

from __future__ import annotations

import argparse
from pathlib import Path

from bmv2.stf.case import Case, cases_of
from bmv2.stf.errors import StfError


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
    if arguments.directory is not None:
        return _play_directory(arguments.directory)
    found = Case(arguments.p4info, arguments.program, arguments.script).play()
    for line in found:
        print(line)
    return 1 if found else 0


def _play_directory(directory: Path) -> int:
    passed = played = 0
    for case in cases_of(directory):
        try:
            found = case.play()
        except StfError as error:
            found = [str(error)]
        played += 1
        passed += not found
        for line in found:
            print(line, flush=True)
    if played == 0:
        raise StfError(f"{directory}: there is no STF file")
    print(f"{passed} of {played} pass")
    return 0 if passed == played else 1
