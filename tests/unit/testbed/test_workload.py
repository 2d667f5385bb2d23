"""The workload has the statistics of the distribution it is drawn from."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from testbed.workload import WEB_SEARCH, SizeDistribution, Workload

UNIFORM = SizeDistribution("uniform", False, ((0, 0.0), (100, 1.0)))


def test_web_search_mean_is_the_published_one() -> None:
    assert WEB_SEARCH.mean() == pytest.approx(1.711e6, rel=1e-3)


@pytest.mark.parametrize(
    ("distribution", "size", "byte_share", "flow_share"),
    [
        (UNIFORM, 0, 1.0, 1.0),
        (UNIFORM, 50, 0.75, 0.5),
        (UNIFORM, 100, 0.0, 0.0),
        # 3 % of the flows, 20 MB each in the mean.
        (WEB_SEARCH, 10e6, 0.6e6 / 1.711e6, 0.03),
        (WEB_SEARCH, 30e6, 0.0, 0.0),
    ],
)
def test_shares(
    distribution: SizeDistribution, size: float, byte_share: float, flow_share: float
) -> None:
    assert distribution.byte_share_from(size) == pytest.approx(byte_share, rel=1e-3)
    assert distribution.flow_share_from(size) == pytest.approx(flow_share)


@pytest.mark.parametrize(("cap", "mean"), [(0, 0.0), (50, 37.5), (100, 50.0)])
def test_mean_of_sizes_cut_at_a_cap(cap: float, mean: float) -> None:
    assert UNIFORM.mean_capped(cap) == pytest.approx(mean)


def test_scaling_keeps_the_shares() -> None:
    scaled = WEB_SEARCH.scaled(0.01)
    assert scaled.mean() == pytest.approx(WEB_SEARCH.mean() / 100)
    assert scaled.byte_share_from(10e4) == pytest.approx(WEB_SEARCH.byte_share_from(10e6))


@pytest.mark.parametrize(
    "points",
    [
        ((0, 0.0),),
        ((0, 0.1), (1, 1.0)),
        ((0, 0.0), (1, 0.9)),
        ((0, 0.0), (2, 0.5), (1, 1.0)),
        ((0, 0.0), (1, 0.5), (2, 0.4), (3, 1.0)),
    ],
)
def test_a_distribution_that_is_none_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="bad"):
        SizeDistribution("bad", False, points)


def test_samples_have_the_distribution_and_the_rate() -> None:
    workload = Workload(seed=7, rate_per_s=400, sizes=WEB_SEARCH)
    flows = list(islice(workload.flows(), 40_000))
    sizes = np.array([flow.size for flow in flows])
    assert sizes.mean() == pytest.approx(WEB_SEARCH.mean(), rel=0.03)
    for size, share in WEB_SEARCH.points[1:-1]:
        assert (sizes <= size).mean() == pytest.approx(share, abs=0.01)
    assert flows[-1].start_s == pytest.approx(100, rel=0.02)
    gaps = np.diff([flow.start_s for flow in flows])
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03)  # exponential
    assert [flow.number for flow in flows] == list(range(40_000))
    assert np.mean([flow.reverse for flow in flows]) == pytest.approx(0.25, abs=0.01)


def test_the_same_seed_gives_the_same_flows() -> None:
    def first(seed: int) -> list[object]:
        workload = Workload(seed=seed, rate_per_s=10, sizes=UNIFORM)
        return list(islice(workload.flows(), 2000))

    assert first(1) == first(1)
    assert first(1) != first(2)
