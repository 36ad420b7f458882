"""Forecasts of the series that have them: made anew when due by the space's clock, the latest of each kept (`Outlook`).

For each series the candidates of its quantity forecast its own past from every step of it (rolling origin, knowing only
what lay before). The one with the least mean error over the third quarter of the past is taken; what is stated is how it
did over the last quarter, which took no part in the choice. A horizon without skill against persistence and climatology
is not used: it is drawn as such, warns nobody and feeds no rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from haitang.monitoring import corrections, forecast, skill, store
from haitang.monitoring.alarms import at
from haitang.monitoring.models import Colour, Correction, Outlook, QualityFlag, ReadingFlag, Rule, Series
from haitang.monitoring.rules import Aggregate, Direction, Floats, Ints
from haitang.monitoring.skill import Skill
from haitang.spaces.clock import now
from haitang.spaces.models import Space

STEP_S = 600
HORIZONS_H = (1, 3, 6, 12)
PER_HOUR = 3600 // STEP_S
STEPS = HORIZONS_H[-1] * PER_HOUR
HORIZONS = np.array([h * PER_HOUR for h in HORIZONS_H], np.int64)
PATH = np.arange(1, STEPS + 1, dtype=np.int64)
BATCH = 200
GAP_STEPS = 3
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Kind:
    """How a quantity is forecast: over which past, by which candidates; `add` sums the last hour (rain)."""

    days: int
    methods: tuple[str, ...]
    add: bool = False
    floor: float | None = None


KINDS: dict[str, Kind] = {
    "tide_level": Kind(21, ("tide", "trend", "persistence")),
    "water_level": Kind(4, ("trend", "persistence")),
    "surge": Kind(4, ("trend", "persistence")),
    "water_depth": Kind(4, ("trend", "persistence"), floor=0.0),
    "groundwater_level": Kind(14, ("trend", "persistence")),
    "rain": Kind(4, ("trend", "persistence"), add=True, floor=0.0),
    "air_temperature": Kind(14, ("day", "trend", "persistence")),
}


def refresh(space: Space, limit: int = BATCH) -> int:
    """Make the forecasts that are due; returns how many."""
    moment = now(space)
    rows = Series.objects.filter(is_active=True, station__is_active=True, quantity__in=KINDS)
    fresh = Outlook.objects.filter(space=space, due_at__gt=moment).values("series")
    due = list(rows.exclude(pk__in=fresh).order_by("pk")[:limit])
    made = 0
    by_quantity: defaultdict[str, list[Series]] = defaultdict(list)
    for each in due:
        by_quantity[each.quantity].append(each)
    for quantity, members in by_quantity.items():
        made += _refresh(space, moment, KINDS[quantity], members)
    return made


def _refresh(space: Space, moment: datetime, kind: Kind, series: Sequence[Series]) -> int:
    step_ms = STEP_S * 1000
    end_ms = round(moment.timestamp() * 1000) // step_ms * step_ms
    steps = kind.days * 24 * PER_HOUR
    start_ms = end_ms - (steps - 1) * step_ms
    which, time, value = _usable(space, [each.pk for each in series], start_ms - step_ms + 1, end_ms + 1)
    grids = []
    for each in series:
        a, b = np.searchsorted(which, each.pk, "left"), np.searchsorted(which, each.pk, "right")
        grids.append(forecast.on_grid(time[a:b], value[a:b], start_ms, step_ms, steps, add=kind.add))
    values = forecast.filled(np.array(grids), GAP_STEPS)
    if kind.add:
        values = _hourly(values)
    hours = (start_ms + step_ms * np.arange(steps)) / HOUR_MS
    made = outlooks(values, hours, kind)
    later = moment + timedelta(seconds=STEP_S)
    Outlook.objects.bulk_create(
        [
            Outlook(
                space=space, series=each, method=one.method, made_at=moment, start_ms=end_ms, step_s=STEP_S,
                due_at=later if one.method else moment + timedelta(hours=1), middle=_numbers(one.middle),
                low=_numbers(one.low), high=_numbers(one.high), skill=one.skill,
            )
            for each, one in zip(series, made, strict=True)
        ],
        update_conflicts=True, unique_fields=["space", "series"],
        update_fields=["method", "made_at", "start_ms", "step_s", "due_at", "middle", "low", "high", "skill"],
    )  # fmt: skip
    return len(made)


def _usable(space: Space, ids: Sequence[int], start_ms: int, end_ms: int) -> tuple[Ints, Ints, Floats]:
    """Readings as corrected, without those that failed."""
    which, time, value = store.read_many(space.pk, ids, start_ms, end_ms)
    failed = ReadingFlag.objects.filter(
        space_id=space.pk, series_id__in=ids, time_ms__gte=start_ms, time_ms__lt=end_ms, flag=QualityFlag.FAIL
    ).values_list("series_id", "time_ms")
    if failed:
        bad = np.array([(series << 42) | when for series, when in failed], np.int64)
        used = ~np.isin((which << 42) | time, bad)
        which, time, value = which[used], time[used], value[used]
    corrected = set(
        Correction.objects.filter(space=space, series__in=ids, withdrawn_at=None).values_list("series", flat=True)
    )
    if not corrected:
        return which, time, value
    parts = []
    for id_ in np.unique(which).tolist():
        mine = time[which == id_], value[which == id_]
        if id_ in corrected:
            mine = corrections.applied(corrections.of(space, id_, start_ms, end_ms), *mine)
        parts.append((np.full(len(mine[0]), id_, np.int64), *mine))
    columns = list(zip(*parts, strict=True))
    return np.concatenate(columns[0]), np.concatenate(columns[1]), np.concatenate(columns[2])


def _hourly(values: Floats) -> Floats:
    """The sum of the last hour at each step; nothing where nothing of it was heard."""
    total, heard = np.zeros_like(values), np.zeros(values.shape, np.int64)
    for back in range(PER_HOUR):
        part = np.full_like(values, np.nan)
        part[:, back:] = values[:, : values.shape[1] - back]
        total += np.where(np.isnan(part), 0.0, part)
        heard += ~np.isnan(part)
    return np.where(heard > 0, total, np.nan)


def _numbers(column: Floats) -> list[float | None]:
    return [None if np.isnan(x) else round(float(x), 3) for x in column]


@dataclass(frozen=True)
class Made:
    """One forecast: which method, the path with its band, skill by horizon."""

    method: str
    middle: Floats
    low: Floats
    high: Floats
    skill: dict[str, Any]


NOTHING = Made("", np.zeros(0), np.zeros(0), np.zeros(0), {})


def outlooks(values: Floats, hours: Floats, kind: Kind) -> list[Made]:
    """Forecasts of series on a grid whose last step is now: arrays [series, step]."""
    n, steps = values.shape
    said: dict[str, Floats] = {}
    for method in kind.methods:
        if method == "trend":
            found = forecast.damped(values, HORIZONS)
        elif method == "persistence":
            found = forecast.persistence(values, HORIZONS)
        else:
            wanted = forecast.TIDE if method == "tide" else forecast.DAILY
            found = forecast.tidal(values, hours, HORIZONS, 1 / PER_HOUR, max(2, kind.days // 2), wanted=wanted)
        said[method] = found if kind.floor is None else np.maximum(found, kind.floor)
    paths = {"trend": forecast.damped(values, PATH, last=True), "persistence": np.repeat(values[:, -1:], STEPS, axis=1)}
    made = []
    for row in range(n):
        heard = np.flatnonzero(~np.isnan(values[row]))
        # Nothing within the last hour, or too little of a past to know how good a forecast would be.
        if not len(heard) or steps - 1 - heard[-1] > PER_HOUR or len(heard) < 24 * PER_HOUR // 2:
            made.append(NOTHING)
            continue
        made.append(
            _outlook(values[row : row + 1], hours, {k: v[row : row + 1] for k, v in said.items()}, paths, row, kind)
        )
    return made


def _outlook(values: Floats, hours: Floats, said: dict[str, Floats], paths: dict[str, Floats], row: int, kind: Kind) -> Made:  # fmt: skip
    begin = int(np.flatnonzero(~np.isnan(values[0]))[0])
    length = values.shape[1] - begin
    third, last = begin + length // 2, begin + length * 3 // 4
    before = values[:, :last]
    best, least = "persistence", np.inf
    for method, found in said.items():
        judged = skill.judge(found[:, :last], before, HORIZONS, third)[0]
        heard = [each.mae / max(each.persistence, 1e-9) for each in judged[:2] if each.cases >= skill.LEAST]
        error = sum(heard) / len(heard) if heard else np.inf
        if error < least:
            best, least = method, error
    judged = skill.judge(said[best], values, HORIZONS, last)[0]
    low, high = forecast.band(skill.errors(said[best], values, HORIZONS)[0, third:])
    if best in paths:
        middle = paths[best][row]
    else:
        wanted = forecast.TIDE if best == "tide" else forecast.DAILY
        middle = forecast.tidal_now(values[0], hours, PATH, 1 / PER_HOUR, wanted=wanted)
    known, at_ = np.append(0, HORIZONS), PATH.astype(np.float64)
    lower = middle + np.interp(at_, known, np.append(low[0] / 2, low))
    upper = middle + np.interp(at_, known, np.append(high[0] / 2, high))
    if kind.floor is not None:
        middle, lower, upper = (np.maximum(x, kind.floor) for x in (middle, lower, upper))
    stated = {str(h): _stated(each) for h, each in zip(HORIZONS_H, judged, strict=True)}
    return Made(best, middle, lower, upper, stated)


def _stated(judged: Skill) -> dict[str, Any]:
    return {
        "n": judged.cases, "mae": round(judged.mae, 4), "persistence": round(judged.persistence, 4),
        "climatology": round(judged.climatology, 4), "score": None if judged.score is None else round(judged.score, 3),
    }  # fmt: skip


def usable_h(outlook: Outlook) -> int:
    """Up to how many hours ahead the forecast has been better than persistence and climatology; 0 for not at all."""
    reach = 0
    for h in HORIZONS_H:
        score = outlook.skill.get(str(h), {}).get("score")
        if score is None or score <= 0:
            break
        reach = h
    return reach


@dataclass(frozen=True)
class Crossing:
    """A threshold that a forecast with skill meets."""

    rule: Rule
    colour: Colour
    after_s: float
    at: datetime
    skill: float

    @property
    def hours(self) -> str:
        """About when, as people say it: hours, halves below three."""
        h = self.after_s / 3600
        return f"{max(0.5, round(h * 2) / 2):g}" if h < 3 else f"{round(h):g}"


def crossings(space: Space, outlooks_: Iterable[Outlook]) -> dict[int, Crossing]:
    """By series: the gravest threshold that is not met yet and will be within the hours that the forecast is good for."""
    found = {each.series_id: each for each in outlooks_ if usable_h(each)}
    rules = Rule.objects.filter(series__in=found, is_active=True, silence_s=0, minus=None, aggregate=Aggregate.LAST)
    present = store.latest(space.pk, list(found))
    moment = now(space)
    result: dict[int, Crossing] = {}
    for rule in rules.select_related("series__station__place"):
        outlook = found[rule.series_id]
        if (
            rule.series_id not in present
            or moment - outlook.made_at > timedelta(hours=1)
            or rule.series.kind.accumulates
        ):
            continue
        reach = usable_h(outlook)
        path = np.array([np.nan if x is None else x for x in outlook.middle[: reach * PER_HOUR]], np.float64)
        value = present[rule.series_id][1]
        for colour, threshold in rule.coloured:
            seconds = float(
                forecast.time_to_threshold(
                    path, threshold, outlook.step_s, now=value, falling=rule.direction == Direction.FALLING
                )[0]
            )
            if not np.isfinite(seconds) or seconds <= 0:
                continue
            h = next((h for h in HORIZONS_H if seconds <= h * 3600), HORIZONS_H[-1])
            best = result.get(rule.series_id)
            if best is None or colour.level > best.colour.level:
                when = at(outlook.start_ms) + timedelta(seconds=seconds)
                result[rule.series_id] = Crossing(rule, colour, max(0.0, (when - moment).total_seconds()), when, outlook.skill[str(h)]["score"])  # fmt: skip
    return result
