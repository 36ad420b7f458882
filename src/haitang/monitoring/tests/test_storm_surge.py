"""Inverse barometer and wind set-up. P4, issue 2.5."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.monitoring.surge import drag_coefficient, inverse_barometer_m, surge_m, wind_setup_m

SHELF = {"onshore_from_deg": 90.0, "fetch_km": 100.0, "depth_m": 15.0}


def test_one_hectopascal_lifts_the_sea_by_almost_a_centimetre() -> None:
    assert inverse_barometer_m(1012.25, 1013.25) == pytest.approx(0.009948, abs=1e-6)


def test_drag_grows_with_wind_and_stops_at_the_cap() -> None:
    assert drag_coefficient([10.0, 26.0, 60.0]) == pytest.approx([1.45e-3, 2.49e-3, 2.5e-3])


def test_set_up_by_hand() -> None:
    """30 m/s, 100 km, 15 m: tau = 1.2 * 0.0025 * 900 = 2.7 Pa; sqrt(225 + 2 * 1.2 * 2.7e5 / 10051.8) - 15 = 2.011 m."""
    assert wind_setup_m(30.0, 90.0, **SHELF) == pytest.approx(np.sqrt(225 + 648000 / 10051.816) - 15, abs=1e-4)


def test_wind_off_the_shore_lowers_and_wind_along_it_does_nothing() -> None:
    assert wind_setup_m(20.0, 270.0, **SHELF) < 0
    assert wind_setup_m(20.0, 0.0, **SHELF) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("bad", [{"fetch_km": 0.0}, {"depth_m": -1.0}])
def test_a_fetch_or_depth_that_is_not_positive_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        wind_setup_m(10.0, 90.0, **{**SHELF, **bad})


@given(st.floats(0, 60), st.floats(0, 360), st.floats(1, 300), st.floats(1, 100))
def test_the_sea_never_falls_below_its_bed_and_a_shallower_sea_rises_more(
    wind: float, direction: float, fetch: float, depth: float
) -> None:
    here = wind_setup_m(wind, direction, onshore_from_deg=90.0, fetch_km=fetch, depth_m=depth)
    assert here >= -depth
    deeper = wind_setup_m(wind, direction, onshore_from_deg=90.0, fetch_km=fetch, depth_m=2 * depth)
    if here > -depth:  # a bed that fell dry bounds the set-down by the depth
        assert abs(deeper) <= abs(here) + 1e-9


@given(st.floats(900, 1013), st.floats(0, 60))
def test_surge_is_the_sum_of_its_two_parts(pressure: float, wind: float) -> None:
    total = surge_m(pressure, wind, 90.0, **SHELF)
    assert total == pytest.approx(inverse_barometer_m(pressure) + wind_setup_m(wind, 90.0, **SHELF))
