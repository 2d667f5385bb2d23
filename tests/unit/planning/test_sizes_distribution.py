"""Size distributions: their arithmetic, and learning them from flows.

Run: pytest tests/unit/planning/test_sizes_distribution.py
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.sizes.builtin import BUILTIN, CACHE, DEFINITIONS, WAN, WAN_LIGHT, WEB_SEARCH
from controlplane.sizes.distribution import SizeDistribution, SizesError
from controlplane.sizes.estimate import estimate
from controlplane.sizes.units import format_size, parse_size

UNIFORM = SizeDistribution("uniform", False, ((0, 0.0), (100, 1.0)))
STEPS = SizeDistribution("steps", False, ((0, 0.0), (10, 0.5), (90, 0.5), (100, 1.0)))


@st.composite
def distributions(draw: st.DrawFn) -> SizeDistribution:
    sizes = sorted(draw(st.sets(st.integers(0, 10**8), min_size=2, max_size=8)))
    parts = draw(
        st.lists(st.integers(0, 50), min_size=len(sizes) - 1, max_size=len(sizes) - 1).filter(any)
    )
    shares = [0.0, *(np.cumsum(parts) / sum(parts)).tolist()]
    return SizeDistribution("drawn", False, tuple(zip(map(float, sizes), shares, strict=True)))


# --- arithmetic ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distribution", "mean"),
    [(WEB_SEARCH, 1.711e6), (CACHE, 390e3), (WAN, 223e3), (WAN_LIGHT, 145e3)],
)
def test_means_of_the_built_in_ones(distribution: SizeDistribution, mean: float) -> None:
    assert distribution.mean() == pytest.approx(mean, rel=5e-3)


def test_the_built_in_ones_satisfy_what_the_paper_says() -> None:
    """§2, and the WAN's shares of §4.5."""
    assert [each.published for each in BUILTIN.values()] == [True, False, False, False]
    for distribution in (WEB_SEARCH, CACHE, WAN):
        assert 0.5 <= 1 - distribution.flow_share_from(100e3) <= 0.7
    for distribution in (CACHE, WAN, WAN_LIGHT):
        assert distribution.flow_share_from(1e6) < 0.1
    for size, rho in ((1e6, 0.78), (1.5e6, 0.66), (2e6, 0.32), (2.5e6, 0.20)):
        assert WAN.byte_share_from(size) == pytest.approx(rho, abs=0.01)
    assert set(DEFINITIONS) == set(BUILTIN)


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
        ((-1, 0.0), (1, 1.0)),
        ((0, 0.0), (float("inf"), 1.0)),
        ((0, 0.0), (float("nan"), 1.0)),
        ((0, 0.0), (1, float("nan")), (2, 1.0)),
    ],
)
def test_a_distribution_that_is_none_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(SizesError, match=r"^bad: "):
        SizeDistribution("bad", False, points)


@pytest.mark.parametrize(
    ("so_far", "size", "share"),
    [(0, 50, 0.5), (50, 75, 0.5), (75, 75, 1.0), (80, 50, 1.0), (100, 101, 0.25), (120, 200, 0.25)],
)
def test_what_is_left_of_flows_that_have_come_so_far(
    so_far: float, size: float, share: float
) -> None:
    assert UNIFORM.share_left(size, so_far, unheard_of=0.25) == pytest.approx(share)


def test_shares_of_arrays_have_their_shape() -> None:
    so_far = np.array([[0.0, 10.0], [50.0, 95.0]])
    assert STEPS.share_left(95, so_far, unheard_of=0.0) == pytest.approx(
        np.array([[0.25, 0.5], [0.5, 1.0]])
    )
    assert STEPS.quantile(STEPS.shares) == pytest.approx([0, 90, 90, 100])


@given(distributions(), st.floats(0, 1))
def test_size_at_a_share_of_the_bytes_is_the_inverse(
    distribution: SizeDistribution, rho: float
) -> None:
    size = distribution.size_at_byte_share(rho)
    assert distribution.points[0][0] <= size <= distribution.largest
    assert distribution.byte_share_from(size) == pytest.approx(rho, abs=1e-6)


