"""Plans against what can be worked out by hand, and the flows that they are made for.

Run: pytest tests/unit/planning/test_plan_forecast.py
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from controlplane.detection.choice import Choice, DetectorName
from controlplane.planning.costs import MEASURED, PAPER, MoveCosts, fitted
from controlplane.planning.definitions import default_sizes, definitions
from controlplane.planning.forecast import EVERYTHING, NOTHING, Forecast, plan
from controlplane.planning.population import Draw, Observed, Steady
from controlplane.sizes.builtin import CACHE, WAN, WEB_SEARCH
from controlplane.sizes.distribution import SizeDistribution

UNIFORM = SizeDistribution("uniform", False, ((0, 0.0), (1_000_000, 1.0)))
GAP = SizeDistribution("gap", False, ((0, 0.0), (1000, 0.5), (9000, 0.5), (10_000, 1.0)))
FREE = MoveCosts(0.0, 0.0, "free")
SEED = 7


def draws(population: Steady | Observed, count: int) -> Iterator[Draw]:
    return population.draws(np.random.default_rng(SEED), count)


def observed(*flows: tuple[int, float], ended: tuple[int, ...] = ()) -> Observed:
    """Flows by what they have sent and their bytes a second."""
    sent, rates = zip(*flows, strict=True)
    return Observed(
        UNIFORM,
        np.array(sent, np.int64),
        np.array(rates, np.float64),
        np.isin(np.arange(len(flows)), ended),
    )


def by_name(forecasts: tuple[Forecast, ...]) -> dict[str, Forecast]:
    return {each.name: each for each in forecasts}


# --- costs --------------------------------------------------------------------------


def test_downtime_is_a_line_and_nothing_takes_no_time() -> None:
    costs = MoveCosts(10.0, 0.5, "")
    assert [costs.downtime_ms(flows) for flows in (0, 1, 100)] == [0.0, 10.5, 60.0]


def test_the_measured_costs_are_those_of_the_readme() -> None:
    assert MEASURED.downtime_ms(60) == pytest.approx(64.4, rel=0.01)
    assert MEASURED.downtime_ms(1138) == pytest.approx(572.8, rel=0.01)
    assert PAPER.downtime_ms(1000) == 400


@pytest.mark.parametrize(
    ("case", "moves", "expected"),
    [
        ("none", [], None),
        ("one", [(10, 20.0)], None),
        ("all alike", [(10, 20.0), (11, 22.0)], None),
        ("more in less time", [(10, 20.0), (100, 10.0)], None),
        ("a line", [(10, 15.0), (30, 25.0), (50, 35.0)], (10.0, 0.5)),
        ("below nothing at nothing", [(10, 5.0), (20, 20.0)], (0.0, 0.9)),
    ],
)
def test_costs_are_fitted_to_moves(
    case: str, moves: list[tuple[int, float]], expected: tuple[float, float] | None
) -> None:
    costs = fitted(moves)
    found = costs and (costs.fixed_ms, costs.flow_ms)
    assert found == (expected and pytest.approx(expected)), case


@pytest.mark.parametrize(
    ("fixed", "flow", "expected", "source"),
    [
        (None, None, (1.0, 2.0), "here"),
        (0.0, None, (0.0, 2.0), "as given, and here"),
        (None, 0.0, (1.0, 0.0), "as given, and here"),
        (3.0, 4.0, (3.0, 4.0), "as given"),
    ],
)
def test_costs_are_overridden(
    fixed: float | None, flow: float | None, expected: tuple[float, float], source: str
) -> None:
    costs = MoveCosts(1.0, 2.0, "here").overridden(fixed, flow)
    assert ((costs.fixed_ms, costs.flow_ms), costs.source) == (expected, source)


# --- the flows ----------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [UNIFORM, GAP, WEB_SEARCH, CACHE, WAN], ids=lambda s: s.name)
def test_what_steady_flows_have_sent_has_the_law_of_renewal_theory(
    sizes: SizeDistribution,
) -> None:
    """The density of what has been sent is (1 − F) / mean; that of what is left is the same."""
    steady = Steady(sizes, live_flows=100_000, bytes_per_s=1e9, window_s=0.0)
    (draw,) = draws(steady, 1)
    left = draw.left_s * draw.rates
    for cap in (0.01, 0.1, 0.3, 0.7):
        at = cap * sizes.largest
        expected = np.trapezoid(sizes.share_beyond(grid := np.linspace(0, at, 200_001)), grid)
        expected /= sizes.mean()
        assert float((draw.flows.bytes <= at).mean()) == pytest.approx(expected, abs=0.006)
        assert float((left <= at).mean()) == pytest.approx(expected, abs=0.006)


def test_no_steady_flow_has_a_size_that_there_is_not() -> None:
    (draw,) = draws(Steady(GAP, live_flows=10_000, bytes_per_s=1e9, window_s=0.0), 1)
    whole = draw.flows.bytes + draw.left_s * draw.rates
    assert not ((whole > 1001) & (whole < 8999)).any()
    assert whole.max() <= 10_001


def test_flows_that_ended_within_the_window_are_active() -> None:
    steady = Steady(UNIFORM, live_flows=10, bytes_per_s=1e9, window_s=0.1)
    made = list(draws(steady, 50))
    ended = np.mean([draw.flows.ended.sum() for draw in made])
    assert ended == pytest.approx(1e9 / 500_000 * 0.1, rel=0.05)
    for draw in made:
        assert int((~draw.flows.ended).sum()) == 10
        assert not draw.left_s[draw.flows.ended].any()


def test_observed_flows_end_as_those_that_got_as_far() -> None:
    population = observed((200_000, 1e6), (900_000, 1e5), (500_000, 1e6), ended=(2,))
    left = np.array([draw.left_s for draw in draws(population, 4000)])
    # Of a uniform distribution, what is left is uniform up to the largest.
    assert left[:, 0].mean() == pytest.approx(0.4, rel=0.03)
    assert left[:, 1].mean() == pytest.approx(0.5, rel=0.03)
    assert left[:, 0].max() <= 0.8
    assert not left[:, 2].any()


def test_a_flow_larger_than_any_has_as_much_before_it() -> None:
    (draw,) = draws(observed((3_000_000, 1e6)), 1)
    assert draw.left_s.tolist() == [3.0]


def test_a_flow_that_stands_still_does_not_last_for_ever() -> None:
    (draw,) = draws(observed((3_000_000, 0.0)), 1)
    assert draw.left_s.tolist() == [3_000_000 / 640]


# --- what comes of it ---------------------------------------------------------------


def test_expected_die_out_is_the_closed_form() -> None:
    """Of n flows of which none is moved: the mean of the greatest of n that are left.

    Left of a uniform distribution up to m is x or less with 1 − (1 − x/m)², so the expected
    greatest of n is m ∫ 1 − (1 − (1 − u)²)ⁿ du.
    """
    flows, rate = 20, 20e6
    made = plan(Steady(UNIFORM, flows, rate), (), FREE, draws=4000, seed=SEED)
    u = (np.arange(10_000) + 0.5) / 10_000
    expected_ms = float((1 - (1 - (1 - u) ** 2) ** flows).mean()) * 1e6 / (rate / flows) * 1e3
    nothing = by_name(made.forecasts)[NOTHING]
    assert nothing.die_out_ms == pytest.approx(expected_ms, rel=0.01)
    assert (nothing.moved, nothing.left, nothing.downtime_ms) == (0, flows, 0)


def test_a_size_moves_the_closed_form_s_share() -> None:
    """Flows that have sent X: n ∫ from X of (1 − F) / mean; their bytes likewise."""
    choice = Choice(detector=DetectorName.SIZE, size=500_000)
    costs = MoveCosts(5.0, 2.0, "")
    made = plan(Steady(UNIFORM, 100, 1e8), (choice,), costs, draws=2000, seed=SEED)
    found = by_name(made.forecasts)[choice.described()]
    assert found.moved == pytest.approx(100 * 0.25, rel=0.02)
    # ∫ c (1 − c) dc from ½ to 1, of ∫ from 0 to 1.
    assert found.byte_share == pytest.approx(0.5, rel=0.02)
    assert found.downtime_ms == pytest.approx(5 + 2 * found.moved)
    assert found.left == pytest.approx(100 - found.moved)


def test_a_plan_of_known_flows_by_hand() -> None:
    # Larger than any: they last 2, 4 and 30 seconds; the last of the four is over.
    population = observed((2_000_000, 1e6), (4_000_000, 1e6), (3_000_000, 1e5), (10, 1), ended=(3,))
    choices = (
        Choice(detector=DetectorName.PROPORTION, rho=0.4),
        Choice(detector=DetectorName.SIZE, size=3e6),
        Choice(detector=DetectorName.SURVIVAL, theta=0.5),
        Choice(detector=DetectorName.ALL_LIVE),
    )
    made = plan(population, choices, MoveCosts(100, 1000, ""), draws=3, seed=SEED)
    assert (made.active_flows, made.live_flows) == (4, 3)
    rows = [(f.moved, f.left, f.downtime_ms, f.die_out_ms, f.total_ms) for f in made.forecasts]
    assert rows == [
        (0, 3, 0, 30_000, 30_000),
        (1, 2, 1100, 28_900, 30_000),
        (2, 1, 2100, 0, 2100),  # the last mouse is gone when the move ends
        (3, 0, 3100, 0, 3100),
        (3, 0, 3100, 0, 3100),
        (4, 0, 4100, 0, 4100),
    ]
    assert made.best == 2
    assert made.forecasts[-1].name == EVERYTHING


def test_among_equals_the_one_that_moves_least_is_best() -> None:
    choices = definitions((), (), ())
    population = observed((3_000_000, 1e9), (3_000_000, 1e9), (10, 1e9), ended=(2,))
    free = plan(population, choices, FREE, draws=2, seed=SEED)
    assert [(f.total_ms, f.moved) for f in free.forecasts] == [(3, 0), (0, 2), (0, 3)]
    assert free.best == 1


def test_moving_nothing_is_best_where_a_move_takes_longer_than_the_flows() -> None:
    choices = definitions((0.5, 1.0), (1e6,), ())
    made = plan(observed((3_000_000, 1e9)), choices, MoveCosts(5, 0, ""), draws=2, seed=SEED)
    assert made.forecasts[made.best].name == NOTHING


def test_survival_asks_for_the_move_that_it_makes() -> None:
    """Left is uniform up to 1 s for each flow, so θ = ½ holds to a move of half a second."""
    population = observed(*[(1, 1e6)] * 40)
    choice = (Choice(detector=DetectorName.SURVIVAL, theta=0.5),)
    short = plan(population, choice, MoveCosts(0, 10, ""), draws=5, seed=SEED)
    assert short.forecasts[1].moved == 40
    long = plan(population, choice, MoveCosts(5000, 10, ""), draws=5, seed=SEED)
    assert long.forecasts[1].moved == 0


def test_survival_moves_the_fewer_the_surer_it_is_to_be() -> None:
    choices = definitions((), (), (0.05, 0.1, 0.5, 0.9))
    for flows in (3, 30, 300):
        made = plan(Steady(WAN, flows, 1.25e9), choices, MEASURED, draws=50, seed=SEED)
        moved = [each.moved for each in made.forecasts[1:5]]
        assert moved == sorted(moved, reverse=True), flows


def test_the_same_seed_makes_the_same_plan() -> None:
    population = Steady(WEB_SEARCH, 20, 1e9)
    choices = definitions((0.3,), (1e6,), (0.5,))
    one, other, third = (
        plan(population, choices, MEASURED, draws=20, seed=seed) for seed in (1, 1, 2)
    )
    assert one == other != third


def test_the_paper_s_definitions_are_tried_on_its_workloads() -> None:
    assert default_sizes(WAN) == (1e6, 1.5e6, 2e6, 2.5e6)
    sizes = default_sizes(UNIFORM)
    assert [round(UNIFORM.byte_share_from(size), 3) for size in sizes] == [0.9, 0.7, 0.5, 0.3, 0.1]
