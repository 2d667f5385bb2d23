"""The command-line arguments that everything with live load has in common."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from testbed.load.options import LoadOptions


class Parser(argparse.ArgumentParser):
    """A parser that answers a wrong argument with one line."""

    def error(self, message: str) -> NoReturn:
        """Exits with 2."""
        self.exit(2, f"{self.prog}: {message} (--help lists the arguments)\n")


def positive(text: str) -> float:
    """A number above 0. Raises argparse.ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def add_load(parser: argparse.ArgumentParser) -> None:
    """Adds the switch target and what describes the load."""
    parser.add_argument("--target", default="auto", help="embedded, simple_switch or auto")
    parser.add_argument("--scale", type=positive, help="factor on the web-search flow sizes")
    parser.add_argument("--rate", type=positive, help="new flows a second")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic")


def load_options(arguments: argparse.Namespace) -> LoadOptions:
    """The load that was asked for; what was not said is as the target can carry it.

    Raises bmv2.target.TargetError for an unknown target.
    """
    # Only now, in the sandbox: importing them starts threads.
    from bmv2 import targets
    from testbed.load.options import LoadOptions

    chosen = {"scale": arguments.scale, "rate_per_s": arguments.rate}
    given = {name: value for name, value in chosen.items() if value is not None}
    return LoadOptions.for_target(targets.resolve(arguments.target), seed=arguments.seed, **given)
