"""The rules that tell elephants from mice, and what they may be given.

Run: pytest tests/unit/detection/test_detection_rules.py
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from controlplane.detection.all_live import all_live
from controlplane.detection.bayes import likely
from controlplane.detection.choice import Choice, DetectionError, DetectorName, Settings
from controlplane.detection.flows import FlowTable, Rows
from controlplane.detection.proportion import proportion
from controlplane.detection.rates import rates
from controlplane.detection.registry import DETECTORS, complete, make_rule
from controlplane.detection.size import at_least
from controlplane.detection.survival import surviving
from controlplane.sizes.builtin import WAN, WEB_SEARCH
from controlplane.sizes.distribution import SizeDistribution, SizesError
from controlplane.sizes.files import find_distribution

UNIFORM = SizeDistribution("uniform", False, ((0, 0.0), (100, 1.0)))


def table(
    sizes: Sequence[int], ended: Sequence[int] = (), names: Sequence[int] | None = None
) -> FlowTable:
    """Flows of these sizes; those in the rows `ended` are over."""
    count = len(sizes)
    return FlowTable(
        low_address=np.arange(count) if names is None else np.array(names, np.int64),
        high_address=np.full(count, 99),
        low_port=np.full(count, 1000),
        high_port=np.full(count, 80),
        protocol=np.full(count, 6),
        instance=np.ones(count, np.int64),
        bytes=np.array(sizes, np.int64),
        idle_us=np.zeros(count, np.int64),
        ended=np.isin(np.arange(count), ended),
    )


def listed(found: Rows) -> list[int]:
    return found.tolist()


def live(flows: FlowTable) -> set[int]:
    return set(np.flatnonzero(~flows.ended).tolist())


# --- rule by rule -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "sizes", "ended", "size", "expected"),
    [
        ("no flow", (), (), 10, []),
        ("as much, and more", (9, 10, 11), (), 10, [2, 1]),
        ("an ended one stays", (9, 10, 11), (2,), 10, [1]),
        ("none is large enough", (9, 9), (), 9.5, []),
    ],
)
def test_size(
    case: str, sizes: tuple[int, ...], ended: tuple[int, ...], size: float, expected: list[int]
) -> None:
    assert listed(at_least(table(sizes, ended), size)) == expected, case


def test_all_live() -> None:
    assert listed(all_live(table((5, 9, 7, 9), (2,)))) == [1, 3, 0]
    assert listed(all_live(table(()))) == []


@pytest.mark.parametrize(
    ("case", "sizes", "ended", "size", "expected"),
    [
        # Of uniform sizes, (100 − X) / (100 − c) get from c to X: a half where c = 2X − 100.
        ("half of them get there", (49, 50, 51), (), 75, [2, 1]),
        ("a new flow gets half-way", (0, 1), (), 50, [1, 0]),
        ("what is there has arrived", (80,), (), 80, [0]),
        ("ended ones are not asked", (50, 100, 90), (1, 2), 75, [0]),
        ("larger than any known, and an elephant", (120,), (), 80, [0]),
        ("larger than any known, and none", (120,), (), 130, []),
        ("no flow gets beyond the largest", (99,), (), 100.5, []),
        ("no flow", (), (), 80, []),
    ],
)
def test_bayes(
    case: str, sizes: tuple[int, ...], ended: tuple[int, ...], size: float, expected: list[int]
) -> None:
    assert listed(likely(table(sizes, ended), size, UNIFORM)) == expected, case


@pytest.mark.parametrize(
    ("case", "sizes", "speeds", "theta", "expected"),
    [
        # With 2 s to go at 12.5 bytes a second, (75 − c) of (100 − c) are there afterwards.
        ("three quarters", (0, 1), (12.5, 12.5), 0.75, [0]),
        ("faster ones are gone sooner", (0, 0), (12.5, 12.6), 0.75, [0]),
        ("what stands still lasts", (50,), (0,), 1, [0]),
        ("surely over", (50,), (30,), 0.01, []),
        ("larger than any known", (120,), (1000,), 1, [0]),
    ],
)
def test_survival(
    case: str,
    sizes: tuple[int, ...],
    speeds: tuple[float, ...],
    theta: float,
    expected: list[int],
) -> None:
    found = surviving(table(sizes), np.array(speeds, np.float64), 2.0, theta, UNIFORM)
    assert listed(found) == expected, case


def test_survival_leaves_what_has_ended() -> None:
    found = surviving(table((20, 20, 120), (0, 2)), np.zeros(3), 2.0, 0.5, UNIFORM)
    assert listed(found) == [1]


# --- how fast flows are ---------------------------------------------------------------


def test_rates() -> None:
    earlier = table((100, 500, 900), names=(1, 2, 3))
    later = table((60, 700, 300, 40), names=(3, 2, 7, 8))
    # 3 began anew, 7 and 8 are new: all that they have was sent in between.
    assert rates(earlier, later, 0.5).tolist() == [120, 400, 600, 80]
    assert rates(table(()), later, 2.0).tolist() == [30, 350, 150, 20]
    assert rates(earlier, table(()), 2.0).tolist() == []


@given(
    st.dictionaries(st.integers(0, 20), st.integers(0, 10**9)),
    st.dictionaries(st.integers(0, 20), st.integers(0, 10**9)),
)
def test_rates_are_those_of_the_same_flow(earlier: dict[int, int], later: dict[int, int]) -> None:
    found = rates(
        table(list(earlier.values()), names=list(earlier)),
        table(list(later.values()), names=list(later)),
        1.0,
    )
    grown = {flow: size - earlier.get(flow, 0) for flow, size in later.items()}
    assert found.tolist() == [more if more >= 0 else later[flow] for flow, more in grown.items()]


# --- what holds of all ----------------------------------------------------------------

tables = st.lists(st.integers(1, 40 * 10**6), max_size=30).flatmap(
    lambda sizes: st.builds(
        table, st.just(sizes), st.sets(st.integers(0, max(len(sizes) - 1, 0))).map(sorted)
    )
)


@given(tables, st.sampled_from(DetectorName), st.integers(0, 2**32))
def test_none_moves_what_has_ended(flows: FlowTable, name: DetectorName, seed: int) -> None:
    settings = Settings(detector=name, distribution="web-search")
    speeds = np.random.default_rng(seed).exponential(1e6, len(flows))
    found = make_rule(Choice(), settings, find_distribution, 0.1).select(flows, speeds)
    sizes = flows.bytes[found].tolist()
    assert set(listed(found)) <= live(flows)
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(listed(found))) == len(found)


@given(tables, st.floats(1, 4e7), st.floats(1, 4e7))
def test_bayes_moves_what_size_moves_and_more(flows: FlowTable, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert set(listed(at_least(flows, less))) <= set(listed(likely(flows, less, WEB_SEARCH)))
    assert set(listed(likely(flows, more, WEB_SEARCH))) <= set(
        listed(likely(flows, less, WEB_SEARCH))
    )


@given(tables, st.integers(1, 100), st.integers(1, 100))
def test_a_larger_share_moves_no_less(flows: FlowTable, one: int, other: int) -> None:
    less, more = (Fraction(each, 100) for each in sorted((one, other)))
    few, many = listed(proportion(flows, float(less))), listed(proportion(flows, float(more)))
    assert many[: len(few)] == few
    assert sorted(listed(proportion(flows, 1.0))) == sorted(live(flows))


@given(tables, st.floats(0.01, 1), st.floats(0, 10))
def test_a_longer_move_leaves_more_to_die_out(
    flows: FlowTable, theta: float, longer_s: float
) -> None:
    speeds = np.full(len(flows), 1e6)
    short = surviving(flows, speeds, 1.0, theta, WAN)
    long = surviving(flows, speeds, 1.0 + longer_s, theta, WAN)
    assert set(listed(long)) <= set(listed(short))


# --- what they may be given -------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "settled"),
    [
        (Choice(), "proportion, ρ = 0.2"),
        (Choice(rho=0.5), "proportion, ρ = 0.5"),
        (Choice(detector=DetectorName.SIZE), "size, X = 1 MB"),
        (Choice(detector=DetectorName.BAYES, size=3e6), "bayes, X = 3 MB, sizes: learnt"),
        (Choice(detector=DetectorName.ALL_LIVE), "all-live"),
        (
            Choice(detector=DetectorName.SURVIVAL, distribution="wan"),
            "survival, θ = 0.5, sizes: wan",
        ),
    ],
)
def test_what_is_not_asked_for_is_as_configured(asked: Choice, settled: str) -> None:
    assert complete(asked, Settings(rho=0.2)).described() == settled


@pytest.mark.parametrize("name", DetectorName)
@pytest.mark.parametrize(
    "given", [{"rho": 0.5}, {"size": 3e6}, {"theta": 0.5}, {"distribution": "wan"}]
)
def test_what_does_not_fit_is_refused(name: DetectorName, given: dict[str, object]) -> None:
    (field,) = given
    choice = Choice.model_validate({"detector": name, **given})
    if field in DETECTORS[name].takes:
        assert complete(choice, Settings()) == complete(
            Choice(detector=name), Settings.model_validate(given)
        )
        return
    with pytest.raises(DetectionError, match=f"^{field} is not for the detector {name}, which"):
        complete(choice, Settings())


def test_a_parameter_that_does_not_fit_what_is_configured() -> None:
    with pytest.raises(
        DetectionError, match="rho is not for the detector all-live, which takes no"
    ):
        complete(Choice(rho=0.5), Settings(detector=DetectorName.ALL_LIVE))


@pytest.mark.parametrize(
    "wrong",
    [
        {"rho": 0.0},
        {"rho": 1.01},
        {"rho": float("nan")},
        {"size": 0.0},
        {"size": float("inf")},
        {"size": float("nan")},
        {"theta": -0.1},
        {"theta": float("nan")},
        {"distribution": ""},
        {"detector": "guess"},
        {"sigma": 1},
    ],
)
def test_a_choice_is_good_or_is_none(wrong: dict[str, object]) -> None:
    for model in (Choice, Settings):
        with pytest.raises(ValidationError):
            model.model_validate(wrong)


def test_a_distribution_is_asked_for_where_it_is_needed_only() -> None:
    def refuse(name: str) -> SizeDistribution:
        raise SizesError(f"{name}: none")

    for name, detector in DETECTORS.items():
        if "distribution" in detector.takes:
            with pytest.raises(SizesError, match="learnt: none"):
                make_rule(Choice(detector=name), Settings(), refuse, 0.1)
        else:
            make_rule(Choice(detector=name), Settings(), refuse, 0.1)
