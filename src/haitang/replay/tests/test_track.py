"""A track passes through its fixes, and a forecast knows only what was known. Issue 2.5; K5."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.replay import track
from haitang.replay.tests.storms import storm

T0 = storm().track.begin_s  # type: ignore[union-attr]
PATH = storm().track
assert PATH is not None


def test_at_a_fix_the_storm_is_what_the_fix_says() -> None:
    there = track.along(PATH, PATH.time_s, ambient_hpa=1008.0)
    assert there.storm.lon == pytest.approx(PATH.lon)
    assert there.storm.lat == pytest.approx(PATH.lat)
    assert there.storm.central_hpa == pytest.approx(PATH.central_hpa)
    assert there.storm.max_wind_ms == pytest.approx(PATH.max_wind_ms)


def test_knots_and_nautical_miles_become_metres_a_second_and_kilometres() -> None:
    assert PATH.max_wind_ms[0] == pytest.approx(75 * 0.514444, abs=1e-3)
    assert PATH.outer_km[0] == pytest.approx(135 * 1.852)
    assert PATH.outer_wind_ms == pytest.approx(15.43, abs=0.01)


@given(hour=st.floats(0, 36))
def test_between_fixes_the_storm_stays_between_them(hour: float) -> None:
    there = track.along(PATH, [T0 + hour * 3600], ambient_hpa=1008.0).storm
    n = min(int(hour // 6), len(PATH.time_s) - 2)
    for found, known in ((there.lon[0], PATH.lon), (there.lat[0], PATH.lat), (there.central_hpa[0], PATH.central_hpa)):
        assert min(known[n : n + 2]) - 1e-9 <= found <= max(known[n : n + 2]) + 1e-9


def test_the_movement_is_that_of_the_fixes() -> None:
    """From 12 to 18 UTC the centre went 1.4 degrees west at 30.45 N: 134 km in six hours, 6.2 m/s."""
    there = track.along(PATH, T0 + 3600 * np.linspace(12, 18, 61), ambient_hpa=1008.0).storm
    assert there.east_ms.mean() == pytest.approx(-6.2, abs=0.15)


def test_beyond_its_ends_the_storm_stands_still() -> None:
    there = track.along(PATH, [T0 - 86400, PATH.end_s + 86400], ambient_hpa=1008.0).storm
    assert there.east_ms == pytest.approx([0, 0]) and there.north_ms == pytest.approx([0, 0])
    assert there.lon == pytest.approx([PATH.lon[0], PATH.lon[-1]])


def test_a_forecast_goes_on_as_the_storm_went_in_the_last_six_hours() -> None:
    found = track.expected(PATH, T0 + 6 * 3600, [0.0, 6 * 3600.0, 12 * 3600.0], ambient_hpa=1008.0).storm
    assert found.lon == pytest.approx([126.1, 125.1, 124.1])
    assert found.lat == pytest.approx([30.2, 30.8, 31.4])
    assert found.max_wind_ms == pytest.approx([75 * track.KNOT_MS] * 3)


@given(hour=st.floats(0, 30), later=st.floats(0, 6))
def test_what_happens_later_does_not_change_a_forecast(hour: float, later: float) -> None:
    """Moving every fix after the next one leaves a forecast of now as it was."""
    issued = T0 + hour * 3600
    known = int(np.searchsorted(PATH.time_s, issued)) + 2
    moved = PATH.lon.copy()
    moved[known:] += later
    other = track.Track(PATH.time_s, moved, PATH.lat, PATH.central_hpa, PATH.max_wind_ms, PATH.outer_km)
    if known >= len(PATH.time_s):
        return
    one = track.expected(PATH, float(PATH.time_s[known - 2]), [0.0, 3600.0], ambient_hpa=1008.0).storm
    two = track.expected(other, float(PATH.time_s[known - 2]), [0.0, 3600.0], ambient_hpa=1008.0).storm
    assert one.lon == pytest.approx(two.lon) and one.lat == pytest.approx(two.lat)


def test_a_track_out_of_order_is_refused() -> None:
    with pytest.raises(ValueError, match="each later than the one before"):
        track.Track(*(np.array([1.0, 1.0]) for _ in range(6)))
