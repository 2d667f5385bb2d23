"""`python -m bmv2`: the embedded switch.

python -m bmv2 run PROG.json --p4info PROG.p4info.txtpb -i 1@veth0 …
python -m bmv2 stf PROG.p4info.txtpb PROG.json PROG.stf
python -m bmv2 fuzz PROG.json …
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

# Its own lines about a busy port say less than the one that is printed here.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from bmv2 import run_command
from bmv2.fuzz import command as fuzz_command
from bmv2.fuzz.errors import FuzzError
from bmv2.stf import command as stf_command
from bmv2.stf.errors import StfError
from bmv2.switch import SwitchError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command of the arguments; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bmv2", description="The embedded switch.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a switch until SIGTERM or SIGINT")
    run_command.add_arguments(run)
    stf = commands.add_parser("stf", help="play p4c's packet tests on the embedded switch")
    stf_command.add_arguments(stf)
    fuzz = commands.add_parser("fuzz", help="look for packets that crash a program")
    fuzz_command.add_arguments(fuzz)
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "fuzz":
            fuzz_command.check_arguments(fuzz, arguments)
            return fuzz_command.execute(arguments)
        if arguments.command == "stf":
            stf_command.check_arguments(stf, arguments)
            return stf_command.execute(arguments)
        run_command.check_arguments(run, arguments)
        return run_command.execute(arguments)
    except (SwitchError, StfError, FuzzError, OSError) as error:
        print(f"bmv2: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
