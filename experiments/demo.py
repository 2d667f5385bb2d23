"""The demo: the same traffic with no move, with `move` and with `move-elephant`.

    python -m experiments.demo        or: make demo

Every trial has a fresh test bed and the same seeded load; the move is asked for at the
same instant of it. Prints the trials side by side, writes them to out/demo.json with
the controllers' reports, and draws out/demo.png. Exits with 1 if anything was lost,
doubled, corrupted or is not where it belongs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import sandbox
from testbed.arguments import Parser, add_load, load_options, positive

if TYPE_CHECKING:
    from rich.console import Console

    from experiments.comparison import Comparison
    from experiments.trial import Progress, Trial, TrialOptions

_ROOT = Path(__file__).parents[1]
_STRATEGIES = ("none", "move", "move-elephant")
_OTHERS = ("dist", "split-merge", "drain", "all-live")
_ALSO_CALLED = {"opennf": "move", "uhaul": "move-elephant"}
_LEAST_DURATION_S = 4.0
# The number of flows rises for some seconds; the move comes when it has nearly settled.
_MOVE_WINDOW = (0.5, 0.6)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m experiments.demo", description="Elephants only, against all flows."
    )
    add_load(parser)
    parser.add_argument("--duration", type=positive, default=9.0, help="seconds of load a trial")
    parser.add_argument(
        "--trials",
        nargs="+",
        type=lambda name: _ALSO_CALLED.get(name, name),
        choices=(*_STRATEGIES, *_OTHERS),
        default=_STRATEGIES,
        metavar="STRATEGY",
        help=f"which to run: {', '.join((*_STRATEGIES, *_OTHERS))}; opennf is move, uhaul is"
        " move-elephant (none, move, move-elephant)",
    )
    parser.add_argument(
        "--guarantee",
        choices=["loss-free", "order-preserving"],
        default="loss-free",
        help="what the moves promise (%(default)s)",
    )
    parser.add_argument(
        "--keep-at",
        choices=["controller", "destination"],
        help="where packets wait meanwhile (where the strategy keeps them)",
    )
    parser.add_argument("--out", type=Path, default=_ROOT / "out", help="where results go")
    parser.add_argument("--run-directory", type=Path, default=_ROOT / ".run" / "demo")
    parser.add_argument("--die-with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser


def main() -> None:
    """Parses the arguments, enters the sandbox and runs."""
    parser = _parser()
    arguments = parser.parse_args()
    arguments.run_directory = arguments.run_directory.absolute()
    if arguments.duration < _LEAST_DURATION_S:
        parser.error(f"--duration must be at least {_LEAST_DURATION_S:g} s")
    if arguments.die_with_parent:
        sandbox.die_with_parent()
    try:
        sandbox.enter()
    except sandbox.SandboxError as error:
        sys.exit(f"demo: {error}")
    sys.exit(_run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    """Runs inside the sandbox; the exit code."""
    # Only now: threads that an import starts could not enter the sandbox.
    from bmv2 import targets
    from bmv2.target import TargetError
    from experiments import comparison as comparing
    from experiments import timeline
    from testbed import terminal
    from testbed.bed import FAILURES
    from testbed.lock import RunLock
    from testbed.workload import WEB_SEARCH_ELEPHANT

    console = terminal.console()
    try:
        with RunLock(arguments.run_directory):
            targets.resolve(arguments.target)
            trials = _run_trials(arguments, console)
    except (*FAILURES, TargetError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    elephant = WEB_SEARCH_ELEPHANT * next(iter(trials.values())).options.load.scale
    with console.status("accounting for every packet"):
        result = _compare(trials, elephant, arguments)
        out: Path = arguments.out
        out.mkdir(parents=True, exist_ok=True)
        (out / "demo.json").write_text(json.dumps(result.as_json(), indent=1))
        moves = {name: trial for name, trial in trials.items() if name != comparing.NONE}
        timeline.draw(moves or trials, elephant, out / "demo.png")
    console.print(comparing.table(result))
    console.print(f"written: {out / 'demo.json'}, {out / 'demo.png'}", soft_wrap=True)
    if not result.clean:
        for name, found in result.findings.items():
            for fault, count in found.faults.items():
                print(f"demo: not clean: {name}: {count} {fault}", file=sys.stderr)
        calm = result.findings.get(comparing.NONE)
        if calm is not None and calm.packets.lost:
            rate = trials[comparing.NONE].options.load.rate_per_s
            print(
                "demo: packets were lost without any move: the machine cannot carry this load; "
                f"try fewer new flows a second (make demo RATE={rate / 2:g})",
                file=sys.stderr,
            )
        return 1
    return 0


def _trial_options(arguments: argparse.Namespace) -> list[TrialOptions]:
    from experiments.trial import TrialOptions

    load = load_options(arguments)
    instant = random.Random(arguments.seed).uniform(*_MOVE_WINDOW) * arguments.duration
    return [
        TrialOptions(
            strategy=strategy,
            guarantee=arguments.guarantee,
            keep_at=arguments.keep_at,
            load=load,
            duration_s=arguments.duration,
            move_at_s=max(2.0, instant),
        )
        for strategy in arguments.trials
    ]


def _run_trials(arguments: argparse.Namespace, console: Console) -> dict[str, Trial]:
    """Runs the trials, each on a test bed of its own."""
    from controlplane.sizes.builtin import WEB_SEARCH
    from experiments.trial import run_trial
    from testbed.bed import Bed, BedOptions
    from testbed.plan import RunDirectory
    from testbed.workload import WEB_SEARCH_ELEPHANT

    trials: dict[str, Trial] = {}
    for options in _trial_options(arguments):
        with contextlib.ExitStack() as stack:
            status = stack.enter_context(console.status(f"{options.strategy}: starting"))

            bed_options = BedOptions(
                run=RunDirectory(arguments.run_directory / options.strategy),
                target=arguments.target,
                rho=WEB_SEARCH.byte_share_from(WEB_SEARCH_ELEPHANT),
            )
            bed = stack.enter_context(Bed(bed_options, _step_teller(options, status.update)))
            if not trials:
                console.print(f"switch: {bed.target.name}")
            trial = asyncio.run(run_trial(bed, options, _teller(options, status.update)))
            trials[options.strategy] = trial
        console.print(_outcome(trial))
    return trials


def _step_teller(options: TrialOptions, update: Callable[[str], None]) -> Callable[[str], None]:
    return lambda step: update(f"{options.strategy}: starting the {step}")


def _teller(options: TrialOptions, update: Callable[[str], None]) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        update(
            f"{options.strategy}: {progress.elapsed_s:4.1f} of {options.duration_s:g} s, "
            f"{progress.active} flows open, {progress.done} done, {progress.errors} failed, "
            f"{progress.packets:,} packets; {progress.phase}"
        )

    return tell


def _outcome(trial: Trial) -> str:
    strategy = trial.options.strategy
    if trial.move is None:
        return f"{'no move' if strategy == 'none' else strategy}: {len(trial.load.flows)} flows"
    flows, downtime_ms = trial.move["flows"], trial.move["downtime_ms"]
    took = "" if downtime_ms is None else f" in {downtime_ms:.1f} ms"
    return (
        f"{strategy}: {len(trial.load.flows)} flows, {flows['moved']} of "
        f"{flows['selected']} chosen moved{took}"
    )


def _compare(
    trials: dict[str, Trial], elephant_bytes: float, arguments: argparse.Namespace
) -> Comparison:
    from controlplane.sizes.builtin import WEB_SEARCH
    from experiments import findings, mice
    from experiments.comparison import Comparison

    first = next(iter(trials.values()))
    moves = {name: trial for name, trial in trials.items() if trial.move is not None}
    met = mice.mice_met(trials.values(), elephant_bytes) if moves else set[int]()
    return Comparison(
        settings={
            "target": first.target,
            "guarantee": first.options.guarantee,
            "keep_at": first.options.keep_at,
            "seed": arguments.seed,
            "duration_s": arguments.duration,
            "move_at_s": round(first.options.move_at_s, 6),
            "distribution": WEB_SEARCH.name,
            "published": WEB_SEARCH.published,
            "elephant_bytes": elephant_bytes,
            "rho": round(
                WEB_SEARCH.scaled(first.options.load.scale).byte_share_from(elephant_bytes), 4
            ),
            "load": asdict(first.options.load),
        },
        findings={name: findings.find(trial) for name, trial in trials.items()},
        mice_met={name: mice.mice_times(trial.load, met) for name, trial in trials.items()},
        mice_all={
            name: mice.mice_times(trial.load, mice.all_mice(trial.load, elephant_bytes))
            for name, trial in trials.items()
        },
    )


if __name__ == "__main__":
    main()
