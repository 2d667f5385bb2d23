"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from math import nan
from pathlib import Path
from typing import Annotated, Any

import typer

from controlplane.detection.choice import LEARNT, DetectorName, Edm
from controlplane.migration.options import Guarantee, KeepAt
from controlplane.sizes.builtin import BUILTIN
from controlplane.sizes.units import parse_size

_DEFAULT_SOCKET = Path(".run") / "northbound.sock"
_CONFIGURED = "as configured"
_LONGEST_S = 1e6  # over eleven days


def size_argument(text: str) -> float:
    """Bytes, as `parse_size` reads them; above 0."""
    try:
        size = parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not size:
        raise typer.BadParameter(f"{text!r} is not above 0")
    return size


def rate_argument(text: str) -> float:
    """Bits a second, written like a size; above 0."""
    return _number(text, parse_size, lambda rate: rate > 0, "rate: bits a second, as 10G")


def share_argument(text: str) -> float:
    """A share, above 0 and at most 1."""
    return _number(text, float, lambda share: 0 < share <= 1, "share, above 0 and at most 1")


def milliseconds_argument(text: str) -> float:
    """A time that is not below 0, and is one."""
    return _number(text, float, lambda ms: 0 <= ms < _LONGEST_S * 1e3, "time in milliseconds")


def seconds_argument(text: str) -> float:
    """A time that is not below 0, and is one."""
    return _number(text, float, lambda s: 0 <= s < _LONGEST_S, "time in seconds")


def _number(
    text: str, parse: Callable[[str], float], fits: Callable[[float], bool], what: str
) -> float:
    """What a text says, if that fits; `what` it is not otherwise. Raises typer.BadParameter."""
    try:
        number = parse(text)
    except ValueError:
        number = nan
    if not fits(number):
        raise typer.BadParameter(f"{text!r} is no {what}")
    return number


class StrategyName(StrEnum):
    """The strategies by the names that operators know them by."""

    UHAUL = "uhaul"
    OPENNF = "opennf"
    DIST = "dist"
    SPLIT_MERGE = "split-merge"
    DRAIN = "drain"
    ALL_LIVE = "all-live"


NorthboundOption = Annotated[
    str,
    typer.Option(
        "--northbound",
        envvar="UHAUL_NORTHBOUND",
        metavar="unix:/PATH",
        help="Where the controller listens.",
        default_factory=lambda: f"unix:{_DEFAULT_SOCKET.absolute()}",
        show_default=f"unix:{_DEFAULT_SOCKET}",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
ConfigOption = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="Topology file (YAML).")
]
DetectorOption = Annotated[
    DetectorName | None,
    typer.Option("--detector", help="How elephants are told from mice.", show_default=_CONFIGURED),
]
RhoOption = Annotated[
    float | None,
    typer.Option(
        "--rho",
        parser=share_argument,
        metavar="SHARE",
        help="proportion: the largest flows that carry this share of the live bytes.",
        show_default=_CONFIGURED,
    ),
]
SizeOption = Annotated[
    float | None,
    typer.Option(
        "--size",
        parser=size_argument,
        metavar="BYTES",
        help="size, bayes: what makes an elephant, as 3MB.",
        show_default=_CONFIGURED,
    ),
]
ThetaOption = Annotated[
    float | None,
    typer.Option(
        "--theta",
        parser=share_argument,
        metavar="SHARE",
        help="survival: the least chance to outlive the move.",
        show_default=_CONFIGURED,
    ),
]
DistributionOption = Annotated[
    str | None,
    typer.Option(
        "--distribution",
        metavar="NAME|FILE",
        help=f"bayes, survival: of flow sizes; {LEARNT}, {', '.join(BUILTIN)}, or a file.",
        show_default=_CONFIGURED,
    ),
]
EdmOption = Annotated[
    Edm | None,
    typer.Option(
        "--edm", help="Who counts the bytes: the switch, or the NF.", show_default=_CONFIGURED
    ),
]
SourceArgument = Annotated[
    str, typer.Argument(metavar="SRC", help="Instance that the flows leave.")
]
DestinationsArgument = Annotated[
    list[str],
    typer.Argument(metavar="DST...", help="Instance that they go to; several divide them."),
]
ShareOption = Annotated[
    float | None,
    typer.Option(
        "--share",
        parser=share_argument,
        metavar="SHARE",
        help="Only flows of this share of the hash buckets that SRC owns.",
        show_default="all of SRC's flows",
    ),
]
StragglersOption = Annotated[
    float | None,
    typer.Option(
        "--stragglers",
        parser=seconds_argument,
        metavar="SECONDS",
        help="After so long, also move flows left behind that would outlive that move.",
        show_default="never",
    ),
]
GuaranteeOption = Annotated[
    Guarantee, typer.Option("--guarantee", help="What is promised to packets of moved flows.")
]
KeepAtOption = Annotated[
    KeepAt | None,
    typer.Option(
        "--keep-at",
        help="Where packets wait while the state moves.",
        show_default="where the strategy keeps them",
    ),
]
StrategyOption = Annotated[
    StrategyName,
    typer.Option(
        "--strategy", help="Which flows move, and how; uhaul is move-elephant with its defaults."
    ),
]
ParallelizeOption = Annotated[
    bool, typer.Option(help="Put each state as it is got, instead of all gets first.")
]
EarlyReleaseOption = Annotated[
    bool | None,
    typer.Option(
        "--early-release/--no-early-release",
        help="Release each flow when its state is in place, not when all are.",
        show_default="as the strategy does",
    ),
]
WaitOption = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait until all that is selected is moved.")
]
WaitDrainOption = Annotated[
    bool, typer.Option("--wait-drain", help="Wait until the flows left behind have died out.")
]


def shares(total: float | None, destinations: int) -> list[float | None]:
    """What each destination takes of the buckets that those before it have left to the source.

    All get as many; `total` is what they get together, None or 1 being everything.
    """
    if destinations == 1:
        return [total]
    whole = total or 1.0
    return [whole / (destinations - taken * whole) for taken in range(destinations)]


def controllers_path(distribution: str | None) -> str | None:
    """A distribution for the controller: a file by its path from the root."""
    if distribution is None or distribution in (LEARNT, *BUILTIN):
        return distribution
    return str(Path(distribution).absolute())


def elephant_choice(
    detector: DetectorName | None,
    rho: float | None,
    size: float | None,
    theta: float | None,
    distribution: str | None,
    edm: Edm | None,
) -> dict[str, Any]:
    """The fields of `Choice`."""
    return {
        "detector": detector,
        "rho": rho,
        "size": size,
        "theta": theta,
        "distribution": controllers_path(distribution),
        "edm": edm,
    }
