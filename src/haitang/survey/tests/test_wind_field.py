"""The parametric wind field agrees with published check values and behaves like a cyclone. Issue 2.5; K5.

Check values: Holland profiles and scalars as published with the MATLAB reference of the CLIMADA project; Willoughby radii
as published with the R package stormwindmodel.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.survey import wind_field as wf

F1 = 2 * wf.EARTH_ROTATION_RAD_S


def test_holland_b_equals_published_values() -> None:
    assert wf.holland_b([15, 30], [35, 40]) == pytest.approx([2.5, 1.667213], abs=1e-6)


def test_surface_b_from_deficit_tendency_latitude_and_motion() -> None:
    assert wf.holland_b_surface(4.73, 0.0048, 12.29999999, 5.24199954) == pytest.approx(1.27, abs=0.01)


def test_maximum_wind_from_deficit_equals_published_values() -> None:
    assert wf.max_wind_from_deficit([15, 30], [2.5, 1.67]) == pytest.approx([34.635341, 40.033421], abs=1e-6)


@pytest.mark.parametrize(
    ("rmax", "b", "deficit", "f", "distances", "with_coriolis", "without"),
    [
        (
            40.66545462261051,
            1.486076257880692,
            39.12,
            3.54921922e-05,
            [299.4501244, 291.0737897, 292.5441004, 40.66545462],
            [11.28, 11.68, 11.61, 42.41],
            [15.72, 16.04, 15.98, 43.13],
        ),
        (
            75.54790291667175,
            1.265551666104679,
            4.73,
            3.10598285e-05,
            [293.606713, 298.2652319, 70.0],
            [5.38, 5.28, 12.76],
            [8.84, 8.76, 13.81],
        ),
    ],
)
def test_holland_1980_profile_equals_published_values(
    rmax: float,
    b: float,
    deficit: float,
    f: float,
    distances: list[float],
    with_coriolis: list[float],
    without: list[float],
) -> None:
    latitude = np.degrees(np.arcsin(f / F1))
    assert wf.holland_1980_wind(distances, rmax, b, deficit, latitude) == pytest.approx(with_coriolis, abs=0.01)
    assert wf.holland_1980_wind(distances, rmax, b, deficit) == pytest.approx(without, abs=0.01)


def test_holland_2010_exponent_and_profile_equal_published_values() -> None:
    first = wf.holland_2010_exponent([35, 75, 220], 75, 35, 1.8)
    second = wf.holland_2010_exponent([30, 300], 40, 40, 2.5)
    assert first == pytest.approx([0.5, 0.5, 0.47273], abs=1e-5)
    assert second == pytest.approx([0.5, 0.211602], abs=1e-6)
    assert wf.holland_2010_wind([35, 75, 220], 75, 35, 1.8, first) == pytest.approx([15.957853, 35, 20.99411], abs=1e-5)
    assert wf.holland_2010_wind([30, 300], 40, 40, 2.5, second) == pytest.approx([33.854826, 17.0], abs=1e-6)


def test_willoughby_radius_equals_published_values() -> None:
    assert wf.rmax_willoughby_km([30, 60, 20.5], [25, 15, 40.2]) == pytest.approx(
        [44.46932, 23.58945, 66.61498], abs=1e-5
    )


def test_vickery_wadhera_radius_by_hand() -> None:
    """exp(3.015 - 6.291e-5 * 2025 + 0.0337 * 30) = exp(3.8986...)."""
    assert wf.rmax_vickery_wadhera_km(45, 30) == pytest.approx(np.exp(3.8986073), rel=1e-6)


def test_gust_factor_of_an_unknown_exposure_names_the_known_ones() -> None:
    assert wf.gust_factor("sea") == 1.23
    with pytest.raises(ValueError, match="'roof' is unknown; use one of inland, offshore, onshore, sea"):
        wf.gust_factor("roof")


def test_distance_and_bearing_of_a_degree_north_and_east() -> None:
    distance, bearing = wf.distance_bearing([121.5, 121.5], [31.0, 0.0], [121.5, 122.5], [32.0, 0.0])
    assert distance == pytest.approx([111.195, 111.195], abs=0.01)
    assert bearing == pytest.approx([0.0, 90.0], abs=1e-9)


def _storm(**changes: float) -> wf.Storm:
    values = {
        "lon": 123.0,
        "lat": 30.0,
        "central_hpa": 965.0,
        "ambient_hpa": 1008.0,
        "max_wind_ms": 38.0,
        "rmax_km": 50.0,
        "east_ms": 0.0,
        "north_ms": 0.0,
    }
    values.update(changes)
    return wf.Storm(**{name: np.array([value]) for name, value in values.items()})


def test_the_wind_turns_counter_clockwise_and_inward() -> None:
    """North of the centre it blows from between east and north-east at 65 degrees; east of it from south-south-east."""
    field = wf.surface_field(_storm(), [123.0, 124.5], [31.5, 30.0])
    assert field.direction_deg[0, 0] == pytest.approx(65.0, abs=0.5)
    assert field.direction_deg[0, 1] == pytest.approx(155.0, abs=1.0)


def test_a_westward_storm_is_stronger_on_its_northern_side() -> None:
    field = wf.surface_field(_storm(east_ms=-8.0), [123.0, 123.0], [30.6, 29.4])
    assert field.speed_ms[0, 0] > field.speed_ms[0, 1] + 5.0


def test_the_field_is_strongest_near_rmax_and_reaches_the_tracks_wind() -> None:
    lat = 30.0 + np.linspace(0.02, 3.0, 400)
    field = wf.surface_field(_storm(east_ms=-8.0), np.full(400, 123.0), lat)
    peak = int(field.speed_ms[0].argmax())
    assert field.distance_km[0, peak] == pytest.approx(50.0, abs=6.0)
    assert field.speed_ms[0, peak] == pytest.approx(38.0, abs=1.0)


@given(
    deficit=st.floats(6, 90),
    wind=st.floats(15, 65),
    lat=st.floats(10, 40),
    east=st.floats(-12, 12),
    north=st.floats(-12, 12),
    x=st.floats(-6, 6),
    y=st.floats(-6, 6),
)
def test_wind_is_finite_and_pressure_between_centre_and_ambient(
    deficit: float, wind: float, lat: float, east: float, north: float, x: float, y: float
) -> None:
    rmax = float(wf.rmax_vickery_wadhera_km(deficit, lat))
    storm = _storm(lat=lat, central_hpa=1008 - deficit, max_wind_ms=wind, rmax_km=rmax, east_ms=east, north_ms=north)
    field = wf.surface_field(storm, [123.0 + x], [lat + y])
    assert np.isfinite(field.speed_ms).all()
    assert (field.speed_ms >= 0).all() and (field.speed_ms <= wind + 0.55 * np.hypot(east, north) + 1e-6).all()
    assert 1008 - deficit - 1e-6 <= field.pressure_hpa[0, 0] <= 1008 + 1e-6


@given(shift=st.floats(-20, 20), lon=st.floats(121, 125), lat=st.floats(28, 32))
def test_shifting_storm_and_place_together_in_longitude_changes_nothing(shift: float, lon: float, lat: float) -> None:
    here = wf.surface_field(_storm(east_ms=-5.0), [lon], [lat])
    there = wf.surface_field(_storm(lon=123.0 + shift, east_ms=-5.0), [lon + shift], [lat])
    assert there.speed_ms == pytest.approx(here.speed_ms, abs=1e-6)
    assert there.pressure_hpa == pytest.approx(here.pressure_hpa, abs=1e-6)


@given(b=st.floats(0.8, 2.5), rmax=st.floats(15, 120))
def test_wind_never_grows_beyond_the_radius_of_maximum_wind(b: float, rmax: float) -> None:
    radii = np.linspace(rmax, 600, 50)
    wind = wf.holland_2010_wind(radii, rmax, 40.0, b)
    assert (np.diff(wind) <= 1e-9).all()


def test_beyond_the_outer_radius_a_weak_storm_does_not_blow_harder() -> None:
    """Linear on and on, the exponent reaches 0 and the profile its maximum again, hundreds of kilometres away."""
    radii = np.linspace(60.0, 1500.0, 80)
    x = wf.holland_2010_exponent(radii, 50.0, 18.0, 1.2, outer_radius_km=200.0, outer_wind_ms=15.4)
    wind = wf.holland_2010_wind(radii, 50.0, 18.0, 1.2, x)
    assert wind[-1] < 12.0
    assert (np.diff(wind[radii > 200.0]) < 0).all()


def test_each_moment_may_have_its_own_outer_radius() -> None:
    both = wf.Storm(*(np.repeat(getattr(_storm(), name), 2) for name in wf.Storm.__dataclass_fields__))
    field = wf.surface_field(both, [124.5], [30.0], outer_radius_km=np.array([[200.0], [300.0]]), outer_wind_ms=15.4)
    assert field.speed_ms[0, 0] < field.speed_ms[1, 0]
