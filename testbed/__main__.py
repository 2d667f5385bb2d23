"""`python -m testbed run`: the whole system on live traffic, in the foreground."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from testbed import sandbox

_ROOT = Path(__file__).parents[1]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m testbed")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="switch, two instances, controller and live load, until Ctrl-C",
        description="Runs switch, two instances, controller and live load until Ctrl-C. "
        "Meanwhile `controlplane status` and the other commands work on it.",
    )
    run.add_argument("--target", default="auto", help="embedded, simple_switch or auto")
    run.add_argument("--scale", type=float, help="factor on the web-search flow sizes")
    run.add_argument("--rate", type=float, help="new flows a second")
    run.add_argument("--seed", type=int, default=1, help="of the traffic")
    run.add_argument("--duration", type=float, help="end after so many seconds")
    run.add_argument("--run-directory", type=Path, default=_ROOT / ".run")
    run.add_argument("--die-with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser


def main() -> None:
    """Parses the arguments, enters the sandbox and runs."""
    parser = _parser()
    arguments = parser.parse_args()
    for name in ("scale", "rate", "duration"):
        value = getattr(arguments, name)
        if value is not None and value <= 0:
            parser.error(f"--{name} must be above 0")
    if arguments.die_with_parent:
        sandbox.die_with_parent()
    try:
        sandbox.enter()
    except sandbox.SandboxError as error:
        sys.exit(f"testbed: {error}")
    # Only now: threads that an import starts could not enter the sandbox.
    from testbed.load.options import LoadOptions
    from testbed.run import RunOptions, run

    chosen = {
        name: value
        for name, value in (("scale", arguments.scale), ("rate_per_s", arguments.rate))
        if value is not None
    }
    options = RunOptions(
        directory=arguments.run_directory.absolute(),
        target=arguments.target,
        load=LoadOptions(seed=arguments.seed, **chosen),
        duration_s=arguments.duration,
    )
    sys.exit(run(options))


if __name__ == "__main__":
    main()
