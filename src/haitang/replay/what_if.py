"""What if the storm had come otherwise: moved, delayed onto high water, deeper, over a higher sea.

Pure: a changed scenario, the coefficients over a changed sea, and what every watched series would have reached. The models are those
of the replay (docs/replay.md) and share their limits; the pattern over the townships and the hour of the tide carry the
message, not the last decimetre.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from haitang.replay.coefficients import Coefficients
from haitang.replay.scenario import Scenario
from haitang.replay.simulate import STEP_S, Simulation
from haitang.replay.track import KM_PER_DEGREE

Floats = NDArray[np.float64]

LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "east_km": (-300.0, 300.0),
    "north_km": (-300.0, 300.0),
    "later_h": (-13.0, 13.0),
    "deeper_hpa": (-40.0, 60.0),
    "sea_m": (-1.0, 3.0),
}
LEAST_DEFICIT_HPA: Final = 5.0
"""A storm made weaker than this is no storm that the wind field knows."""


class WhatIfError(ValueError):
    """A change that cannot be made: the message names the field, the value and the rule."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is different: the track moved, all of it later, the centre deeper, the mean sea level higher."""

    east_km: float = 0.0
    north_km: float = 0.0
    later_h: float = 0.0
    deeper_hpa: float = 0.0
    sea_m: float = 0.0

    def __post_init__(self) -> None:
        """Each within its limits."""
        for name, (low, high) in LIMITS.items():
            if not low <= getattr(self, name) <= high:
                raise WhatIfError(f"{name} is {getattr(self, name):g}; it must lie between {low:g} and {high:g}")

    def plain(self) -> dict[str, float]:
        """What differs, as it is stored."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def of(cls, stored: Mapping[str, object]) -> Change:
        """From what `plain` gave; WhatIfError names a key that is not known."""
        known = {each.name for each in fields(cls)}
        if unknown := set(stored) - known:
            raise WhatIfError(f"{min(unknown)} is not known; there are {', '.join(sorted(known))}")
        return cls(**{name: float(str(value)) for name, value in stored.items()})


def changed(scenario: Scenario, change: Change) -> Scenario:
    """The scenario with its storm changed. WhatIfError where there is no track to change.

    The greatest wind goes with the square root of the deficit, as in Holland's profile with the shape kept.
    """
    track = scenario.track
    if not change.plain():
        return scenario
    if track is None:
        raise WhatIfError("this scenario was observed and has no track; only a storm with a track can be changed")
    lat = track.lat + change.north_km / KM_PER_DEGREE
    lon = track.lon + change.east_km / (KM_PER_DEGREE * np.cos(np.radians(lat)))
    deficit = np.maximum(scenario.ambient_hpa - track.central_hpa, 1.0)
    deeper = np.maximum(deficit + change.deeper_hpa, np.minimum(deficit, LEAST_DEFICIT_HPA))
    moved = replace(
        track, lon=lon, lat=lat, time_s=track.time_s + 3600.0 * change.later_h, central_hpa=scenario.ambient_hpa - deeper,
        max_wind_ms=track.max_wind_ms * np.sqrt(deeper / deficit),
    )  # fmt: skip
    return replace(scenario, track=moved, end=scenario.end + timedelta(hours=max(0.0, change.later_h)))


def over(coefficients: Coefficients, change: Change) -> Coefficients:
    """The coefficients with every gauge's mean level raised."""
    if not change.sea_m:
        return coefficients
    return replace(
        coefficients,
        gauges={
            code: replace(gauge, mean_m=gauge.mean_m + change.sea_m) for code, gauge in coefficients.gauges.items()
        },
    )


def simulate(base: Simulation, change: Change) -> Simulation:
    """The same network under the changed storm."""
    return Simulation(changed(base.scenario, change), over(base.coefficients, change), base.sites)


def onto_high_water(base: Simulation, station: str, *, reach_h: float = 13.0) -> float:
    """By how many hours the storm must come later (earlier: below 0) for the highest water at a gauge, in half hours.

    Half a day either way holds every phase of a semidiurnal tide; of equal levels the least shift is taken.
    """
    if station not in base.coefficients.gauges:
        raise WhatIfError(
            f"{station} has no tide in simulation.toml; choose one of {', '.join(base.coefficients.gauges)}"
        )
    surge = base.surge_at(station)
    begin, end = base.begin_s - int(reach_h * 3600), base.end_s + int(reach_h * 3600)
    tide = base.tide_at(station, np.arange(begin, end + 1, STEP_S, dtype=np.float64))
    steps = np.arange(-reach_h, reach_h + 0.25, 0.5)
    highest = []
    for later_h in steps.tolist():
        first = int((reach_h + later_h) * 3600 / STEP_S)
        highest.append(float((tide[first : first + len(surge)] + surge).max()))
    best = np.flatnonzero(np.isclose(highest, max(highest), atol=5e-3))
    return float(steps[best[np.argmin(np.abs(steps[best]))]])


@dataclass(frozen=True, slots=True)
class Watched:
    """One rule in plain terms: which series, summed or averaged over which window, against which four thresholds."""

    series: str
    aggregate: str
    window_s: int
    thresholds: tuple[float | None, float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class Peak:
    """What a watched series would reach at most, when (Unix seconds), and the colour: 0 none, 1 blue to 4 red."""

    value: float
    at_s: float
    level: int


def peaks(simulation: Simulation, watched: Sequence[Watched]) -> list[Peak | None]:
    """The greatest value of each watched series; None where nothing simulates it. Forecast series are left out."""
    return [_peak(simulation, each) for each in watched]


def _peak(simulation: Simulation, watched: Watched) -> Peak | None:
    if watched.series in simulation.coefficients.forecasts:
        return None
    time_s, value = simulation.now_series(watched.series)
    if not len(value):
        return None
    if watched.window_s and watched.aggregate in {"sum", "mean"}:
        reach = np.searchsorted(time_s, time_s - watched.window_s, side="right")
        total = np.concatenate(([0.0], np.cumsum(value)))
        value = total[1:] - total[reach]
        if watched.aggregate == "mean":
            value = value / (np.arange(1, len(value) + 1) - reach)
    top = int(np.argmax(value))
    reached = [n for n, bound in enumerate(watched.thresholds, start=1) if bound is not None and value[top] >= bound]
    return Peak(float(value[top]), float(time_s[top]), max(reached, default=0))
