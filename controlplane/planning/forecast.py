"""What a move would come to, for each definition of an elephant.

The detectors are those of the controller, let loose on flows that are drawn. A move takes as
long as its costs say; meanwhile, and after, the flows that it leaves behind go on:

    downtime = fixed + flows moved · cost of a flow
    die-out  = what the last flow left behind lasts beyond the downtime, if it does
    total    = downtime + die-out

which is how the paper counts (§4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from controlplane.detection.choice import Choice, DetectorName, Settings
from controlplane.detection.registry import make_rule
from controlplane.planning.costs import MoveCosts
from controlplane.planning.population import Draw, Population

NOTHING = "nothing"
EVERYTHING = "everything"

_SETTLING = 6  # rounds until a move is about as long as it was taken to be
_SETTLING_DRAWS = 20
_SAME_MS = 1e-6

_Rows = npt.NDArray[np.intp]
_Choose: TypeAlias = Callable[[Draw], _Rows]


class Forecast(NamedTuple):
    """What is to be expected of a definition; means, unless it says otherwise."""

    name: str
    """As `proportion, ρ = 0.35`; `nothing` and `everything` are not elephants' definitions."""
    choice: Choice | None
    """To be asked of the controller; none of those two."""
    moved: float
    """Flows."""
    left: float
    """Live flows left behind."""
    byte_share: float
    """Of what the live flows have sent: the part of those that are moved."""
    downtime_ms: float
    die_out_ms: float
    total_ms: float
    total_p90_ms: float
    """Nine moves in ten take no longer."""


class Plan(NamedTuple):
    """All of them."""

    active_flows: float
    live_flows: float
    forecasts: tuple[Forecast, ...]
    best: int
    """Number of the one with the least total; among equals, of the one that moves least."""


@dataclass
class _Tally:
    """What came of one definition, draw by draw."""

    name: str
    choice: Choice | None
    choose: _Choose
    rows: list[tuple[float, ...]] = field(default_factory=list[tuple[float, ...]])

    def add(self, draw: Draw, chosen: _Rows, costs: MoveCosts) -> None:
        moved = np.zeros(len(draw.flows), np.bool_)
        moved[chosen] = True
        live = ~draw.flows.ended
        left = live & ~moved
        sent = draw.flows.bytes
        share = float(sent[moved & live].sum() / max(sent[live].sum(), 1))
        downtime_ms = costs.downtime_ms(len(chosen))
        last_ms = float(draw.left_s[left].max(initial=0)) * 1e3
        die_out_ms = max(last_ms - downtime_ms, 0.0)
        total_ms = downtime_ms + die_out_ms
        self.rows.append((len(chosen), int(left.sum()), share, downtime_ms, die_out_ms, total_ms))

    def forecast(self) -> Forecast:
        rows = np.array(self.rows)
        moved, left, share, downtime_ms, die_out_ms, total_ms = rows.mean(axis=0).tolist()
        return Forecast(
            self.name,
            self.choice,
            moved=moved,
            left=left,
            byte_share=share,
            downtime_ms=downtime_ms,
            die_out_ms=die_out_ms,
            total_ms=total_ms,
            total_p90_ms=float(np.percentile(rows[:, 5], 90)),
        )


def plan(
    population: Population,
    choices: Sequence[Choice],
    costs: MoveCosts,
    *,
    draws: int,
    seed: int,
) -> Plan:
    """Weighs the choices, and moving nothing and every active flow beside them.

    All see the same draws. Each choice names its detector and that one's parameters, but for
    the distribution: that is the population's.
    """
    some = list(population.draws(np.random.default_rng(seed), min(draws, _SETTLING_DRAWS)))
    tallies = [
        _Tally(NOTHING, None, lambda draw: np.zeros(0, np.intp)),
        *(_Tally(c.described(), c, _chooser(c, population, costs, some)) for c in choices),
        _Tally(EVERYTHING, None, lambda draw: np.arange(len(draw.flows))),
    ]
    active = live = 0
    chosen: list[_Rows] = []
    last: Draw | None = None
    for draw in population.draws(np.random.default_rng(seed), draws):
        active += len(draw.flows)
        live += int((~draw.flows.ended).sum())
        if last is None or draw.flows is not last.flows:
            chosen = [tally.choose(draw) for tally in tallies]
        last = draw
        for tally, rows in zip(tallies, chosen, strict=True):
            tally.add(draw, rows, costs)
    forecasts = tuple(tally.forecast() for tally in tallies)
    best = min(
        range(len(forecasts)),
        key=lambda n: (round(forecasts[n].total_ms / _SAME_MS), forecasts[n].moved),
    )
    return Plan(active / draws, live / draws, forecasts, best)


def _chooser(
    choice: Choice, population: Population, costs: MoveCosts, some: Sequence[Draw]
) -> _Choose:
    """The detector as a function from a draw to the rows that it selects.

    *survival* asks how long a move takes, and a move takes as long as it has flows: both are
    brought together over some draws.
    """

    def rule(move_s: float) -> _Choose:
        select = make_rule(choice, Settings(), lambda _: population.sizes, move_s).select
        return lambda draw: select(draw.flows, draw.rates)

    if choice.detector is not DetectorName.SURVIVAL:
        return rule(0.0)
    move_ms = costs.fixed_ms
    for _ in range(_SETTLING):
        choose = rule(move_ms / 1e3)
        flows = float(np.mean([len(choose(draw)) for draw in some]))
        # Not the downtime, which is nothing for no flow: what is asked is how long a flow
        # that is moved would take.
        move_ms = (move_ms + costs.fixed_ms + costs.flow_ms * flows) / 2
    return rule(move_ms / 1e3)
