"""What every station of a network would have reported in a storm: readings simulated from a real track or observation.

Pure: NumPy arrays, no Django, no clock. A simulation knows the whole storm and gives out the readings of any stretch of
it; the same scenario, coefficients and sites give the same readings, whatever stretches are asked for and in what order.
Models and their sources: docs/replay.md. Series of a quantity that nothing here knows stay silent and are listed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from haitang.monitoring import surge, tide
from haitang.replay import noise, rain, track, water
from haitang.replay.coefficients import Coefficients, Gauge
from haitang.replay.scenario import Scenario
from haitang.survey import wind_field

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP_S: Final = 60
"""Spacing of the grid everything is computed on. A reading stands for its moment, rain for the time since the reading before."""
LEAD_STEP_S: Final = 1800.0
CALM_MS: Final = 2.0
"""Air that the storm does not move still moves a little."""
DECIMALS: Final = {
    "tide_level": 2,
    "surge": 2,
    "water_level": 2,
    "water_depth": 2,
    "wind_direction": 0,
    "visibility": 0,
}


@dataclass(frozen=True, slots=True)
class Site:
    """One series of the network: what it measures, where, how often."""

    series: str
    station: str
    quantity: str
    lon: float
    lat: float
    interval_s: int


@dataclass(frozen=True)
class Readings:
    """Readings in order of time, then of series: three columns of the same length."""

    series: Sequence[str]
    time_s: Ints
    value: Floats

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True)
class Weather:
    """Wind over open water, pressure and rain at every station, on the grid; arrays of shape (T, S)."""

    speed_ms: Floats
    direction_deg: Floats
    pressure_hpa: Floats
    rain_mm_h: Floats


class Simulation:
    """One scenario on one network."""

    def __init__(self, scenario: Scenario, coefficients: Coefficients, sites: Sequence[Site]) -> None:
        self.scenario, self.coefficients = scenario, coefficients
        self.sites = sorted(sites, key=lambda site: site.series)
        self.begin_s, self.end_s = int(scenario.start.timestamp()), int(scenario.end.timestamp())
        self.time_s = np.arange(self.begin_s, self.end_s + 1, STEP_S, dtype=np.int64)
        places = {site.station: (site.lon, site.lat) for site in self.sites}
        self.stations = sorted(places)
        self.lon = np.array([places[code][0] for code in self.stations], dtype=np.float64)
        self.lat = np.array([places[code][1] for code in self.stations], dtype=np.float64)
        self._at = {code: number for number, code in enumerate(self.stations)}

    @cached_property
    def silent(self) -> list[str]:
        """Series that nothing here simulates."""
        known = {site.series for site, _values in self._columns}
        return [site.series for site in self.sites if site.series not in known]

    def between(self, after_s: float, upto_s: float) -> Readings:
        """What is reported after one moment, up to and including another."""
        series, time_s, value = self._everything
        low, high = np.searchsorted(time_s, [after_s, upto_s], side="right")
        return Readings([self.sites[n].series for n in series[low:high].tolist()], time_s[low:high], value[low:high])

    def next_after(self, moment_s: float) -> float | None:
        """The first moment after this one at which something is reported."""
        times = self._everything[1]
        place = int(np.searchsorted(times, moment_s, side="right"))
        return float(times[place]) if place < len(times) else None

    def series(self, code: str) -> tuple[Ints, Floats]:
        """All readings of one series: times and values; empty where it is silent."""
        number, time_s, value = self._everything
        mine = number == next((n for n, site in enumerate(self.sites) if site.series == code), -1)
        return time_s[mine], value[mine]

    def now_series(self, code: str) -> tuple[Ints, Floats]:
        """What one series reports of its moment, without outages; nothing that looks ahead is computed for it."""
        site = next((each for each in self.sites if each.series == code), None)
        if site is None:
            return np.zeros(0, np.int64), np.zeros(0)
        every = _every(site)
        at = self._rounds(every)
        values = self._now(site, at, every)
        return (at, values) if values is not None else (np.zeros(0, np.int64), np.zeros(0))

    def surge_at(self, station: str) -> Floats:
        """Surge at a gauge on the grid, m."""
        return self._surge_of(self.coefficients.gauges[station], station)

    def tide_at(self, station: str, time_s: Floats) -> Floats:
        """Astronomical tide at a gauge at any moments, m above its datum."""
        return self._astronomical(self.coefficients.gauges[station], time_s)

    def storm_at(self, moment_s: float) -> track.Passage | None:
        """The storm at one moment; None where the scenario has no track, or the moment lies outside it."""
        path = self.scenario.track
        if path is None or not path.begin_s <= moment_s <= path.end_s:
            return None
        return track.along(path, [moment_s], ambient_hpa=self.scenario.ambient_hpa)

    @cached_property
    def weather(self) -> Weather:
        """The weather at every station on the grid, before any exposure or noise."""
        return self._observed_weather() if self.scenario.observed is not None else self._track_weather()

    @cached_property
    def _everything(self) -> tuple[Ints, Ints, Floats]:
        numbers, times, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
        number_of = {site.series: number for number, site in enumerate(self.sites)}
        for site, (time_s, value) in self._columns:
            talking = self._talking(site.station, time_s)
            numbers.append(np.full(int(talking.sum()), number_of[site.series], np.int64))
            times.append(time_s[talking])
            values.append(value[talking])
        number, time_s, value = np.concatenate(numbers), np.concatenate(times), np.concatenate(values)
        order = np.lexsort((number, time_s))
        return number[order], time_s[order], value[order]

    def _talking(self, station: str, time_s: Ints) -> NDArray[np.bool_]:
        talking = np.ones(len(time_s), np.bool_)
        for outage in self.scenario.outages:
            if outage.station == station:
                talking &= (time_s < outage.begin.timestamp()) | (time_s >= outage.end.timestamp())
        return talking

    @cached_property
    def _columns(self) -> list[tuple[Site, tuple[Ints, Floats]]]:
        found = []
        for site in self.sites:
            every = _every(site)
            at = self._rounds(every)
            values = self._ahead(site, at) if site.series in self.coefficients.forecasts else self._now(site, at, every)
            if values is not None:
                known = np.isfinite(values)
                found.append((site, (at[known], np.round(values[known], DECIMALS.get(site.quantity, 1)))))
        return found

    def _rounds(self, every: int) -> Ints:
        """On the round: a station that reports every five minutes does so at :00, :05 ..."""
        return np.arange(-(-self.begin_s // every) * every, self.end_s + 1, every, dtype=np.int64)

    def _now(self, site: Site, at: Ints, every: int) -> Floats | None:
        if site.series in self.coefficients.steady or site.quantity in self.coefficients.steady:
            return self._steady(site, at)
        make = _MODELS.get(site.quantity)
        whole = make(self, site) if make else None
        if whole is None:
            return None
        if site.quantity == "rain":
            return self._fallen(whole, at, every)
        return whole[(at - self.begin_s) // STEP_S]

    def _fallen(self, rate_mm_h: Floats, at: Ints, every: int) -> Floats:
        """Rain of each interval, in the tenths of a millimetre that a tipping bucket counts; what is left over counts next."""
        total = np.concatenate(([0.0], np.cumsum(rate_mm_h[:-1] * STEP_S / 3600.0)))
        place = (at - self.begin_s) // STEP_S
        tips = np.floor(np.round(total[place] * 10.0, 6))
        before = np.floor(np.round(total[np.maximum(place - every // STEP_S, 0)] * 10.0, 6))
        return (tips - before) / 10.0

    # The weather everywhere.

    def _track_weather(self) -> Weather:
        assert self.scenario.track is not None
        # The field moves slowly: every five minutes is enough, the rest lies between.
        coarse = np.arange(self.begin_s, self.end_s + 300, 300, dtype=np.float64)
        passage = track.along(self.scenario.track, coarse, ambient_hpa=self.scenario.ambient_hpa)
        found = track.field(passage, self.lon, self.lat)
        rate = rain.r_cliper_mm_h(found.distance_km, passage.storm.max_wind_ms[:, None])
        east, north = _vector(found.speed_ms, found.direction_deg)
        east, north = self._between(coarse, east), self._between(coarse, north)
        return Weather(
            speed_ms=np.hypot(east, north),
            direction_deg=np.degrees(np.arctan2(-east, -north)) % 360.0,
            pressure_hpa=self._between(coarse, found.pressure_hpa),
            rain_mm_h=self._between(coarse, rate) * self._showers(),
        )

    def _observed_weather(self) -> Weather:
        seen = self.scenario.observed
        assert seen is not None
        hours = seen.begin_s + 3600.0 * np.arange(len(seen))
        one = np.ones((1, len(self.stations)))
        open_water = seen.wind_ms / self.coefficients.exposures.get(seen.exposure, self.coefficients.exposure("")).mean
        east, north = _vector(open_water, seen.direction_deg)
        east, north = np.interp(self.time_s, hours, east), np.interp(self.time_s, hours, north)
        speed = np.interp(self.time_s, hours, open_water)
        parts = 3600 // STEP_S
        fallen = np.stack(
            [rain.disaggregate(seen.rain_mm, parts, noise.generator(self.scenario.seed, "rain", code)) for code in self.stations],
            axis=1,
        ) if self.stations else np.zeros((len(seen) * parts, 0))  # fmt: skip
        place = ((self.time_s - seen.begin_s) // STEP_S).astype(np.int64)
        inside = (place >= 0) & (place < len(fallen))
        rate = np.where(inside[:, None], fallen[np.clip(place, 0, len(fallen) - 1)] * parts, 0.0)
        return Weather(
            speed_ms=speed[:, None] * one,
            direction_deg=(np.degrees(np.arctan2(-east, -north)) % 360.0)[:, None] * one,
            pressure_hpa=np.interp(self.time_s, hours, seen.pressure_hpa)[:, None] * one,
            rain_mm_h=rate,
        )

    def _between(self, coarse: Floats, values: Floats) -> Floats:
        return np.stack([np.interp(self.time_s, coarse, column) for column in values.T], axis=1) if values.size else (
            np.zeros((len(self.time_s), 0))
        )  # fmt: skip

    def _showers(self) -> Floats:
        steps = len(self.time_s)
        columns = [
            rain.showers(steps, STEP_S, noise.generator(self.scenario.seed, "rain", code)) for code in self.stations
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((steps, 0))

    def _noise(self, site: Site, memory_s: float) -> Floats:
        return noise.red_noise(len(self.time_s), STEP_S, memory_s, noise.generator(self.scenario.seed, site.series))

    # One series each: values on the grid.

    def _mean_wind(self, site: Site) -> Floats:
        sea = self.weather.speed_ms[:, self._at[site.station]]
        gusty = noise.red_noise(
            len(self.time_s), STEP_S, 900.0, noise.generator(self.scenario.seed, "wind", site.station)
        )
        return np.maximum(
            np.hypot(sea, CALM_MS) * self.coefficients.exposure(site.station).mean * (1.0 + 0.05 * gusty), 0.0
        )

    def _gust(self, site: Site) -> Floats:
        factor = self.coefficients.exposure(site.station).gust
        return self._mean_wind(site) * (1.0 + (factor - 1.0) * np.maximum(1.0 + 0.10 * self._noise(site, 300.0), 0.0))

    def _direction(self, site: Site) -> Floats:
        return (self.weather.direction_deg[:, self._at[site.station]] + 6.0 * self._noise(site, 600.0)) % 360.0

    def _pressure(self, site: Site) -> Floats:
        return self.weather.pressure_hpa[:, self._at[site.station]] + 0.1 * self._noise(site, 1800.0)

    def _rain(self, site: Site) -> Floats:
        return self.weather.rain_mm_h[:, self._at[site.station]]

    def _tide_level(self, site: Site) -> Floats | None:
        gauge = self.coefficients.gauges.get(site.station)
        if gauge is None:
            return None
        return (
            self._astronomical(gauge, self.time_s)
            + self._surge_of(gauge, site.station)
            + 0.02 * self._noise(site, 1200.0)
        )

    def _surge(self, site: Site) -> Floats | None:
        gauge = self.coefficients.gauges.get(site.station)
        return None if gauge is None else self._surge_of(gauge, site.station)

    def _surge_of(self, gauge: Gauge, station: str) -> Floats:
        place = self._at[station]
        weather = self.weather
        return _surge_m(gauge, weather.pressure_hpa[:, place], weather.speed_ms[:, place], weather.direction_deg[:, place],
                        self.scenario.ambient_hpa)  # fmt: skip

    def _astronomical(self, gauge: Gauge, time_s: NDArray[np.float64] | Ints) -> Floats:
        coarse = np.arange(math.floor(time_s.min() / 600) * 600, time_s.max() + 601, 600) - gauge.lag_min * 60.0
        moments = [datetime.fromtimestamp(at, UTC) for at in coarse.tolist()]
        level = tide.predict(self.coefficients.constants[gauge.constants], moments)
        return gauge.mean_m + gauge.factor * np.interp(time_s - gauge.lag_min * 60.0, coarse, level)

    def _canal(self, site: Site) -> Floats:
        canal = self.coefficients.canals.get(site.station, self.coefficients.default_canal)
        return water.canal_level_m(
            self._rain(site), STEP_S, base_m=canal.base_m, empties_h=canal.empties_h, runoff=canal.runoff,
            catchment_ratio=canal.catchment_ratio,
        ) + 0.01 * self._noise(site, 3600.0)  # fmt: skip

    def _ponding(self, site: Site) -> Floats:
        ground = self.coefficients.grounds.get(site.station, self.coefficients.default_ground)
        return water.ponding_m(
            self._rain(site), STEP_S, drain_mm_h=ground.drain_mm_h, empties_h=ground.empties_h, runoff=ground.runoff,
            gather=ground.gather,
        )  # fmt: skip

    def _temperature(self, site: Site) -> Floats:
        seen = self.scenario.observed
        if seen is not None:
            hours = seen.begin_s + 3600.0 * np.arange(len(seen))
            return np.interp(self.time_s, hours, seen.temperature_c) + 0.2 * self._noise(site, 3600.0)
        climate = self.coefficients.climate
        # Warmest at 14 h by the sun; under thick cloud and rain the day's swing is small.
        solar_h = (self.time_s / 3600.0 + site.lon / 15.0) % 24.0
        swing = climate.daily_c * np.cos(2 * np.pi * (solar_h - 14.0) / 24.0)
        wet = self._wetness(site)
        return climate.temperature_c + swing * (1.0 - 0.7 * wet) - 2.0 * wet + 0.2 * self._noise(site, 3600.0)

    def _humidity(self, site: Site) -> Floats:
        seen = self.scenario.observed
        if seen is not None:
            hours = seen.begin_s + 3600.0 * np.arange(len(seen))
            return np.clip(np.interp(self.time_s, hours, seen.humidity_pct) + self._noise(site, 3600.0), 5.0, 100.0)
        dry = self.coefficients.climate.humidity_pct
        return np.clip(dry + (97.0 - dry) * self._wetness(site) + self._noise(site, 3600.0), 5.0, 100.0)

    def _visibility(self, site: Site) -> Floats:
        """Falls with rain about as 1 / (1 + R / 8): 15 km dry, some 4 km in 20 mm/h (Atlas 1953, extinction grows with R)."""
        hazy = 1.0 + 0.1 * self._noise(site, 1800.0)
        return np.maximum(self.coefficients.climate.visibility_m * hazy / (1.0 + self._rain(site) / 8.0), 50.0)

    def _wetness(self, site: Site) -> Floats:
        """0 in dry air to 1 in lasting rain: the rain of the last hours."""
        return 1.0 - np.exp(-water.reservoir_mm(self._rain(site), STEP_S, 2 * 3600.0) / 5.0)

    def _steady(self, site: Site, at: Ints) -> Floats:
        steady = self.coefficients.steady.get(site.series) or self.coefficients.steady[site.quantity]
        return steady.value + steady.spread * self._noise(site, steady.memory_h * 3600.0)[(at - self.begin_s) // STEP_S]

    # What was to be expected at each moment.

    def _ahead(self, site: Site, at: Ints) -> Floats | None:
        """For each time of issue the greatest value (of rain the sum) that persistence expects within the horizon.

        nan where no storm is followed any more.
        """
        path, make = self.scenario.track, _AHEAD.get(site.quantity)
        gauge = self.coefficients.gauges.get(site.station)
        if path is None or make is None or (site.quantity in {"tide_level", "surge"} and gauge is None):
            return None
        leads = np.arange(0.0, self.coefficients.forecasts[site.series] * 3600.0 + 1.0, LEAD_STEP_S)
        whole = []
        for issued in at.tolist():
            if not path.begin_s <= issued <= path.end_s:
                whole.append(np.nan)
                continue
            passage = track.expected(path, float(issued), leads, ambient_hpa=self.scenario.ambient_hpa)
            whole.append(make(self, site, passage, track.field(passage, [site.lon], [site.lat])))
        return np.array(whole, dtype=np.float64)

    def _wind_ahead(self, site: Site, passage: track.Passage, found: wind_field.Field) -> float:
        exposure = self.coefficients.exposure(site.station)
        mean = float(np.hypot(found.speed_ms.max(), CALM_MS)) * exposure.mean
        return mean * exposure.gust if site.quantity == "wind_gust" else mean

    def _rain_ahead(self, site: Site, passage: track.Passage, found: wind_field.Field) -> float:
        rate = rain.r_cliper_mm_h(found.distance_km[:, 0], passage.storm.max_wind_ms)
        return float(np.trapezoid(rate, passage.time_s) / 3600.0)

    def _tide_ahead(self, site: Site, passage: track.Passage, found: wind_field.Field) -> float:
        gauge = self.coefficients.gauges[site.station]
        surge_m = _surge_m(gauge, found.pressure_hpa[:, 0], found.speed_ms[:, 0], found.direction_deg[:, 0],
                           self.scenario.ambient_hpa)  # fmt: skip
        level = self._astronomical(gauge, passage.time_s) if site.quantity == "tide_level" else np.zeros(1)
        return float((level + surge_m).max())


_MODELS: dict[str, Callable[[Simulation, Site], Floats | None]] = {
    "wind_speed": Simulation._mean_wind,
    "wind_gust": Simulation._gust,
    "wind_direction": Simulation._direction,
    "pressure": Simulation._pressure,
    "rain": Simulation._rain,
    "tide_level": Simulation._tide_level,
    "surge": Simulation._surge,
    "water_level": Simulation._canal,
    "water_depth": Simulation._ponding,
    "air_temperature": Simulation._temperature,
    "humidity": Simulation._humidity,
    "visibility": Simulation._visibility,
}
_AHEAD: dict[str, Callable[[Simulation, Site, track.Passage, wind_field.Field], float]] = {
    "wind_speed": Simulation._wind_ahead,
    "wind_gust": Simulation._wind_ahead,
    "rain": Simulation._rain_ahead,
    "tide_level": Simulation._tide_ahead,
    "surge": Simulation._tide_ahead,
}
SIMULATED: Final = frozenset(_MODELS)
"""Quantities that a storm moves here."""


def _every(site: Site) -> int:
    return max(STEP_S, round(site.interval_s / STEP_S) * STEP_S)


def _vector(speed: Floats, from_deg: Floats) -> tuple[Floats, Floats]:
    """Eastward and northward part of a wind that comes from a direction."""
    angle = np.radians(from_deg)
    return -speed * np.sin(angle), -speed * np.cos(angle)


def _surge_m(gauge: Gauge, pressure: Floats, speed: Floats, direction: Floats, ambient_hpa: float) -> Floats:
    return surge.surge_m(
        pressure, speed, direction, ambient_hpa=ambient_hpa, onshore_from_deg=gauge.onshore_from_deg,
        fetch_km=gauge.fetch_km, depth_m=gauge.depth_m,
    )  # fmt: skip
