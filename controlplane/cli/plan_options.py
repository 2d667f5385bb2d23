"""Arguments and options of `controlplane plan`, without what it takes to make a plan."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.options import (
    milliseconds_argument,
    rate_argument,
    share_argument,
    size_argument,
)
from controlplane.sizes.builtin import BUILTIN

USUAL_FLOWS = 100
"""Live flows, where nothing says how many there are."""


class CostsName(StrEnum):
    """What a move is taken to cost."""

    MEASURED = "measured"
    PAPER = "paper"


SizesArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="SIZES",
        help=f"{', '.join(BUILTIN)}, a file (CDF, list of flows) or a packet capture; "
        "without it, the flows that a controller sees now.",
        show_default=False,
    ),
]
FlowsOption = Annotated[
    int | None,
    typer.Option(
        "--flows",
        min=1,
        max=100_000,
        help="Live flows at a time.",
        show_default=f"as in the paper or in the capture, else {USUAL_FLOWS}",
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--rate",
        parser=rate_argument,
        metavar="BITS",
        help="That all flows send together, in bits a second, as 10G.",
        show_default="as in the capture, else 10G",
    ),
]
RhosOption = Annotated[
    list[float] | None,
    typer.Option(
        "--rho",
        parser=share_argument,
        metavar="SHARE",
        help="proportion: try this one; several times.",
        show_default="several",
    ),
]
SizesOption = Annotated[
    list[float] | None,
    typer.Option(
        "--size",
        parser=size_argument,
        metavar="BYTES",
        help="size, bayes: try this one; several times.",
        show_default="several",
    ),
]
ThetasOption = Annotated[
    list[float] | None,
    typer.Option(
        "--theta",
        parser=share_argument,
        metavar="SHARE",
        help="survival: try this one; several times.",
        show_default="several",
    ),
]
CostsOption = Annotated[
    CostsName | None,
    typer.Option(
        "--costs",
        help="Of a move: as measured here, or as in the paper.",
        show_default="the controller's own moves, else measured",
    ),
]
FixedOption = Annotated[
    float | None,
    typer.Option(
        "--fixed-ms",
        parser=milliseconds_argument,
        metavar="MS",
        help="Downtime of a move, whatever it moves.",
    ),
]
FlowOption = Annotated[
    float | None,
    typer.Option(
        "--flow-ms",
        parser=milliseconds_argument,
        metavar="MS",
        help="Downtime for each flow moved.",
    ),
]
DrawsOption = Annotated[
    int, typer.Option("--draws", min=1, max=100_000, help="How often to draw the flows.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of what is drawn.")]
PlotOption = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Draw it, as .png, .svg or .pdf.", dir_okay=False),
]
