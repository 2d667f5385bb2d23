"""A plan as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from controlplane.detection.choice import Choice
from controlplane.planning.costs import MoveCosts
from controlplane.planning.forecast import Plan


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CostsView(_Frozen):
    """What a move was taken to cost."""

    fixed_ms: float
    flow_ms: float
    source: str


class ForecastView(_Frozen):
    """What is expected of one definition: means over the draws, unless it says otherwise."""

    name: str
    elephants: Choice | None
    """To be asked of the controller; none for moving nothing, and everything."""
    flows_moved: float
    flows_left: float
    """Live flows that are left to die out."""
    byte_share: float
    """Of what the live flows have sent: the part of those that are moved."""
    downtime_ms: float
    die_out_ms: float
    """From the end of the move until the last flow left behind is over."""
    total_ms: float
    total_p90_ms: float
    best: bool
    """Whether its total is the least."""


class PlanView(_Frozen):
    """What each definition of an elephant would come to."""

    flows: str
    """Where the flows come from."""
    sizes: str
    """The distribution of sizes."""
    published: bool
    """Whether that is a published one."""
    active_flows: float
    live_flows: float
    costs: CostsView
    draws: int
    seed: int
    definitions: tuple[ForecastView, ...]

    @property
    def best(self) -> ForecastView:
        """The definition with the least total."""
        return next(each for each in self.definitions if each.best)


def view(
    plan: Plan, costs: MoveCosts, *, flows: str, sizes: str, published: bool, draws: int, seed: int
) -> PlanView:
    """The plan for output, rounded to what it can know."""
    return PlanView(
        flows=flows,
        sizes=sizes,
        published=published,
        active_flows=round(plan.active_flows, 1),
        live_flows=round(plan.live_flows, 1),
        costs=CostsView(
            fixed_ms=round(costs.fixed_ms, 4), flow_ms=round(costs.flow_ms, 4), source=costs.source
        ),
        draws=draws,
        seed=seed,
        definitions=tuple(
            ForecastView(
                name=each.name,
                elephants=each.choice,
                flows_moved=round(each.moved, 2),
                flows_left=round(each.left, 2),
                byte_share=round(each.byte_share, 4),
                downtime_ms=round(each.downtime_ms, 3),
                die_out_ms=round(each.die_out_ms, 3),
                total_ms=round(each.total_ms, 3),
                total_p90_ms=round(each.total_p90_ms, 3),
                best=number == plan.best,
            )
            for number, each in enumerate(plan.forecasts)
        ),
    )
