"""The workload has the statistics of the distribution it is drawn from."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from controlplane.sizes.builtin import WEB_SEARCH
from controlplane.sizes.distribution import SizeDistribution
from testbed.workload import Workload

UNIFORM = SizeDistribution("uniform", False, ((0, 0.0), (100, 1.0)))


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
