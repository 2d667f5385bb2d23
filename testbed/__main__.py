"""`python -m testbed run`: the whole system on live traffic, in the foreground."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from testbed import sandbox
from testbed.arguments import Parser, add_load, load_options, positive
from testbed.plan import MOST_INSTANCES

_ROOT = Path(__file__).parents[1]


def _instances(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= MOST_INSTANCES:
        raise argparse.ArgumentTypeError(f"{text!r} is not 2 … {MOST_INSTANCES}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m testbed")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="switch, instances, controller and live load, until Ctrl-C",
        description="Runs switch, instances, controller and live load until Ctrl-C. "
        "Meanwhile `controlplane status` and the other commands work on it.",
    )
    add_load(run)
    run.add_argument("--instances", type=_instances, default=2, help="how many there are (2)")
    run.add_argument("--duration", type=positive, help="end after so many seconds")
    run.add_argument("--run-directory", type=Path, default=_ROOT / ".run")
    run.add_argument("--die-with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser


def main() -> None:
    """Parses the arguments, enters the sandbox and runs."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.die_with_parent:
        sandbox.die_with_parent()
    try:
        sandbox.enter()
    except sandbox.SandboxError as error:
        sys.exit(f"testbed: {error}")
    # Only now: threads that an import starts could not enter the sandbox.
    from bmv2.target import TargetError
    from testbed.run import RunOptions, run

    try:
        load = load_options(arguments)
    except TargetError as error:
        sys.exit(f"testbed: {error}")
    options = RunOptions(
        directory=arguments.run_directory.absolute(),
        target=arguments.target,
        load=load,
        instances=arguments.instances,
        duration_s=arguments.duration,
    )
    sys.exit(run(options))


if __name__ == "__main__":
    main()
