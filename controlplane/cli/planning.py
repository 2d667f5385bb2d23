"""`controlplane plan`: what each definition of an elephant would come to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from controlplane.cli.client import Northbound
from controlplane.cli.errors import CommandError
from controlplane.cli.options import controllers_path
from controlplane.cli.plan_options import USUAL_FLOWS, CostsName
from controlplane.cli.render import milliseconds, new_table
from controlplane.northbound.models import PopulationRequest, PopulationView
from controlplane.planning import costs as move_costs
from controlplane.planning.costs import MoveCosts
from controlplane.planning.definitions import RHOS, THETAS, default_sizes, definitions
from controlplane.planning.forecast import Plan, plan
from controlplane.planning.population import Observed, Population, Steady
from controlplane.planning.view import PlanView, view
from controlplane.sizes.builtin import ACTIVE_FLOWS, BUILTIN, PAPER_BITS_PER_S
from controlplane.sizes.capture_file import is_capture
from controlplane.sizes.distribution import SizeDistribution, SizesError
from controlplane.sizes.estimate import estimate
from controlplane.sizes.files import find_distribution
from controlplane.sizes.pcap import captured_flows

_LEAST_BITS_PER_S = 1.0
_MOST_ENDING = 1e6  # flows in one draw: more take memory
_MOST_DRAWN = 4e7  # flows in all draws: more take minutes


@dataclass(frozen=True)
class Found:
    """What there is to plan for."""

    population: Population
    flows: str
    """Where they come from, for people."""
    costs: MoveCosts = move_costs.MEASURED
    """Of a move there."""


def of_sizes(name: str, flows: int | None, bits_per_s: float | None) -> Found:
    """Flows with the sizes of a distribution or a capture. Raises CommandError."""
    rate = bits_per_s
    try:
        if name not in BUILTIN and Path(name).is_file() and is_capture(Path(name)):
            captured = captured_flows(Path(name))
            sizes = estimate(name, captured.ended, captured.live)
            live, rate = captured.live_flows(), rate or captured.bytes_per_s() * 8
            flows, where = flows or max(1, round(live)), "as many as in the capture"
            if not rate:
                raise SizesError(f"{name}: all packets came at once: say --rate")
        else:
            sizes = find_distribution(name)
            where = "as many as given" if flows else "a number taken at will"
            if flows is None and name in ACTIVE_FLOWS:
                flows, where = _papers(name, sizes), "as many as in the paper"
    except SizesError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror or error}") from None
    rate = rate or PAPER_BITS_PER_S
    population = Steady(sizes, flows or USUAL_FLOWS, rate / 8)
    if not rate >= _LEAST_BITS_PER_S or not population.ending <= _MOST_ENDING:
        raise CommandError(
            f"{rate:.4g} bits a second are {population.ending:.4g} flows of {name}"
            f" in {population.window_s:g} s: say another --rate"
        )
    return Found(population, f"{where}, sharing {rate / 1e9:.4g} Gb/s")


def _papers(name: str, sizes: SizeDistribution) -> int:
    """Live flows: the paper's active ones without those that ended within the window."""
    ended = PAPER_BITS_PER_S / 8 / sizes.mean() * Steady.window_s
    return max(1, round(ACTIVE_FLOWS[name] - ended))


def of_controller(address: str, at: str | None, distribution: str | None) -> Found:
    """The flows that a controller's switch sees now. Raises CommandError."""
    asked = PopulationRequest(instance=at, distribution=controllers_path(distribution))
    with Northbound(address) as controller:
        seen = controller.population(asked)
    if not any(not ended for ended in seen.ended):
        raise CommandError(f"no live flow{f' at {at}' if at else ''}: there is nothing to plan")
    fitted = move_costs.fitted([(move.flows, move.downtime_ms) for move in seen.moves])
    return Found(
        _observed(seen), f"as seen at {at or 'all instances'}", fitted or move_costs.MEASURED
    )


def _observed(seen: PopulationView) -> Observed:
    learnt = seen.distribution
    return Observed(
        SizeDistribution(learnt.name, learnt.published, learnt.points),
        np.array(seen.bytes, np.int64),
        np.array(seen.bytes_per_s, np.float64),
        np.array(seen.ended, np.bool_),
        seen.window_ms / 1e3,
    )


def make_plan(
    found: Found,
    *,
    rhos: list[float] | None,
    sizes: list[float] | None,
    thetas: list[float] | None,
    draws: int,
    seed: int,
) -> Plan:
    """Weighs the definitions; what is None is as usual. Raises CommandError."""
    population = found.population
    if population.active * draws > _MOST_DRAWN:
        most = max(1, int(_MOST_DRAWN / population.active))
        fewer = ", or another --rate or --flows" if isinstance(population, Steady) else ""
        raise CommandError(
            f"{draws} draws of {population.active:,.0f} flows would take long: "
            f"say --draws {most}{fewer}"
        )
    some = any((rhos, sizes, thetas))
    choices = definitions(
        (rhos or ()) if some else RHOS,
        (sizes or ()) if some else default_sizes(population.sizes),
        (thetas or ()) if some else THETAS,
    )
    return plan(population, choices, found.costs, draws=draws, seed=seed)


def costs_of(
    found: Found, name: CostsName | None, fixed_ms: float | None, flow_ms: float | None
) -> MoveCosts:
    """What a move costs: as found, unless something else is asked for."""
    by_name = {CostsName.MEASURED: move_costs.MEASURED, CostsName.PAPER: move_costs.PAPER}
    return (by_name[name] if name else found.costs).overridden(fixed_ms, flow_ms)


def as_view(made: Plan, found: Found, *, draws: int, seed: int) -> PlanView:
    """The plan for output."""
    sizes = found.population.sizes
    return view(
        made,
        found.costs,
        flows=found.flows,
        sizes=sizes.name,
        published=sizes.published,
        draws=draws,
        seed=seed,
    )


def draw_picture(made: Plan, shown: PlanView, file: Path) -> None:
    """Writes the picture. Raises CommandError."""
    from controlplane.planning.picture import draw

    title = f"{shown.sizes}: {shown.live_flows:,.0f} live flows, {shown.flows}"
    try:
        draw(made, title, file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandError(f"{file}: {reason or error}") from None


def rendered(shown: PlanView) -> RenderableType:
    """The plan on the terminal."""
    rows = new_table(
        f"{shown.live_flows:,.4g} live of {shown.active_flows:,.4g} active flows, {shown.flows}",
        "moved are",
        ">flows moved",
        ">of the bytes",
        ">left",
        ">downtime",
        ">die-out",
        ">total",
        ">total p90",
        "",
    )
    for each in shown.definitions:
        rows.add_row(
            each.name,
            f"{each.flows_moved:,.1f}",
            f"{100 * each.byte_share:.0f} %",
            f"{each.flows_left:,.1f}",
            milliseconds(each.downtime_ms),
            milliseconds(each.die_out_ms),
            milliseconds(each.total_ms),
            milliseconds(each.total_p90_ms),
            "best" if each.best else "",
            style="bold" if each.best else "",
        )
    kind = "published" if shown.published else "not published"
    costs = shown.costs
    notes = (
        f"sizes: {shown.sizes} ({kind}); means of {shown.draws:,} draws, seed {shown.seed}",
        f"a move takes {costs.fixed_ms:.4g} ms + {costs.flow_ms:.4g} ms a flow ({costs.source})",
    )
    return Group(rows, *map(Text, notes))
