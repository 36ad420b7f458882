"""P4: forecasts with a stated skill against persistence and climatology; what has none says so and warns nobody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.monitoring import forecast, forecasting, skill
from haitang.monitoring.forecasting import HORIZONS, KINDS, PER_HOUR

HOURS = np.arange(21 * 24 * PER_HOUR) / PER_HOUR


def tide(hours):
    """A spring and neap tide as at the mouth of the Yangtze, above its datum."""
    rates = {"M2": (1.1, 40), "S2": (0.48, 76), "K1": (0.16, 200), "O1": (0.1, 150)}
    return 2.2 + sum(
        a * np.cos(np.radians(forecast.speed_deg_h(name) * hours - phase)) for name, (a, phase) in rates.items()
    )


def test_a_tide_with_a_surge_is_forecast_far_better_than_by_persistence_or_its_mean():
    noise = np.random.default_rng(3).normal(0, 0.02, len(HOURS))
    values = tide(HOURS) + 0.4 * np.exp(-(((HOURS - 450) / 10) ** 2)) + noise
    (made,) = forecasting.outlooks(values[None], HOURS, KINDS["tide_level"])
    assert made.method == "tide"
    assert all(made.skill[h]["score"] > 0.6 for h in ("1", "3", "6", "12"))
    later = HOURS[-1] + np.arange(1, 73) / PER_HOUR
    assert np.abs(made.middle - tide(later)).max() < 0.15
    assert (made.low <= made.middle).all()
    assert (made.middle <= made.high).all()


def test_a_rising_river_is_forecast_by_its_damped_trend():
    steps = 4 * 24 * PER_HOUR
    level = 2.7 + 0.8 * np.sin(np.arange(steps) / 110) + np.random.default_rng(1).normal(0, 0.004, steps)
    (made,) = forecasting.outlooks(level[None], HOURS[:steps], KINDS["water_level"])
    assert made.method == "trend"
    assert made.skill["1"]["score"] > 0.3


def test_noise_has_no_skill_and_says_so():
    steps = 4 * 24 * PER_HOUR
    (made,) = forecasting.outlooks(
        np.random.default_rng(2).normal(0, 1, (1, steps)), HOURS[:steps], KINDS["water_level"]
    )
    assert all(stated["score"] is None or stated["score"] <= 0.02 for stated in made.skill.values())


def test_a_series_that_is_silent_or_new_gets_none():
    steps = 4 * 24 * PER_HOUR
    values = np.full((2, steps), np.nan)
    values[0, -10:] = 1.0
    values[1, : steps - 7] = 1.0
    assert [made.method for made in forecasting.outlooks(values, HOURS[:steps], KINDS["water_level"])] == ["", ""]


def test_skill_is_that_of_the_definition():
    values = np.array([[0.0, 1, 2, 3, 4, 5, 6, 7, 8, 9] * 5])
    horizons = np.array([1, 2])
    found = skill.judge(values[:, :, None] + np.array([1.0, 2.0]), values, horizons)
    for k, h in enumerate((1, 2)):
        came = values[0, h:]
        own = np.abs(came - (values[0, :-h] + h)).mean()
        assert found[0][k].mae == pytest.approx(own)
        assert found[0][k].persistence == pytest.approx(np.abs(came - values[0, :-h]).mean())
        assert found[0][k].score == pytest.approx(1 - own / min(found[0][k].persistence, found[0][k].climatology))


def test_a_forecast_knows_nothing_of_what_came_later():
    """Changing what came after an origin does not change what was forecast from it."""
    values = tide(HOURS)[None].copy()
    other = values.copy()
    cut = len(HOURS) - 300
    other[:, cut:] += 5
    for method in (forecast.damped, lambda v, h: forecast.tidal(v, HOURS, h, 1 / PER_HOUR, 5)):
        one, two = method(values, HORIZONS), method(other, HORIZONS)
        assert np.array_equal(one[:, :cut], two[:, :cut], equal_nan=True)


@given(
    st.lists(st.floats(0, 10), min_size=2, max_size=20), st.floats(0, 10), st.booleans(), st.sampled_from([60.0, 600.0])
)
def test_the_time_to_a_threshold_is_where_the_line_meets_it(path, threshold, falling, step):
    now, ahead = path[0], np.array([path[1:]])
    found = float(forecast.time_to_threshold(ahead, threshold, step, now=now, falling=falling)[0])
    sign = -1 if falling else 1
    met = [sign * value >= sign * threshold for value in path]
    if met[0]:
        assert found == 0
    elif not any(met):
        assert found == np.inf
    else:
        at = met.index(True)
        assert (at - 1) * step <= found <= at * step
        assert np.interp(found / step, np.arange(len(path)), path) == pytest.approx(threshold, abs=1e-6)


def test_what_is_unknown_has_no_time_to_a_threshold():
    assert np.isnan(forecast.time_to_threshold(np.full((1, 3), np.nan), 1.0, 60)[0])
    assert forecast.time_to_threshold(np.array([[0.0, 1.0, 2.0]]), 1.5, 60)[0] == 150


def test_readings_are_put_on_the_grid_at_or_before_each_step():
    time = np.array([1, 60_000, 60_001, 240_000], np.int64)
    found = forecast.on_grid(time, np.array([1.0, 2, 3, 4]), 0, 60_000, 5)
    assert np.array_equal(found, [np.nan, 2, 3, np.nan, 4], equal_nan=True)
    assert np.array_equal(forecast.filled(found, 1), [np.nan, 2, 3, 3, 4], equal_nan=True)
    added = forecast.on_grid(time, np.array([1.0, 2, 3, 4]), 0, 60_000, 5, add=True)
    assert np.array_equal(added, [np.nan, 3, 3, np.nan, 4], equal_nan=True)
