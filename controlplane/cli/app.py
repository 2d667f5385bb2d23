"""Commands of `controlplane`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import BaseModel
from rich.console import Console, RenderableType
from typer.exceptions import TyperException

from controlplane.cli import render
from controlplane.cli.client import Northbound
from controlplane.cli.errors import CommandError
from controlplane.cli.follow import follow
from controlplane.cli.options import (
    ConfigOption,
    DestinationsArgument,
    DetectorOption,
    DistributionOption,
    EarlyReleaseOption,
    EdmOption,
    GuaranteeOption,
    JsonOption,
    KeepAtOption,
    NorthboundOption,
    ParallelizeOption,
    RhoOption,
    ShareOption,
    SizeOption,
    SourceArgument,
    StragglersOption,
    StrategyName,
    StrategyOption,
    ThetaOption,
    WaitDrainOption,
    WaitOption,
    elephant_choice,
    shares,
)
from controlplane.cli.plan_options import (
    CostsOption,
    DrawsOption,
    FixedOption,
    FlowOption,
    FlowsOption,
    PlotOption,
    RateOption,
    RhosOption,
    SeedOption,
    SizesArgument,
    SizesOption,
    ThetasOption,
)
from controlplane.cli.shell import open_shell
from controlplane.migration.options import Guarantee, Kind, Scope
from controlplane.migration.report import CANCELLABLE, ENDED, MoveReport, MoveState
from controlplane.migration.strategy import BY_NAME
from controlplane.northbound.models import ElephantsRequest, MoveRequest

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The U-HAUL controller: moves the state of flows between NF instances.",
)

_PLAIN_WIDTH = 160


def _console() -> Console:
    """The terminal; a file or a pipe is as wide as the tables need."""
    return Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)


def _print(view: BaseModel, table: RenderableType, *, as_json: bool) -> None:
    if as_json:
        typer.echo(view.model_dump_json())
    else:
        _console().print(table)


@app.command()
def run(
    config: ConfigOption,
    stand_by: Annotated[
        bool, typer.Option("--stand-by", help="Wait until the switch has no other controller.")
    ] = False,
) -> None:
    """Run the controller in the foreground, until SIGINT or SIGTERM."""
    from controlplane.config import ConfigError
    from controlplane.daemon import DaemonError, run_daemon

    try:
        run_daemon(config, stands_by=stand_by)
    except (ConfigError, DaemonError) as error:
        raise CommandError(str(error)) from None


@app.command("check-config")
def check_config(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Topology file (YAML).")],
    as_json: JsonOption = False,
) -> None:
    """Check a topology file, without touching anything."""
    from controlplane.config import ConfigError, load
    from controlplane.topology import Topology, TopologyError

    try:
        config = load(file)
        Topology(config)
    except ConfigError as error:
        raise CommandError(str(error)) from None
    except TopologyError as error:
        raise CommandError(f"{file}: {error}") from None
    if as_json:
        typer.echo(config.model_dump_json())
    else:
        typer.echo(
            f"{file}: good: {len(config.hosts)} hosts, {len(config.instances)} instances, "
            f"{len(config.groups)} groups"
        )


@app.command()
def status(northbound: NorthboundOption, as_json: JsonOption = False) -> None:
    """Show the switch, the instances and what is being moved."""
    with Northbound(northbound) as controller:
        view = controller.status()
    _print(view, render.status(view), as_json=as_json)


@app.command()
def flows(northbound: NorthboundOption, as_json: JsonOption = False) -> None:
    """Show the active flows, largest first."""
    with Northbound(northbound) as controller:
        view = controller.flows()
    _print(view, render.flows(view), as_json=as_json)


@app.command()
def elephants(
    northbound: NorthboundOption,
    detector: DetectorOption = None,
    rho: RhoOption = None,
    size: SizeOption = None,
    theta: ThetaOption = None,
    distribution: DistributionOption = None,
    edm: EdmOption = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="INSTANCE", help="Only flows of this one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the flows that move-elephant would move."""
    choice = elephant_choice(detector, rho, size, theta, distribution, edm)
    with Northbound(northbound) as controller:
        view = controller.elephants(ElephantsRequest(**choice, instance=at))
    _print(view, render.elephants(view), as_json=as_json)


