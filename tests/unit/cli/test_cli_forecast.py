"""When the mice will be gone."""

from __future__ import annotations

from math import exp

import pytest

from controlplane.cli.forecast import Forecast


def test_nothing_is_said_before_anything_is_known() -> None:
    forecast = Forecast()
    assert forecast.gone_in_s() is None
    forecast.observe(0.0, 100)
    forecast.observe(0.5, 90)
    assert forecast.gone_in_s() is None
    forecast.observe(3.0, 100)
    assert forecast.gone_in_s() is None, "none has gone"


def test_flows_that_end_at_a_constant_rate_are_forecast() -> None:
    forecast = Forecast()
    for tenth in range(100):
        forecast.observe(tenth / 10, round(1000 * exp(-0.2 * tenth / 10)))
    left = round(1000 * exp(-0.2 * 9.9))
    # 0.2 a second: below a half after ln(2 · left) / 0.2 s.
    expected_s = 28.1
    assert left == 138
    assert forecast.gone_in_s() == pytest.approx(expected_s, rel=0.03)
    forecast.observe(30.0, 0)
    assert forecast.gone_in_s() == 0


def test_nothing_is_said_of_flows_that_do_not_end() -> None:
    forecast = Forecast()
    for tenth in range(70):
        forecast.observe(tenth / 10, 8 + round(1000 * exp(-tenth / 10)))
    assert forecast.gone_in_s() is not None
    forecast.observe(8.0, 8)
    forecast.observe(20.0, 8)
    assert forecast.gone_in_s() is None
    forecast.observe(20.5, 7)
    assert forecast.gone_in_s() is not None


def test_a_pause_does_not_bring_the_last_one_s_end_closer() -> None:
    forecast = Forecast()
    forecast.observe(0.0, 100)
    forecast.observe(10.0, 1)
    at_once = forecast.gone_in_s()
    forecast.observe(15.0, 1)
    assert forecast.gone_in_s() == at_once
