"""What stations report in a storm: plausible, repeatable, complete. Issue 2.5: simulated from the real track."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.monitoring.quantities import QUANTITIES
from haitang.replay.scenario import ScenarioError
from haitang.replay.simulate import Site
from haitang.replay.tests.storms import DOCUMENT, SITES, simulation, storm

STORM = simulation()


def test_the_wind_rises_as_the_centre_comes_near_and_turns_with_its_passing() -> None:
    _time, wind = STORM.series("LAND.wind")
    assert wind[:6].mean() < 14.0 < 22.0 < wind.max() < 32.0
    _time, direction = STORM.series("LAND.dir")
    north = np.cos(np.radians(direction[:6])).mean()
    assert north > 0.8, "before the storm the wind comes from the north"
    assert 100.0 < np.median(direction[-6:]) < 200.0, "after it from the south-east"


def test_the_pressure_is_lowest_when_the_centre_is_closest() -> None:
    time_s, pressure = STORM.series("LAND.pressure")
    closest = STORM.begin_s + 60 * int(STORM.weather.pressure_hpa[:, STORM._at["LAND"]].argmin())
    assert abs(int(time_s[pressure.argmin()]) - closest) < 3600
    assert 985.0 < pressure.min() < 1000.0


def test_gusts_are_stronger_than_the_mean_and_the_open_sea_is_windier_than_land() -> None:
    _time, gust = STORM.series("LAND.gust")
    _time, wind = STORM.series("LAND.wind")
    assert (gust > wind).all()
    assert np.median(gust / wind) == pytest.approx(1.66, abs=0.08)
    _time, sea = STORM.series("SEA.gust")
    assert np.median(sea / gust) == pytest.approx(1.23 / (0.8 * 1.66), abs=0.06)


def test_a_forecast_of_a_day_announces_the_storm_before_one_of_six_hours_does() -> None:
    time_s, day = STORM.series("LAND.gust24")
    _time, hours = STORM.series("LAND.gust6")
    _time, gust = STORM.series("LAND.gust")
    strong = 32.7
    first = [int(time_s[(values >= strong).argmax()]) for values in (day, hours)]
    first.append(int(STORM.series("LAND.gust")[0][(gust >= strong).argmax()]))
    assert first == sorted(first) and first[0] < first[1] < first[2]


def test_every_reading_is_plausible_for_its_quantity_and_finite() -> None:
    quantity = {site.series: QUANTITIES[site.quantity] for site in SITES}
    all_of_it = STORM.between(0, STORM.end_s)
    for code, value in zip(all_of_it.series, all_of_it.value.tolist(), strict=True):
        assert quantity[code].low <= value <= quantity[code].high


def test_series_of_unknown_quantities_stay_silent_and_are_named() -> None:
    assert STORM.silent == ["SHAKE.acc"]


def test_each_series_reports_at_its_own_interval_on_the_round() -> None:
    time_s, _rain = STORM.series("LAND.rain")
    assert (np.diff(time_s) == 300).all() and (time_s % 300 == 0).all()
    assert time_s[-1] == STORM.end_s


def test_rain_gauges_tip_in_tenths_and_lose_nothing() -> None:
    _time, fallen = STORM.series("LAND.rain")
    assert np.allclose(fallen * 10, np.round(fallen * 10))
    place = STORM._at["LAND"]
    truth = STORM.weather.rain_mm_h[:-1, place].sum() * 60 / 3600
    assert fallen.sum() == pytest.approx(truth, abs=0.11)
    assert 20.0 < fallen.sum() < 300.0


def test_the_tide_stands_higher_than_the_moon_alone_would_raise_it() -> None:
    _time, level = STORM.series("GAUGE.level")
    gauge = STORM.coefficients.gauges["GAUGE"]
    moon = STORM._astronomical(gauge, STORM.series("GAUGE.level")[0])
    assert 0.3 < (level - moon).max() < 3.0
    assert moon.max() <= 2.0 + 1.0 * 1.05 + 0.4 * 1.05


def test_water_gathers_after_the_rain_and_runs_off() -> None:
    _time, canal = STORM.series("CANAL.level")
    assert canal[0] == pytest.approx(2.7, abs=0.05)
    assert canal.max() > canal[0] + 0.1


@settings(max_examples=30)
@given(st.lists(st.integers(0, 32 * 60), max_size=6))
def test_stretches_add_up_to_the_whole_however_they_are_cut(cuts: list[int]) -> None:
    """The driver may be killed and start again anywhere: nothing is left out and nothing comes twice."""
    edges = [0, *(STORM.begin_s + 60 * cut for cut in sorted(cuts)), STORM.end_s]
    parts = [STORM.between(a, b) for a, b in itertools.pairwise(edges)]
    whole = STORM.between(0, STORM.end_s)
    assert [code for part in parts for code in part.series] == list(whole.series)
    assert np.concatenate([part.value for part in parts]).tolist() == whole.value.tolist()


def test_the_same_seed_gives_the_same_readings_and_another_station_changes_none() -> None:
    again = simulation([*SITES, Site("NEW.rain", "NEW", "rain", 121.9, 31.4, 300)])
    for code in ("LAND.rain", "LAND.gust", "GAUGE.level"):
        assert again.series(code)[1].tolist() == STORM.series(code)[1].tolist()
    assert simulation(seed=8).series("LAND.rain")[1].tolist() != STORM.series("LAND.rain")[1].tolist()


def test_an_outage_leaves_a_gap() -> None:
    gap = {"station": "LAND", "start": "2024-09-16T04:00:00+08:00", "end": "2024-09-16T06:00:00+08:00"}
    time_s, _value = simulation(outage=[gap]).series("LAND.rain")
    assert np.diff(time_s).max() == 2 * 3600 + 300


def test_next_after_walks_through_all_moments() -> None:
    moment, seen = float(STORM.begin_s) - 1, 0
    while (coming := STORM.next_after(moment)) is not None and seen < 20:
        assert coming > moment
        moment, seen = coming, seen + 1
    assert STORM.next_after(STORM.end_s) is None


HOURS = [[f"2024-09-15T{h:02d}:00:00+08:00", 22, 90, 1008 - h / 10, "NE", 6.0, float(h % 5)] for h in range(12, 24)]


def test_observed_hours_drive_all_stations_and_keep_their_rain() -> None:
    found = simulation(
        end="2024-09-15T20:00:00+08:00", observed={"source": "tests", "exposure": "inland", "rows": HOURS}
    )
    time_s, fallen = found.series("LAND.rain")
    for hour in range(12, 19):
        begin = found.begin_s + (hour - 12) * 3600
        mine = (time_s > begin) & (time_s <= begin + 3600)
        assert fallen[mine].sum() == pytest.approx(hour % 5, abs=0.11)
    assert np.median(found.series("LAND.dir")[1]) == pytest.approx(45, abs=3)
    assert np.median(found.series("LAND.wind")[1]) == pytest.approx(6.0, abs=0.6)
    assert found.series("LAND.pressure")[1][0] == pytest.approx(1008 - 1.2, abs=0.4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end": "2024-09-15T08:00:00+08:00"}, "must be after start"),
        ({"start": "2024-09-15T12:00:00"}, "with its offset"),
        ({"end": "2024-09-18T08:00:00+08:00"}, "the track must begin before"),
        ({"track": {}}, "needs a track, observations, or both"),
        (
            {"track": {"fixes": [["2024-09-15T00:00Z", 127.1, 29.6, 965, 75, 150, 120]] * 2}},
            "latitude before longitude",
        ),
        (
            {"track": {"fixes": [["2024-09-15T00:00Z", 29.6, 127.1, 965, 75, 150, 120]] * 2}},
            "each later than the one before",
        ),
        ({"track": {"fixes": [["2024-09-15T00:00Z", 29.6, 127.1]] * 2}}, "longest and shortest"),
        ({"name_zh": ""}, "name_zh"),
        ({"speed": 0}, "above 0"),
        ({"history": [{"at": "2024-09-15T12:00:00+08:00", "zh": "x", "en": "x"}]}, "history\\[0\\].source"),
        ({"observed": {"rows": [*HOURS[:2], HOURS[4]]}}, "one hour after the row before"),
        ({"observed": {"rows": HOURS}}, "the hours must begin before"),
    ],
)
def test_a_scenario_that_cannot_be_run_says_where_and_why(changes: dict, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        storm(**changes)


def test_the_scenario_is_read_whole() -> None:
    read = storm(
        history=[{"at": "2024-09-16T07:30:00+08:00", "key": "landfall", "zh": "登陆", "en": "Landfall", "source": "s"}]
    )
    assert (read.hours, read.seed, read.name.zh) == (32.0, 7, DOCUMENT["name_zh"])
    assert read.history[0].key == "landfall"
