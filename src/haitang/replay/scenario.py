"""A scenario: a real storm as a file of a pack, read into typed, frozen values.

Pure: the file's TOML comes in as a mapping. What can stand in it, with units, is written in docs/replay.md. `Scenario.key`
is the file's name without its ending; `tide.toml` and `simulation.toml` beside the scenarios hold what all of them share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from haitang.replay.track import KNOT_MS, MILE_KM, Track

SHARED_FILES: Final = frozenset({"tide.toml", "simulation.toml"})
DIRECTIONS: Final = {"N": 0, "NE": 45, "E": 90, "SE": 135, "S": 180, "SW": 225, "W": 270, "NW": 315}
_CALM: Final = {"cv", ""}


class ScenarioError(ValueError):
    """A scenario file cannot be used; the message names the key, the value and the rule."""

    def __init__(self, where: str, rule: str, value: object = None) -> None:
        super().__init__(f"{where}{'' if value is None else f' ({value!r})'}: {rule}")
        self.where, self.rule, self.value = where, rule, value


@dataclass(frozen=True, slots=True)
class Words:
    """A text in both languages."""

    zh: str
    en: str

    def __str__(self) -> str:
        return self.en


@dataclass(frozen=True, slots=True)
class History:
    """What really happened, when. `key` says with what of the replay it compares ("warning.orange", "moved", "landfall")."""

    at: datetime
    key: str
    text: Words
    figure: float | None
    source: str
    confidence: str


@dataclass(frozen=True)
class Observed:
    """Hourly observations of one real station, from `begin_s` on; arrays of shape (H,). `rain_mm` fell in the hour that follows."""

    begin_s: float
    temperature_c: np.ndarray[Any, np.dtype[np.float64]]
    humidity_pct: np.ndarray[Any, np.dtype[np.float64]]
    pressure_hpa: np.ndarray[Any, np.dtype[np.float64]]
    direction_deg: np.ndarray[Any, np.dtype[np.float64]]
    wind_ms: np.ndarray[Any, np.dtype[np.float64]]
    rain_mm: np.ndarray[Any, np.dtype[np.float64]]
    exposure: str
    source: str

    def __len__(self) -> int:
        return len(self.wind_ms)


@dataclass(frozen=True, slots=True)
class Outage:
    """A station that says nothing for a while, as some do in a storm. Invented, to show the alarm for silence."""

    station: str
    begin: datetime
    end: datetime


@dataclass(frozen=True)
class Scenario:
    """One storm, ready to be run."""

    key: str
    name: Words
    description: Words
    real: Sequence[Words]
    simulated: Sequence[Words]
    start: datetime
    end: datetime
    speed: float
    seed: int
    ambient_hpa: float
    track: Track | None
    track_source: str
    observed: Observed | None
    history: Sequence[History]
    outages: Sequence[Outage]
    cast: Mapping[str, Any] = field(default_factory=dict)
    order: int = 100

    @property
    def hours(self) -> float:
        """How long it lasts."""
        return (self.end - self.start).total_seconds() / 3600.0


def read(key: str, document: Mapping[str, Any]) -> Scenario:
    """A scenario from its document; raises ScenarioError."""
    start, end = _moment(document, "start"), _moment(document, "end")
    if end <= start:
        raise ScenarioError("end", "must be after start", end)
    track, track_source = _track(document)
    observed = _observed(document)
    if track is None and observed is None:
        raise ScenarioError("track", "a scenario needs a track, observations, or both")
    if (
        observed is None
        and track is not None
        and not (track.begin_s <= start.timestamp() and end.timestamp() <= track.end_s)
    ):
        raise ScenarioError("track.fixes", "the track must begin before `start` and end after `end`")
    if observed is not None and not (
        observed.begin_s <= start.timestamp() and end.timestamp() <= observed.begin_s + 3600.0 * len(observed)
    ):
        raise ScenarioError("observed.rows", "the hours must begin before `start` and end after `end`")
    speed = _number(document, "speed", 600.0)
    if not speed > 0:
        raise ScenarioError("speed", "must be above 0", speed)
    return Scenario(
        key=key,
        name=_words(document, "name"),
        description=_words(document, "description"),
        real=_list_of_words(document, "real"),
        simulated=_list_of_words(document, "simulated"),
        start=start,
        end=end,
        speed=speed,
        seed=int(_number(document, "seed", 1)),
        ambient_hpa=_number(document, "ambient_hpa", 1010.0),
        track=track,
        track_source=track_source,
        observed=observed,
        history=[_history(n, row) for n, row in enumerate(_rows(document, "history"))],
        outages=[_outage(n, row) for n, row in enumerate(_rows(document, "outage"))],
        cast=_mapping(document, "cast"),
        order=int(_number(document, "order", 100)),
    )


def _track(document: Mapping[str, Any]) -> tuple[Track | None, str]:
    table = _mapping(document, "track")
    if not table:
        return None, ""
    fixes = table.get("fixes")
    if not isinstance(fixes, list) or len(fixes) < 2:
        raise ScenarioError("track.fixes", "must list two fixes or more")
    columns: list[list[float]] = []
    for number, fix in enumerate(fixes):
        where = f"track.fixes[{number}]"
        if not isinstance(fix, list) or len(fix) != 7:
            raise ScenarioError(
                where, "must be [time, lat, lon, hPa, wind kn, longest and shortest 30-kn radius in n mile]", fix
            )
        when, rest = _time(where, fix[0]), fix[1:]
        if not all(isinstance(each, int | float) for each in rest):
            raise ScenarioError(where, "all but the time must be numbers", fix)
        lat, lon, pressure, wind, longest, shortest = (float(each) for each in rest)
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            raise ScenarioError(where, "is no place on Earth; write latitude before longitude", fix)
        if not (850 <= pressure <= 1020 and 0 < wind <= 200):
            raise ScenarioError(where, "pressure must lie in 850 to 1020 hPa, wind in 1 to 200 kn", fix)
        radius = (longest + shortest) / 2.0 * MILE_KM
        columns.append([when.timestamp(), lon, lat, pressure, wind * KNOT_MS, radius or 150.0])
    time_s, lons, lats, central, winds, outer = np.array(columns, dtype=np.float64).T
    try:
        track = Track(time_s, lons, lats, central, winds, outer)
    except ValueError as error:
        raise ScenarioError("track.fixes", str(error)) from None
    return track, str(table.get("source", ""))


def _observed(document: Mapping[str, Any]) -> Observed | None:
    table = _mapping(document, "observed")
    if not table:
        return None
    rows = table.get("rows")
    if not isinstance(rows, list) or len(rows) < 2:
        raise ScenarioError("observed.rows", "must list two hours or more")
    begin = _time("observed.rows[0]", rows[0][0] if isinstance(rows[0], list) and rows[0] else None)
    figures: list[list[float]] = []
    for number, row in enumerate(rows):
        where = f"observed.rows[{number}]"
        if not isinstance(row, list) or len(row) != 7:
            raise ScenarioError(where, "must be [time, deg C, %, hPa, direction, m/s, mm]", row)
        if (_time(where, row[0]) - begin).total_seconds() != number * 3600.0:
            raise ScenarioError(where, "each row must be one hour after the row before", row[0])
        if row[4] not in DIRECTIONS and row[4] not in _CALM:
            raise ScenarioError(where, f"the direction must be one of {', '.join(DIRECTIONS)}, or cv for calm", row[4])
        figures.append(
            [*(float(each) for each in row[1:4]), float(DIRECTIONS.get(row[4], np.nan)), float(row[5]), float(row[6])]
        )
    temperature, humidity, pressure, direction, wind, rain = np.array(figures, dtype=np.float64).T
    return Observed(
        begin_s=begin.timestamp(), temperature_c=temperature, humidity_pct=humidity, pressure_hpa=pressure,
        direction_deg=_filled_forward(direction), wind_ms=wind, rain_mm=rain,
        exposure=str(table.get("exposure", "inland")), source=str(table.get("source", "")),
    )  # fmt: skip


def _filled_forward(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.zeros_like(values)
    place = np.maximum(np.searchsorted(known, np.arange(len(values)), side="right") - 1, 0)
    return values[known[place]]


def _history(number: int, row: Mapping[str, Any]) -> History:
    where = f"history[{number}]"
    figure = row.get("figure")
    if figure is not None and not isinstance(figure, int | float):
        raise ScenarioError(f"{where}.figure", "must be a number", figure)
    return History(
        at=_moment(row, "at", where),
        key=str(row.get("key", "")),
        text=Words(_text(row, "zh", where), _text(row, "en", where)),
        figure=None if figure is None else float(figure),
        source=_text(row, "source", where),
        confidence=str(row.get("confidence", "")),
    )


def _outage(number: int, row: Mapping[str, Any]) -> Outage:
    where = f"outage[{number}]"
    return Outage(_text(row, "station", where), _moment(row, "start", where), _moment(row, "end", where))


def _words(document: Mapping[str, Any], name: str) -> Words:
    return Words(_text(document, f"{name}_zh"), _text(document, f"{name}_en"))


def _list_of_words(document: Mapping[str, Any], name: str) -> list[Words]:
    zh, en = document.get(f"{name}_zh", []), document.get(f"{name}_en", [])
    if not isinstance(zh, list) or not isinstance(en, list) or len(zh) != len(en):
        raise ScenarioError(f"{name}_zh", f"{name}_zh and {name}_en must be lists of the same length")
    return [Words(str(a), str(b)) for a, b in zip(zh, en, strict=True)]


def _text(document: Mapping[str, Any], name: str, where: str = "") -> str:
    found = document.get(name)
    if not isinstance(found, str) or not found.strip():
        raise ScenarioError(f"{where}.{name}".strip("."), "a text is needed here", found)
    return found.strip()


def _number(document: Mapping[str, Any], name: str, default: float) -> float:
    found = document.get(name, default)
    if not isinstance(found, int | float):
        raise ScenarioError(name, "must be a number", found)
    return float(found)


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name, {})
    if not isinstance(found, Mapping):
        raise ScenarioError(name, "must be a table", found)
    return found


def _rows(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = document.get(name, [])
    if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
        raise ScenarioError(name, f"write each as [[{name}]]")
    return found


def _moment(document: Mapping[str, Any], name: str, where: str = "") -> datetime:
    return _time(f"{where}.{name}".strip("."), document.get(name))


def _time(where: str, found: object) -> datetime:
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found)
        except ValueError:
            raise ScenarioError(where, "is not a time; write it like 2024-09-16T07:30:00+08:00", found) from None
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise ScenarioError(where, "a time with its offset is needed, like 2024-09-16T07:30:00+08:00", found)
    return found.astimezone(UTC)
