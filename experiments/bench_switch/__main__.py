"""The benchmark of the switch targets.

    python -m experiments.bench_switch        or: make bench-switch

Forwards the program's traffic, steered to an instance and routed, at 64, 512 and 1500
bytes, on the embedded switch and, where it is installed, on simple_switch_grpc; and
beside them on a loop that does nothing but forward. Measures packets per second without
loss, latency at half of that and at a rate that all of them carry, what the control plane
does, register reads, and the time to ready. Prints a table and writes out/bench-switch.json.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from testbed import sandbox
from testbed.arguments import Parser, positive

_ROOT = Path(__file__).parents[2]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m experiments.bench_switch",
        description="How fast the switch targets forward.",
    )
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each case")
    parser.add_argument("--round-s", type=positive, default=0.5, help="length of a measurement")
    parser.add_argument("--out", type=Path, default=_ROOT / "out", help="where results go")
    parser.add_argument("--run-directory", type=Path, default=_ROOT / ".run" / "bench-switch")
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
    from experiments.bench_switch.bench import BenchOptions, run

    sys.exit(
        run(
            BenchOptions(
                rounds=arguments.rounds,
                round_s=arguments.round_s,
                out=arguments.out,
                directory=arguments.run_directory.absolute(),
            )
        )
    )


if __name__ == "__main__":
    main()