@app.command()
def plan(
    northbound: NorthboundOption,
    sizes: SizesArgument = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="INSTANCE", help="Without SIZES: only flows of this one."),
    ] = None,
    distribution: DistributionOption = None,
    flows: FlowsOption = None,
    rate: RateOption = None,
    rho: RhosOption = None,
    size: SizesOption = None,
    theta: ThetasOption = None,
    costs: CostsOption = None,
    fixed_ms: FixedOption = None,
    flow_ms: FlowOption = None,
    draws: DrawsOption = 200,
    seed: SeedOption = 1,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a move would come to, for each definition of an elephant."""
    from controlplane.cli import planning

    if sizes is None:
        if flows is not None or rate is not None:
            raise CommandError("--flows and --rate go with SIZES: a controller's flows are known")
        found = planning.of_controller(northbound, at, distribution)
    else:
        if at is not None or distribution is not None:
            raise CommandError("--at and --distribution are for a controller's flows, not SIZES")
        found = planning.of_sizes(sizes, flows, rate)
    found = replace(found, costs=planning.costs_of(found, costs, fixed_ms, flow_ms))
    made = planning.make_plan(found, rhos=rho, sizes=size, thetas=theta, draws=draws, seed=seed)
    view = planning.as_view(made, found, draws=draws, seed=seed)
    if plot is not None:
        planning.draw_picture(made, view, plot)
    _print(view, planning.rendered(view), as_json=as_json)


@app.command()
def moves(northbound: NorthboundOption, as_json: JsonOption = False) -> None:
    """Show all moves, oldest first."""
    with Northbound(northbound) as controller:
        reports = controller.moves()
    if as_json:
        typer.echo(f"[{','.join(report.model_dump_json() for report in reports)}]")
    else:
        _console().print(render.moves(reports))


@app.command()
def cancel(
    number: Annotated[str, typer.Argument(metavar="ID", help="The move, as in `moves`.")],
    northbound: NorthboundOption,
    as_json: JsonOption = False,
) -> None:
    """Cancel a move: flows that are not committed stay at the source."""
    with Northbound(northbound) as controller:
        controller.cancel(number)
        [report] = follow(controller, [number], drain=False, console=Console(stderr=True))
    _print(report, render.report(report), as_json=as_json)


@app.command()
def move(
    source: SourceArgument,
    destinations: DestinationsArgument,
    northbound: NorthboundOption,
    strategy: StrategyOption = StrategyName.OPENNF,
    guarantee: GuaranteeOption = Guarantee.LOSS_FREE,
    keep_at: KeepAtOption = None,
    share: ShareOption = None,
    parallelize: ParallelizeOption = True,
    early_release: EarlyReleaseOption = None,
    wait: WaitOption = True,
    wait_drain: WaitDrainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move the flows of SRC to DST: all, as OpenNF does, or as another strategy does.

    Several DST divide them: one move each, all at the same time.
    """
    asked = MoveRequest(
        kind=BY_NAME[strategy].kind,
        source=source,
        destination=destinations[0],
        share=share,
        guarantee=guarantee,
        keep_at=keep_at,
        parallelize=parallelize,
        early_release=early_release,
    )
    _move(northbound, asked, destinations, wait=wait, drain=wait_drain, as_json=as_json)


