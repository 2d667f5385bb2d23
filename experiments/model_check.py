"""Walks through every interleaving of a move in its Promela model, with spin.

    python -m experiments.model_check        or: make model-check

The model is docs/model/move.pml; its machine is made from the controller's own table.
Each variant is searched in full. What is violated is printed with the steps that lead
to it.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).parents[1] / "docs" / "model"
_DEPTH = 200_000
_LAST_STEPS = 40


class ModelCheckError(Exception):
    """The model cannot be checked. The message is one line."""


@dataclass(frozen=True)
class Search:
    """What a full search has found."""

    states: int
    depth: int
    violation: str
    """What is violated, and the last steps before; empty when nothing is."""


def variants() -> Iterator[dict[str, int]]:
    """The parameters of each search: every way to wait, with every mix of options.

    Each is searched twice, the second time with a controller that dies and fewer faults.
    """
    ways = (
        {"HOLDS": 0, "DIVERTS": 0, "ASIDE": 0},  # no guarantee
        {"HOLDS": 1, "DIVERTS": 0, "ASIDE": 0},  # loss-free, kept at the controller
        {"HOLDS": 1, "DIVERTS": 0, "ASIDE": 1},  # the same, order-preserving
        {"HOLDS": 0, "DIVERTS": 1, "ASIDE": 1},  # kept at the destination
    )
    paces = [
        {"PARALLELIZE": parallelize, "EARLY_RELEASE": early_release}
        for parallelize, early_release in itertools.product((1, 0), repeat=2)
    ]
    # A flow without state is never exported nor imported: its pace makes no difference.
    flows = [*({"ABSENT": 0} | pace for pace in paces), {"ABSENT": 1} | paces[0]]
    happenings = (
        {"PACKETS": 3, "FAULTS": 2, "CANCELS": 1, "DEATHS": 0},
        {"PACKETS": 3, "FAULTS": 1, "CANCELS": 1, "DEATHS": 1},
    )
    for happening, way, flow in itertools.product(happenings, ways, flows):
        yield way | flow | happening


def search(parameters: Mapping[str, int], model: Path = MODEL) -> Search:
    """Searches one variant in full. Raises ModelCheckError."""
    tools = {name: shutil.which(name) for name in ("spin", "cc")}
    for name, path in tools.items():
        if path is None:
            raise ModelCheckError(
                f"no {name} on PATH: install {'spin' if name == 'spin' else 'gcc'}"
            )
    with tempfile.TemporaryDirectory(prefix="uhaul-spin-") as directory:
        here = Path(directory)
        for path in model.glob("*.pml"):
            shutil.copy(path, here)
        defines = [f"-D{name}={value}" for name, value in parameters.items()]
        _run(["spin", *defines, "-a", "move.pml"], here)
        _run(
            ["cc", "-O0", "-w", "-DSAFETY", "-DCOLLAPSE", "-DNOREDUCE", "-o", "pan", "pan.c"], here
        )
        found = _run(["./pan", f"-m{_DEPTH}"], here)
        errors = _number(r"errors: (\d+)", found)
        if "max search depth too small" in found:
            raise ModelCheckError(f"the search is cut off at depth {_DEPTH}")
        violation = ""
        if errors:
            trail = _run(["spin", *defines, "-t", "-p", "-g", "-l", "move.pml"], here)
            violation = "\n".join([found.splitlines()[0], *trail.splitlines()[-_LAST_STEPS:]])
        return Search(
            states=_number(r"(\d+) states, stored", found),
            depth=_number(r"depth reached (\d+)", found),
            violation=violation,
        )


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    if found is None:
        raise ModelCheckError(f"spin says nothing of {pattern!r}")
    return int(found[1])


def _run(command: list[str], directory: Path) -> str:
    done = subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True)
    if done.returncode != 0 and command[0] != "./pan":
        first = (done.stdout + done.stderr).strip().partition("\n")[0]
        raise ModelCheckError(f"{command[0]}: {first}")
    return done.stdout


def _search_all() -> Iterator[tuple[dict[str, int], Search]]:
    """As many at a time as there are processors, in order. Raises ModelCheckError."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        chosen = list(variants())
        try:
            yield from zip(chosen, pool.map(search, chosen), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def main() -> int:
    """Searches all variants; 1 when something is violated."""
    violated = states = 0
    try:
        for parameters, found in _search_all():
            states += found.states
            text = " ".join(f"{name.lower()}={value}" for name, value in parameters.items())
            verdict = "violated" if found.violation else "holds"
            print(
                f"{verdict}: {found.states:>9,} states, depth {found.depth:>4}: {text}", flush=True
            )
            if found.violation:
                violated += 1
                print(found.violation)
        print(f"{states:,} states in all", flush=True)
    except ModelCheckError as error:
        print(f"model-check: {error}", file=sys.stderr)
        return 2
    return 1 if violated else 0


if __name__ == "__main__":
    sys.exit(main())
