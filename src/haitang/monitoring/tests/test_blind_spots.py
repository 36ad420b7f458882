"""3.4.1: what is not watched, and the next best places: against brute force; who lies within an alarm's reach."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.monitoring import blind_spots, impact


@given(st.integers(1, 7), st.integers(1, 9), st.integers(1, 3), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_greedy_is_within_its_bounds_of_the_best_choice(candidates, points, k, seed):
    random = np.random.default_rng(seed)
    reached = random.random((candidates, points)) < 0.4
    weight = random.integers(0, 100, points).astype(float)
    watched = random.random(points) < 0.2
    found = blind_spots.best_sites(reached, weight, k, watched=watched)
    left = np.where(watched, 0.0, weight)
    best = max(
        float(left[np.any(reached[list(some)], axis=0)].sum())
        for some in itertools.combinations(range(candidates), min(k, candidates))
    )
    covered = float(left[np.any(reached[list(found.chosen)], axis=0)].sum()) if found.chosen else 0.0
    assert found.covered == pytest.approx(covered) == pytest.approx(sum(found.gains))
    assert found.covered >= (1 - (1 - 1 / k) ** k) * best - 1e-9
    assert found.bound >= best - 1e-9
    assert k > 1 or found.covered == pytest.approx(best)


def test_what_is_watched_counts_no_more_and_useless_places_are_not_chosen():
    reached = np.array([[True, False], [False, True], [True, False]])
    found = blind_spots.best_sites(reached, np.array([5.0, 3.0]), 3, watched=np.array([True, False]))
    assert (found.chosen, found.gains, found.share) == ((1,), (3.0,), 1.0)
    assert blind_spots.best_sites(reached, np.array([5.0, 3.0]), 0).chosen == ()


def test_the_nearest_station_by_hand():
    lon, lat = np.array([121.0, 121.5]), np.array([31.0, 31.0])
    far, which = blind_spots.nearest(lon, lat, np.array([121.0, 121.4]), np.array([31.01, 31.0]))
    # A hundredth of a degree of latitude is 1,111.95 m; a tenth of longitude at 31 degrees north 9,531 m.
    assert far == pytest.approx([1111.95, 9531.2], rel=1e-4) and which.tolist() == [0, 1]
    none, nothing = blind_spots.nearest(lon, lat, np.array([]), np.array([]))
    assert np.isinf(none).all() and (nothing == -1).all()


def test_candidates_lie_inside_the_box_and_are_never_too_many():
    lon, lat = blind_spots.grid_between(121, 31, 122, 32, 500)
    assert len(lon) <= 2500 and lon.min() > 121 and lon.max() < 122 and lat.min() > 31 and lat.max() < 32


def test_the_share_of_a_place_within_reach():
    area = np.array([math.pi, math.pi, math.pi, math.pi * 16, 0.0])
    share = impact.disc_share(np.array([0.0, 5000.0, 2000.0, 0.0, 1999.0]), 2000.0, area)
    # A disc of 1 km whose middle lies on the rim of one of 2 km: the lens is 1.4029 km2 of 3.1416 (0.4466).
    assert share == pytest.approx([1.0, 0.0, 0.44664, 0.25, 1.0], abs=1e-4)
    assert impact.people_within(np.array([100.0, np.nan, 50.0]), np.array([0.5, 1.0, 2.0])) == 100.0


def test_every_quantity_speaks_of_a_hazard_with_a_reach():
    from haitang.monitoring.quantities import QUANTITIES

    # A quantity called "other" says of itself that nothing is known of it.
    assert set(impact.HAZARDS) == set(QUANTITIES) - {"other"}
    assert set(impact.HAZARDS.values()) <= set(impact.REACH_KM)
    assert impact.reach_km("rain", {"rain": 7.0}) == 7.0 and impact.reach_km("nonsense") == 2.0
