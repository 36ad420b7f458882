"""How a district's stations answer a storm: exposure, tide, canals, low ground, forecasts. Read from a pack's scenarios folder.

Pure: plain values. `simulation.toml` gives what stands here, `tide.toml` the harmonic constants that its gauges refer to;
docs/replay.md explains every key. A station that is not named gets the defaults of its kind, a gauge without tide none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from haitang.monitoring.tide import Constituent

T = TypeVar("T")


class CoefficientError(ValueError):
    """A coefficient is missing, unknown or impossible; `where` names table and key."""

    def __init__(self, where: str, rule: str) -> None:
        super().__init__(f"{where}: {rule}")
        self.where, self.rule = where, rule


@dataclass(frozen=True, slots=True)
class Exposure:
    """What ground makes of the wind over open water: factor of the 10-minute mean, and the gust's factor upon that."""

    mean: float = 1.0
    gust: float = 1.23


@dataclass(frozen=True, slots=True)
class Gauge:
    """A tide gauge: which constants it follows, how, and the water the wind drives towards it."""

    constants: str
    factor: float = 1.0
    lag_min: float = 0.0
    mean_m: float = 0.0
    onshore_from_deg: float = 90.0
    fetch_km: float = 50.0
    depth_m: float = 10.0


@dataclass(frozen=True, slots=True)
class Canal:
    """A canal gauge: normal level and the linear reservoir of its catchment."""

    base_m: float = 2.7
    empties_h: float = 18.0
    runoff: float = 0.6
    catchment_ratio: float = 10.0


@dataclass(frozen=True, slots=True)
class Ground:
    """A waterlogging gauge on low ground: what the drains take, what gathers there, how fast it runs off."""

    drain_mm_h: float = 20.0
    empties_h: float = 2.0
    runoff: float = 0.8
    gather: float = 12.0


@dataclass(frozen=True, slots=True)
class Climate:
    """Air before and beside the storm: daily mean and half range of temperature, humidity, visibility on a dry day."""

    temperature_c: float = 25.0
    daily_c: float = 3.0
    humidity_pct: float = 80.0
    visibility_m: float = 15_000.0


@dataclass(frozen=True, slots=True)
class Steady:
    """A quantity the storm does not move: a value with slow noise around it."""

    value: float
    spread: float = 0.0
    memory_h: float = 6.0


@dataclass(frozen=True)
class Coefficients:
    """All coefficients of a district. `forecasts` maps the code of a series to the hours it looks ahead."""

    exposures: Mapping[str, Exposure] = field(default_factory=dict)
    exposure_of: Mapping[str, str] = field(default_factory=dict)
    default_exposure: str = "inland"
    constants: Mapping[str, tuple[Constituent, ...]] = field(default_factory=dict)
    gauges: Mapping[str, Gauge] = field(default_factory=dict)
    canals: Mapping[str, Canal] = field(default_factory=dict)
    default_canal: Canal = Canal()
    grounds: Mapping[str, Ground] = field(default_factory=dict)
    default_ground: Ground = Ground()
    climate: Climate = Climate()
    steady: Mapping[str, Steady] = field(default_factory=dict)
    forecasts: Mapping[str, float] = field(default_factory=dict)

    def exposure(self, station: str) -> Exposure:
        """The exposure of a station."""
        return self.exposures[self.exposure_of.get(station, self.default_exposure)]


def read(simulation: Mapping[str, Any], tide: Mapping[str, Any]) -> Coefficients:
    """Coefficients from the two documents; an empty one leaves the defaults."""
    wind = _table(simulation, "wind")
    exposures = {name: _filled(Exposure, f"wind.exposures.{name}", given)
                 for name, given in _table(wind, "exposures", "wind.exposures").items()}  # fmt: skip
    default = str(wind.get("default", "inland"))
    exposures.setdefault(default, Exposure(0.8, 1.66))
    exposure_of = {str(code): str(name) for code, name in _table(wind, "stations", "wind.stations").items()}
    for code, name in exposure_of.items():
        if name not in exposures:
            raise CoefficientError(f"wind.stations.{code}", f"{name!r} is no exposure; use one of {sorted(exposures)}")
    constants = {name: _constituents(f"tide.toml constants.{name}", given)
                 for name, given in _table(tide, "constants", "tide.toml constants").items()}  # fmt: skip
    gauges = {code: _filled(Gauge, f"tide.{code}", given) for code, given in _table(simulation, "tide").items()}
    for code, gauge in gauges.items():
        if gauge.constants not in constants:
            raise CoefficientError(
                f"tide.{code}", f"constants {gauge.constants!r} are not in tide.toml: {sorted(constants)}"
            )
        if not (gauge.fetch_km > 0 and gauge.depth_m > 0):
            raise CoefficientError(f"tide.{code}", "fetch_km and depth_m must be above 0")
    canals, default_canal = _by_station(Canal, simulation, "canal")
    grounds, default_ground = _by_station(Ground, simulation, "ground")
    steady = {name: _filled(Steady, f"steady.{name}", given) for name, given in _table(simulation, "steady").items()}
    return Coefficients(
        exposures=exposures,
        exposure_of=exposure_of,
        default_exposure=default,
        constants=constants,
        gauges=gauges,
        canals=canals,
        default_canal=default_canal,
        grounds=grounds,
        default_ground=default_ground,
        climate=_filled(Climate, "climate", _table(simulation, "climate")),
        steady=steady,
        forecasts={str(code): float(hours) for code, hours in _table(simulation, "forecast").items()},
    )


def _table(document: Mapping[str, Any], name: str, where: str = "") -> Mapping[str, Any]:
    found = document.get(name, {})
    if not isinstance(found, Mapping):
        raise CoefficientError(where or name, "must be a table")
    return found


def _filled(kind: type[T], where: str, given: object) -> T:
    if not isinstance(given, Mapping):
        raise CoefficientError(where, "must be a table")
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(given) - known)
    if unknown:
        raise CoefficientError(where, f"{unknown} are unknown; use {sorted(known)}")
    wrong = [name for name, value in given.items() if name != "constants" and not isinstance(value, int | float)]
    if wrong:
        raise CoefficientError(where, f"{wrong} must be numbers")
    try:
        return kind(**given)
    except TypeError as error:
        raise CoefficientError(where, str(error)) from None


def _by_station(kind: type[T], document: Mapping[str, Any], name: str) -> tuple[dict[str, T], T]:
    """Defaults stand in the table itself, each station's own values, upon those, in `stations`."""
    table = dict(_table(document, name))
    stations = _table(table, "stations", f"{name}.stations")
    table.pop("stations", None)
    default = _filled(kind, name, table)
    own = {str(code): _filled(kind, f"{name}.stations.{code}", {**table, **given}) for code, given in stations.items()}
    return own, default


def _constituents(where: str, given: object) -> tuple[Constituent, ...]:
    if not isinstance(given, Mapping) or not isinstance(given.get("constituents"), list):
        raise CoefficientError(where, "needs a list named constituents of [name, amplitude, phase]")
    try:
        return tuple(Constituent(str(name), float(size), float(phase)) for name, size, phase in given["constituents"])
    except (TypeError, ValueError) as error:
        raise CoefficientError(where, str(error)) from None
