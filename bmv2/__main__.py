"""`python -m bmv2`: the embedded switch.

python -m bmv2 run PROG.json --p4info PROG.p4info.txtpb -i 1@veth0 …
python -m bmv2 stf PROG.p4info.txtpb PROG.json PROG.stf
python -m bmv2 fuzz PROG.json …
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from bmv2.errors import CommandError

# Its own lines about a busy port say less than the one that is printed here.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

_COMMANDS = {
    "run": ("bmv2.run_command", "run a switch until SIGTERM or SIGINT"),
    "stf": ("bmv2.stf.command", "play p4c's packet tests on the embedded switch"),
    "fuzz": ("bmv2.fuzz.command", "look for packets that crash a program"),
}
"""The module of each, and what it does. Only the one that is asked for is imported."""

_INTERRUPTED = 130


class _Command(Protocol):
    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None: ...

    def check_arguments(
        self, parser: argparse.ArgumentParser, arguments: argparse.Namespace, /
    ) -> None: ...

    def execute(self, arguments: argparse.Namespace, /) -> int: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command of the arguments; the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python -m bmv2", description="The embedded switch.")
    commands = parser.add_subparsers(dest="command", required=True)
    parsers = {name: commands.add_parser(name, help=text) for name, (_, text) in _COMMANDS.items()}
    if not argv or argv[0] not in _COMMANDS:
        parser.parse_args(argv)  # prints the help, or what is wrong, and exits
    name = argv[0]
    try:
        command = cast("_Command", importlib.import_module(_COMMANDS[name][0]))
        command.add_arguments(parsers[name])
        if name == "run":  # simple_switch_grpc takes the options of its target behind a --
            argv = [each for each in argv if each != "--"]
        arguments = parser.parse_args(argv)
        command.check_arguments(parsers[name], arguments)
        return command.execute(arguments)
    except (CommandError, OSError) as error:
        print(f"bmv2: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
