"""3.1.3, K5: what if the storm had come otherwise. The change is what was asked for, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from haitang.packs import Pack
from haitang.replay import coefficients, scenario
from haitang.replay.simulate import Simulation, Site
from haitang.replay.what_if import Change, Watched, WhatIfError, changed, onto_high_water, peaks, simulate
from haitang.survey.wind_field import distance_bearing
from tests.product import ROOT


@pytest.fixture(scope="module")
def base() -> Simulation:
    """Bebinca over two stations of Chongming."""
    pack = Pack(ROOT / "packs" / "chongming")
    storm = scenario.read("bebinca", pack.toml("scenarios/bebinca.toml"))
    shared = coefficients.read(pack.toml("scenarios/simulation.toml"), pack.toml("scenarios/tide.toml"))
    places = [("T-NM", "tide_level"), ("W-CQ", "wind_gust"), ("W-CQ", "pressure"), ("W-CQ", "rain")]
    return Simulation(storm, shared, [Site(f"{s}.{q}", s, q, 121.4, 31.62, 300) for s, q in places])


def test_the_track_moves_as_far_and_as_late_as_asked(base: Simulation) -> None:
    storm = base.scenario
    moved = changed(storm, Change(east_km=-50, north_km=20, later_h=3)).track
    assert moved is not None and storm.track is not None
    far, _ = distance_bearing(storm.track.lon, storm.track.lat, moved.lon, moved.lat)
    assert far == pytest.approx(np.hypot(50, 20), rel=0.01)
    assert moved.time_s - storm.track.time_s == pytest.approx(np.full(len(moved.time_s), 3 * 3600))
    assert (moved.central_hpa == storm.track.central_hpa).all() and (moved.max_wind_ms == storm.track.max_wind_ms).all()


def test_a_deeper_storm_blows_with_the_root_of_its_deficit(base: Simulation) -> None:
    storm = base.scenario
    deeper = changed(storm, Change(deeper_hpa=20)).track
    assert deeper is not None and storm.track is not None
    was, comes = storm.ambient_hpa - storm.track.central_hpa, storm.ambient_hpa - deeper.central_hpa
    ratio = deeper.max_wind_ms / storm.track.max_wind_ms
    assert ratio[was > 5] == pytest.approx(np.sqrt(comes / was)[was > 5])
    # However much weaker, it stays a storm.
    weak = changed(storm, Change(deeper_hpa=-40)).track
    assert weak is not None and (storm.ambient_hpa - weak.central_hpa > 0).all()


def test_moving_storm_and_station_together_changes_nothing(base: Simulation) -> None:
    change = Change(north_km=30)
    there = [replace(site, lat=site.lat + 30 / 111.195) for site in base.sites]
    moved = Simulation(changed(base.scenario, change), base.coefficients, there)
    assert moved.now_series("W-CQ.pressure")[1] == pytest.approx(base.now_series("W-CQ.pressure")[1], abs=0.2)


def test_a_higher_sea_lifts_every_level_and_nothing_else(base: Simulation) -> None:
    higher = simulate(base, Change(sea_m=0.5))
    assert higher.now_series("T-NM.tide_level")[1] == pytest.approx(base.now_series("T-NM.tide_level")[1] + 0.5)
    assert higher.now_series("W-CQ.wind_gust")[1].tolist() == base.now_series("W-CQ.wind_gust")[1].tolist()


def test_no_other_delay_gives_higher_water_than_the_one_found(base: Simulation) -> None:
    found = onto_high_water(base, "T-NM")
    watched = [Watched("T-NM.tide_level", "last", 0, (None,) * 4)]  # type: ignore[arg-type]

    def highest(hours: float) -> float:
        peak = peaks(simulate(base, Change(later_h=hours)), watched)[0]
        assert peak is not None
        return peak.value

    best = highest(found)
    assert all(best >= highest(hours) - 0.06 for hours in (-12.0, -6.0, 0.0, 6.0, 12.0))  # 2 cm of noise either way
    assert best > highest(0.0) - 0.06


def test_the_peak_of_a_sum_is_the_wettest_hour(base: Simulation) -> None:
    time_s, rain = base.now_series("W-CQ.rain")
    wettest = max(float(rain[(time_s > at - 3600) & (time_s <= at)].sum()) for at in time_s.tolist())
    (peak,) = peaks(base, [Watched("W-CQ.rain", "sum", 3600, (wettest - 1, wettest, wettest + 1, None))])
    assert peak is not None and peak.value == pytest.approx(wettest) and peak.level in (1, 2)


def test_what_cannot_be_is_refused_by_name(base: Simulation) -> None:
    with pytest.raises(WhatIfError, match="east_km is 900; it must lie between -300 and 300"):
        Change(east_km=900)
    with pytest.raises(WhatIfError, match="wind is not known"):
        Change.of({"wind": 3})
    with pytest.raises(WhatIfError, match="no track"):
        changed(replace(base.scenario, track=None), Change(east_km=1))
    with pytest.raises(WhatIfError, match="has no tide"):
        onto_high_water(base, "W-CQ")
    assert Change.of(Change(later_h=-2).plain()) == Change(later_h=-2)
