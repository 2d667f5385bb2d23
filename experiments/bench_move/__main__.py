"""The benchmark of moves.

    python -m experiments.bench_move        or: make bench-move

Moves 10, 100, 1,000 and 10,000 active flows between two instances in every way there is,
in turn, several times over: downtime, how long a flow is held, buffer, control messages,
rules, and the processor time of each part. Every flow's packets are counted in the states
afterwards. Prints tables, and writes out/bench-move.json and a picture of the growth.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from testbed import sandbox
from testbed.arguments import Parser

_ROOT = Path(__file__).parents[2]
_MOST_FLOWS = 40_000  # ports of one client


def _numbers(text: str) -> tuple[int, ...]:
    """Numbers of flows, with commas between them."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(2 <= number <= _MOST_FLOWS for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r}: numbers from 2 to {_MOST_FLOWS:,} as 10,100")
    return numbers


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m experiments.bench_move", description="What a move of flows costs."
    )
    parser.add_argument(
        "--flows", type=_numbers, default=(10, 100, 1000, 10_000), help="as 10,100,1000,10000"
    )
    parser.add_argument("--rounds", type=int, default=3, help="moves in each way")
    parser.add_argument("--target", default="embedded", help="switch target")
    parser.add_argument("--out", type=Path, default=_ROOT / "out", help="where results go")
    parser.add_argument("--picture", type=Path, help="default: bench-move.svg, there")
    parser.add_argument("--run-directory", type=Path, default=_ROOT / ".run" / "bench-move")
    parser.add_argument("--die-with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser


def main() -> None:
    """Parses the arguments, enters the sandbox and runs."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be above 0")
    if arguments.die_with_parent:
        sandbox.die_with_parent()
    try:
        sandbox.enter()
    except sandbox.SandboxError as error:
        sys.exit(f"bench: {error}")
    # Only now: threads that an import starts could not enter the sandbox.
    from experiments.bench_move.bench import BenchOptions, run

    sys.exit(
        run(
            BenchOptions(
                flows=arguments.flows,
                rounds=arguments.rounds,
                target=arguments.target,
                out=arguments.out,
                picture=arguments.picture or arguments.out / "bench-move.svg",
                directory=arguments.run_directory.absolute(),
            )
        )
    )


if __name__ == "__main__":
    main()