@given(distributions(), st.floats(0, 1.2e8), st.floats(0, 1.2e8))
def test_shares_are_shares(distribution: SizeDistribution, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= distribution.byte_share_from(high) <= distribution.byte_share_from(low) <= 1
    left = float(distribution.share_left(high, low, unheard_of=0.0))
    assert 0 <= left <= 1


# --- learning -----------------------------------------------------------------------


def sizes_of(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def test_few_flows_are_their_own_distribution() -> None:
    found = estimate("few", sizes_of(10, 30, 10, 20))
    assert found.points == ((9, 0), (10, 0.5), (19, 0.5), (20, 0.75), (29, 0.75), (30, 1))
    assert estimate("one", sizes_of(1)).points == ((0, 0), (1, 1))


@pytest.mark.parametrize(
    ("case", "ended", "live", "beyond_10"),
    [
        ("all have ended", (10, 20), (), 0.5),
        ("one that goes on counts with those that are larger", (10, 20), (15,), 2 / 3),
        ("one that has hardly begun says nothing", (10, 20), (5,), 0.5),
        ("a tie: what goes on was there when the other ended", (10, 20), (10,), 2 / 3),
        ("the largest goes on", (10,), (20,), 0.5),
        ("nothing has ended", (), (20, 40), 1.0),
    ],
)
def test_flows_that_go_on(
    case: str, ended: tuple[int, ...], live: tuple[int, ...], beyond_10: float
) -> None:
    found = estimate(case, sizes_of(*ended), sizes_of(*live))
    assert float(found.share_beyond(10)) == pytest.approx(beyond_10)
    assert found.largest == max(ended + live)


def test_without_a_flow_there_is_no_distribution() -> None:
    with pytest.raises(SizesError, match=r"^none: no flow with a byte in it$"):
        estimate("none", sizes_of(0), sizes_of())


@pytest.mark.parametrize("true", BUILTIN.values(), ids=lambda each: each.name)
def test_a_sample_has_the_distribution_it_was_drawn_from(true: SizeDistribution) -> None:
    draw = np.random.default_rng(4)
    sample = np.ceil(np.maximum(true.quantile(draw.random(50_000)), 1)).astype(np.int64)
    found = estimate("sample", sample)
    assert len(found.points) <= 4 * 128 + 2
    assert found.mean() == pytest.approx(sample.mean(), rel=0.01)
    for size, share in true.points[1:]:
        assert 1 - found.flow_share_from(size) == pytest.approx(share, abs=0.01)
        assert found.byte_share_from(size) == pytest.approx(true.byte_share_from(size), abs=0.03)


def test_large_flows_that_go_on_do_not_bend_it() -> None:
    """Half of the flows are seen up to a random place only; leaving them out would bend it."""
    draw = np.random.default_rng(5)
    whole = WEB_SEARCH.quantile(draw.random(40_000)).astype(np.int64) + 1
    seen_until = WEB_SEARCH.quantile(draw.random(40_000)).astype(np.int64) + 1
    ended = whole[whole <= seen_until]
    live = seen_until[whole > seen_until]
    found = estimate("censored", ended, live)
    without = estimate("ended", ended)
    assert found.mean() == pytest.approx(WEB_SEARCH.mean(), rel=0.05)
    assert without.mean() < 0.6 * WEB_SEARCH.mean()


@given(
    st.lists(st.integers(1, 10**9), max_size=60),
    st.lists(st.integers(1, 10**9), max_size=20),
)
def test_an_estimate_is_a_distribution(ended: list[int], live: list[int]) -> None:
    if not ended + live:
        return
    found = estimate("any", sizes_of(*ended), sizes_of(*live))
    assert found.largest == max(ended + live)
    if not live:
        assert found.mean() == pytest.approx(float(np.mean(ended)), rel=0.05, abs=1)


# --- units --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [("1500", 1500), ("3e6", 3e6), ("3M", 3e6), ("2.5MB", 2.5e6), ("10 kB", 1e4), ("1G", 1e9)],
)
def test_sizes_as_people_write_them(text: str, size: float) -> None:
    assert parse_size(text) == size
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1 furlong", "nan", "inf", "1e"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(text)
