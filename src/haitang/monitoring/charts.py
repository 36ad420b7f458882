"""Charts of readings, in the house's own description (docs/components.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from django.utils import timezone

from haitang.monitoring import store
from haitang.monitoring.models import Rule, Series
from haitang.monitoring.models.rules import described
from haitang.monitoring.quantities import figure
from haitang.monitoring.queries import ms
from haitang.monitoring.rules import MICRO, Aggregate, Floats, Ints
from haitang.monitoring.windows import Merged
from haitang.spaces.models import Space

POINTS = 2000
"""As many points as a line is sent; beyond, each stretch of time keeps its lowest and highest reading."""
LONG = timedelta(days=400)
"""Beyond this not every reading is looked at."""


def of_series(
    space: Space, series: Series, start: datetime, end: datetime, *, marks: Iterable[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """One series with the thresholds that apply to what is shown.

    A line of the readings; of amounts (rain) bars of their sums over even stretches of time.
    """
    window_s = bar_s(start, end) if series.kind.accumulates else 0
    shown = _bars(space, series, start, end, window_s) if window_s else _line(space, series, start, end)
    rules = Rule.objects.filter(series=series, is_active=True, silence_s=0, window_s=window_s)
    return _chart(series, [shown], [line for rule in rules for line in _thresholds(rule)], marks)


def of_rule(
    space: Space, rule: Rule, start: datetime, end: datetime, *, marks: Iterable[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """What a rule compares with its thresholds: the readings, or their figure over its window beside the amounts."""
    series = rule.series
    if not rule.window_s:
        shown = [_line(space, each, start, end) for each in (series, rule.minus) if each is not None]
        # A difference is compared, not what is drawn; a compound compares nothing.
        return _chart(series, shown, [] if rule.minus is not None else _thresholds(rule), marks)
    aggregate = Aggregate(rule.aggregate)
    early = start - timedelta(seconds=rule.window_s)
    time, value = store.read(space.pk, series.pk, ms(early), ms(end))
    figures = running(aggregate, time, value, rule.window_s, rule.spec().lead)
    inside = (time >= ms(start)) & ~np.isnan(figures)
    name = described(series.label, aggregate, rule.window_s, rule.lead_s)
    shown = [_data(name, *thin(time[inside], figures[inside]))]
    if aggregate == Aggregate.TREND:
        shown = [{**shown[0], "dashed": True}, _line(space, series, start, end)]
    if series.kind.accumulates:
        shown.append(_bars(space, series, start, end, bar_s(start, end)))
    return _chart(series, shown, _thresholds(rule), marks)


def thin(time_ms: Ints, values: Floats, most: int = POINTS) -> tuple[Ints, Floats]:
    """At most `most` points of a line: of each stretch its lowest and highest, in order of time."""
    n = len(time_ms)
    if n <= most:
        return time_ms, values
    edges = np.linspace(0, n, most // 2 + 1).astype(np.int64)
    low = np.array([a + int(np.argmin(values[a:b])) for a, b in pairwise(edges.tolist())])
    high = np.array([a + int(np.argmax(values[a:b])) for a, b in pairwise(edges.tolist())])
    keep = np.unique(np.concatenate([low, high, [0, n - 1]]))
    return time_ms[keep], values[keep]


def bar_s(start: datetime, end: datetime) -> int:
    """How long a bar is, for some twenty to eighty bars: ten minutes, an hour, six hours, a day."""
    span = (end - start).total_seconds()
    return next((length for length in (600, 3600, 21_600) if span / length <= 80), 86_400)


def sums(time_ms: Ints, values: Floats, window_s: int, shift_ms: int = 0) -> tuple[Ints, Floats]:
    """Sums over (t - window, t] at every multiple t of the window (of UTC plus `shift_ms`) that has readings."""
    length = window_s * 1000
    ends, which = np.unique(-(-(time_ms + shift_ms) // length), return_inverse=True)
    return ends * length - shift_ms, np.bincount(which, weights=values, minlength=len(ends)).astype(np.float64)


def running(aggregate: Aggregate, time_ms: Ints, values: Floats, window_s: int, lead_s: float = 0) -> Floats:
    """The figure over (t - window, t] at each reading's time t, as the kernel makes it; times rise. NaN: none yet."""
    n = len(values)
    if not n:
        return np.zeros(0)
    base, zero = int(time_ms[0]) - 1, np.zeros(n, np.int64)
    laid = Merged(
        slots=zero[:1], start=zero[:1], count=np.array([n]), time_ms=time_ms, key=time_ms - base, base=base,
        micro=np.rint(values * MICRO).astype(np.int64), position=np.arange(n), group=zero,
    )  # fmt: skip
    figures = laid.aggregate(aggregate, window_s * 1000, zero, time_ms, np.arange(1, n + 1))
    return values + figures * lead_s if aggregate == Aggregate.TREND else figures


def _line(space: Space, series: Series, start: datetime, end: datetime) -> dict[str, Any]:
    if end - start > LONG:
        return _data(series.label, *_extremes(space, series, ms(start), ms(end)))
    return _data(series.label, *thin(*store.read(space.pk, series.pk, ms(start), ms(end))))


def _extremes(space: Space, series: Series, start_ms: int, end_ms: int) -> tuple[Ints, Floats]:
    """The lowest and the highest reading of even stretches of time, long enough for the store's own figures."""
    stretches = min(POINTS // 2, (end_ms - start_ms) // (2 * store.DAY_MS))
    found = store.summary(space.pk, series.pk, start_ms, end_ms, stretches)
    points = sorted({point for each in found for point in ((each.low_ms, each.low), (each.high_ms, each.high))})
    return np.array([t for t, _ in points], np.int64), np.array([v for _, v in points], np.float64)


def _bars(space: Space, series: Series, start: datetime, end: datetime, window_s: int) -> dict[str, Any]:
    offset = timezone.get_default_timezone().utcoffset(start.replace(tzinfo=None)) or timedelta()
    shift_ms = round(offset.total_seconds() * 1000)
    found = sums(*store.read(space.pk, series.pk, ms(start), ms(end)), window_s, shift_ms)
    return {**_data(described(series.label, Aggregate.SUM, window_s), *found), "bars": True}


def _data(name: str, time_ms: Ints, values: Floats) -> dict[str, Any]:
    points = [[t, round(v, 4)] for t, v in zip(time_ms.tolist(), values.tolist(), strict=True)]
    return {"name": name[:1].upper() + name[1:], "data": points}


def _thresholds(rule: Rule) -> list[dict[str, Any]]:
    return [
        {"value": value, "label": f"{colour.label} {figure(value)}", "colour": colour.value}
        for colour, value in rule.coloured
    ]


def _chart(
    series: Series, shown: list[dict[str, Any]], lines: list[dict[str, Any]], marks: Iterable[Mapping[str, str]]
) -> dict[str, Any]:
    return {
        "kind": "line", "unit": series.kind.symbol, "series": shown, "thresholds": lines, "marks": list(marks),
        "min": 0 if series.kind.accumulates else None,
    }  # fmt: skip
