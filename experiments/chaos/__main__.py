"""Moves with faults: `python -m experiments.chaos`, or `make chaos`.

Every round moves flows of a live load of real TCP connections, and kills, hangs or cancels
something at a random moment. Afterwards nothing may be under way for ever, no state in two
places or lost without need, and every connection has to end with its payload intact. All is
drawn from the seed. Writes out/chaos.json, and keeps the logs of the beds on which something
is wrong; exits with 1 then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from testbed import sandbox
from testbed.arguments import Parser, positive

if TYPE_CHECKING:
    from rich.console import Console

    from experiments.chaos.rounds import Round

_ROOT = Path(__file__).parents[2]
_ROUNDS_A_BED = 12
_ROUND_S = 60.0  # the load lasts longer than any round, and is ended behind the last one
_RATE_PER_S = 60.0
_RHO = 0.35
_WARM_UP_S = 3.0  # until there are flows of all sizes
_LOAD_END_S = 20.0
# TCP sends again after two minutes at the latest (TCP_RTO_MAX in Linux's net/tcp.h), and then
# nothing fails any more: who is silent for longer than that is cut off.
_PATIENCE_S = 150.0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m experiments.chaos", description="Faults while flows move.")
    parser.add_argument("--rounds", type=int, default=200, help="how many moves (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (%(default)s)")
    parser.add_argument(
        "--minutes", type=positive, default=25.0, help="begin no bed after that (%(default)g)"
    )
    parser.add_argument(
        "--target", choices=["auto", "embedded", "simple_switch"], default="embedded"
    )
    parser.add_argument("--out", type=Path, default=_ROOT / "out")
    parser.add_argument("--run-directory", type=Path, default=_ROOT / ".run" / "chaos")
    parser.add_argument("--die-with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser


def main() -> None:
    """Parses the arguments, enters the sandbox and runs."""
    arguments = _parser().parse_args()
    arguments.run_directory = arguments.run_directory.absolute()
    if arguments.die_with_parent:
        sandbox.die_with_parent()
    try:
        sandbox.enter()
    except sandbox.SandboxError as error:
        sys.exit(f"chaos: {error}")
    sys.exit(_run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    # Only now: threads that an import starts could not enter the sandbox.
    from bmv2 import targets
    from bmv2.target import TargetError
    from testbed import terminal
    from testbed.bed import FAILURES
    from testbed.lock import RunLock

    console = terminal.console()
    rounds: list[Round] = []
    wrong: list[str] = []
    begin_s = time.monotonic()
    try:
        with RunLock(arguments.run_directory):
            targets.resolve(arguments.target)
            while len(rounds) < arguments.rounds:
                if time.monotonic() - begin_s > arguments.minutes * 60:
                    break
                count = min(_ROUNDS_A_BED, arguments.rounds - len(rounds))
                more, broken = _run_bed(arguments, len(rounds), count, console)
                rounds += more
                wrong += broken
    except (*FAILURES, TargetError) as error:
        print(f"chaos: after {len(rounds)} rounds: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("chaos: interrupted", file=sys.stderr)
        return 130
    wrong += [f"{each.title}: {complaint}" for each in rounds for complaint in each.wrong]
    arguments.out.mkdir(parents=True, exist_ok=True)
    file = arguments.out / "chaos.json"
    content = {
        "seed": arguments.seed,
        "target": arguments.target,
        "seconds": round(time.monotonic() - begin_s),
        "wrong": wrong,
        "rounds": [asdict(each) for each in rounds],
    }
    file.write_text(json.dumps(content, indent=1))
    console.print(_table(rounds))
    for line in wrong:
        console.print(f"wrong: {line}", soft_wrap=True)
    console.print(f"{len(rounds)} rounds, {len(wrong)} things wrong; written: {file}")
    return 1 if wrong else 0


def _run_bed(
    arguments: argparse.Namespace, first: int, count: int, console: Console
) -> tuple[list[Round], list[str]]:
    """Some rounds on one test bed; and what went wrong with its load."""
    from experiments.chaos.rounds import run_round
    from experiments.chaos.suspicion import Doubt, confirmed
    from nf.southbound.flow import FiveTuple
    from testbed.bed import Bed, BedOptions
    from testbed.load.options import LoadOptions
    from testbed.load.record import ERRORS, LoadRecord
    from testbed.northbound import NorthboundError
    from testbed.plan import RunDirectory

    run = RunDirectory(arguments.run_directory)
    seed = arguments.seed * 10_000 + first
    options = LoadOptions(
        seed=seed,
        rate_per_s=_RATE_PER_S,
        witnesses=0,
        patience_s=_PATIENCE_S,
        grace_s=_PATIENCE_S,
    )

    forgotten: set[FiveTuple] = set()

    async def run_rounds(bed: Bed) -> list[Round]:
        rounds: list[Round] = []
        for number in range(first, first + count):
            random = Random(f"{arguments.seed}/{number}")
            rounds.append(await run_round(bed, number, random, forgotten))
            last = rounds[-1]
            doubled = [each.what for each in last.suspicions if each.doubt is Doubt.DOUBLED]
            mark = "WRONG" if last.wrong else "?" if doubled else "ok"
            end = f"{last.end}, {last.moved} of {last.selected} flows moved"
            console.print(f"{mark:5} {last.title} → {end}, {last.settled_s:.1f} s", highlight=False)
            for complaint in (*last.wrong, *doubled):
                console.print(f"      {complaint}", highlight=False)
            if last.wrong or doubled:
                with suppress(NorthboundError):
                    arguments.out.mkdir(parents=True, exist_ok=True)
                    events = await bed.northbound.events()
                    (arguments.out / f"chaos-{number}.jsonl").write_text(events)
        return rounds

    with Bed(BedOptions(run=run, target=arguments.target, rho=_RHO)) as bed:
        load = bed.start_load(options, _WARM_UP_S + count * _ROUND_S)
        time.sleep(_WARM_UP_S)
        rounds = asyncio.run(run_rounds(bed))
        load.client.terminate()
        load.client.wait(_PATIENCE_S + _LOAD_END_S)
        record = LoadRecord.read(load.result_file)
    broken = Counter(flow.outcome for flow in record.flows if flow.outcome in ERRORS)
    place = f"rounds {first} to {first + count - 1}"
    wrong = [f"{place}: {number} connections end as {how}" for how, number in broken.items()]
    outages = [each.outage for each in rounds if each.outage is not None]
    for each in rounds:
        lost = [found.what for found in confirmed(each.suspicions, record.flows, outages)]
        if lost:
            more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
            wrong.append(f"{each.title}: {lost[0]}{more}")
    if wrong or any(each.wrong for each in rounds):
        _keep(arguments.run_directory, arguments.out / f"chaos-{first}")
    return rounds, wrong


def _keep(run: Path, place: Path) -> None:
    """What a bed has written; the next one writes over it."""
    place.mkdir(parents=True, exist_ok=True)
    for file in run.iterdir():
        if file.is_file():
            shutil.copy2(file, place)


def _table(rounds: list[Round]) -> object:
    from rich.table import Table

    table = Table("fault", "rounds", "moved", "undone or cancelled", "not begun", "median s")
    for fault in sorted({each.accident.fault for each in rounds}):
        of = [each for each in rounds if each.accident.fault is fault]
        ends = Counter(
            "moved" if each.end in ("draining", "done") else "undone" if each.end else "none"
            for each in of
        )
        median = sorted(each.settled_s for each in of)[len(of) // 2]
        counts = (str(ends[name]) for name in ("moved", "undone", "none"))
        table.add_row(fault, str(len(of)), *counts, f"{median:.1f}")
    return table


if __name__ == "__main__":
    main()