@app.command("move-elephant")
def move_elephant(
    source: SourceArgument,
    destinations: DestinationsArgument,
    northbound: NorthboundOption,
    scope: Annotated[Scope, typer.Option(help="Which state is moved.")] = Scope.PER_FLOW,
    guarantee: GuaranteeOption = Guarantee.LOSS_FREE,
    keep_at: KeepAtOption = None,
    detector: DetectorOption = None,
    rho: RhoOption = None,
    size: SizeOption = None,
    theta: ThetaOption = None,
    distribution: DistributionOption = None,
    edm: EdmOption = None,
    share: ShareOption = None,
    stragglers: StragglersOption = None,
    parallelize: ParallelizeOption = True,
    early_release: EarlyReleaseOption = None,
    wait: WaitOption = True,
    wait_drain: WaitDrainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move the elephants of SRC to DST; mice die out at SRC, new flows begin at DST.

    Several DST divide them: one move each, all at the same time.
    """
    asked = MoveRequest(
        kind=Kind.MOVE_ELEPHANT,
        source=source,
        destination=destinations[0],
        share=share,
        stragglers_after_s=stragglers,
        scope=scope,
        guarantee=guarantee,
        keep_at=keep_at,
        parallelize=parallelize,
        early_release=early_release,
        **elephant_choice(detector, rho, size, theta, distribution, edm),
    )
    _move(northbound, asked, destinations, wait=wait, drain=wait_drain, as_json=as_json)


def _move(
    address: str,
    asked: MoveRequest,
    destinations: list[str],
    *,
    wait: bool,
    drain: bool,
    as_json: bool,
) -> None:
    """One move to each of the destinations."""
    if len(destinations) > 1 and len({asked.source, *destinations}) <= len(destinations):
        raise CommandError("SRC and the DST are to be different instances")
    begun: list[str] = []
    with Northbound(address) as controller:
        try:
            for destination, share in zip(
                destinations, shares(asked.share, len(destinations)), strict=True
            ):
                each = asked.model_copy(update={"destination": destination, "share": share})
                begun.append(controller.begin(each).id)
            if wait or drain:
                follow(controller, begun, drain=drain, console=Console(stderr=True))
            reports = [controller.move(number, timeline=as_json) for number in begun]
        except CommandError as error:
            raise CommandError(f"{error}{_begun(begun)}") from None
        except KeyboardInterrupt:
            if not begun:
                raise
            raise CommandError(_interrupted(map(controller.move, begun))) from None
    for report in reports:
        _print(report, render.report(report), as_json=as_json)
    bad = [each for each in reports if each.state in (MoveState.FAILED, MoveState.CANCELLED)]
    if bad:
        raise CommandError("; ".join(f"{each.id} {each.state}: {each.reason}" for each in bad))


def _interrupted(reports: Iterable[MoveReport]) -> str:
    """What goes on although nobody waits for it."""
    words: list[str] = []
    for each in reports:
        state = f"{each.id} is {each.state}"
        if each.state in CANCELLABLE:
            words.append(f"{state}, and goes on: `controlplane cancel {each.id}` would undo it")
        else:
            words.append(state if each.state in ENDED else f"{state}, and goes on")
    return "; ".join(words)


def _begun(moves: list[str]) -> str:
    return f" (begun: {', '.join(moves)})" if moves else ""


@app.command()
def events(
    northbound: NorthboundOption,
    move: Annotated[
        str | None, typer.Argument(metavar="MOVE", help="Only of this move.", show_default="all")
    ] = None,
    follow: Annotated[bool, typer.Option(help="Go on; with MOVE until that has ended.")] = False,
) -> None:
    """Print what happens, phase by phase of each flow, as one JSON object a line."""
    with Northbound(northbound) as controller:
        try:
            for line in controller.events(move=move, follow=follow):
                print(line, flush=follow)
        except KeyboardInterrupt:
            raise typer.Abort from None


@app.command()
def shell(
    northbound: NorthboundOption,
    p4runtime: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="P4Runtime server: unix:/path or host:port.",
            show_default="the controller's switch",
        ),
    ] = None,
    device_id: Annotated[int, typer.Option(help="With --p4runtime.")] = 1,
) -> None:
    """Open p4runtime-shell on the running switch, read-only beside the controller."""
    if p4runtime is None:
        with Northbound(northbound) as controller:
            switch = controller.status().switch
        p4runtime, device_id = switch.p4runtime, switch.device_id
    open_shell(p4runtime, device_id)


def main() -> None:
    """Entry point of the command: errors are one line; exit code 2 for wrong usage, else 1."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        sys.exit(app(prog_name="controlplane", standalone_mode=False))
    except CommandError as error:
        _refuse(str(error), 1)
    except TyperException as error:
        # Empty where no command was named: the help has been printed.
        _refuse(error.format_message(), error.exit_code)
    except typer.Abort:
        sys.exit(130)


def _refuse(message: str, exit_code: int) -> NoReturn:
    if message:
        print(f"controlplane: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(exit_code)
