"""Rain by R-CLIPER, and what it leaves in canals and streets. Issue 2.5."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.replay import noise, rain, water

ONE_MINUTE_35_KN = 35 * 0.514444 * 0.93


def test_r_cliper_of_a_35_knot_storm_by_hand() -> None:
    """U = 1: T0 = 2.86, Tm = 3.20 inch a day, rm = 51.5 km, re = 134 km (Tuleya et al. 2007)."""
    found = rain.r_cliper_mm_h([0.0, 51.5, 185.5], ONE_MINUTE_35_KN)
    assert found == pytest.approx(np.array([2.86, 3.20, 3.20 / np.e]) * 25.4 / 24.0, rel=1e-4)


def test_r_cliper_of_a_hurricane_by_hand() -> None:
    """At 101 kn U = 3: T0 = 10.78, Tm = 12.80 inch a day, rm = 25.5 km, re = 102 km."""
    found = rain.r_cliper_mm_h([0.0, 25.5, 127.5], 101 * 0.514444 * 0.93)
    assert found == pytest.approx(np.array([10.78, 12.80, 12.80 / np.e]) * 25.4 / 24.0, rel=1e-4)


@given(wind=st.floats(8, 70))
def test_rain_falls_off_beyond_the_ring_of_heaviest_rain(wind: float) -> None:
    found = rain.r_cliper_mm_h(np.linspace(70, 800, 60), wind)
    assert (found >= 0).all() and (np.diff(found) <= 1e-12).all()


@given(st.lists(st.floats(0, 80), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_hours_split_into_parts_keep_their_sums(hours: list[float], seed: int) -> None:
    parts = rain.disaggregate(hours, 12, noise.generator(seed))
    assert parts.reshape(-1, 12).sum(axis=1) == pytest.approx(hours, abs=1e-9)
    assert (parts >= 0).all()


def test_showers_have_mean_one_and_the_same_seed_gives_the_same() -> None:
    found = rain.showers(200_000, 60.0, noise.generator(1, "a"))
    assert found.mean() == pytest.approx(1.0, abs=0.05)
    assert np.allclose(rain.showers(50, 60.0, noise.generator(1, "a")), found[:50])
    assert not np.allclose(rain.showers(50, 60.0, noise.generator(1, "b")), found[:50])


@given(step=st.sampled_from([60.0, 300.0, 600.0]), hours=st.floats(0.5, 24))
def test_a_reservoir_fed_evenly_fills_as_its_equation_says_whatever_the_step(step: float, hours: float) -> None:
    """dS/dt = I - S/k from S = 0: S(t) = I k (1 - exp(-t/k)). Chow et al. 1988."""
    steps = int(6 * 3600 / step)
    found = water.reservoir_mm(np.full(steps, 10.0), step, hours * 3600.0)
    assert found[-1] == pytest.approx(10.0 * hours * (1.0 - np.exp(-6.0 / hours)), rel=1e-9)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=60))
def test_a_reservoir_loses_and_makes_no_water(inflow: list[float]) -> None:
    """What came in is stored or has run off; runoff of each step is what its equation gives, never negative."""
    stored = water.reservoir_mm(inflow, 600.0, 7200.0)
    came = np.cumsum(np.array(inflow) * 600.0 / 3600.0)
    gone = came - stored
    assert (stored >= 0).all() and (np.diff(np.concatenate(([0.0], gone))) >= -1e-9).all()


def test_water_stands_in_the_street_only_where_the_drains_are_beaten() -> None:
    assert water.ponding_m(np.full(60, 20.0), 60.0, drain_mm_h=20, empties_h=2, runoff=1, gather=10) == pytest.approx(
        np.zeros(60)
    )
    assert water.ponding_m(np.full(60, 50.0), 60.0, drain_mm_h=20, empties_h=2, runoff=1, gather=10)[-1] > 0.2


def test_a_reservoir_that_never_empties_is_refused() -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        water.reservoir_mm([1.0], 60.0, 0.0)
