"""Short-range forecasts of many series at once: damped trend, persistence, tide with its residual; time to a threshold.

Pure: NumPy, no Django, no clock. Values are columns on an even grid, [series, step], the newest last; NaN where nothing
was heard. Exponential smoothing with a damped trend (Gardner and McKenzie 1985, Management Science 31, 1237-1246; in the
error-correction form of Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., 8.2):

    forecast = level + damping * trend;  error = value - forecast
    level = forecast + alpha * error;    trend = damping * trend + alpha * beta * error

Forecast h steps ahead: level + (damping + ... + damping^h) * trend. A tide's forecast is the harmonic fit of its own past
(least squares on the constituents that the length of the past can tell apart; Foreman 1977) plus the residual, which
fades to nothing (an AR(1) of the errors). A band is what the method's own errors at that horizon have been: the 10 % and
90 % quantiles, never narrower at a longer horizon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from haitang.monitoring.tide import speed_deg_h

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALPHA, BETA, DAMPING = 0.5, 0.2, 0.98
"""Per step of ten minutes: a trend is half gone after six hours."""
TIDE = ("M2", "K1", "S2", "O1", "M4", "N2", "MS4")
DAILY = ("S1", "S2")
"""The course of a day: 24 and 12 hours."""
APART_DEG = 100.0
"""So far two constituents must drift apart within the past; Rayleigh's 360 is for weak ones in noise."""


def on_grid(time_ms: Ints, value: Floats, start_ms: int, step_ms: int, steps: int, *, add: bool = False) -> Floats:
    """One series on an even grid: the last reading at or before each moment and no older than a step (or their sum)."""
    grid = np.full(steps, np.nan)
    cell = -(-(time_ms - start_ms) // step_ms)
    inside = (cell >= 0) & (cell < steps)
    if add:
        heard = np.bincount(cell[inside], minlength=steps) > 0
        grid[heard] = np.bincount(cell[inside], weights=value[inside], minlength=steps)[heard]
    else:
        grid[cell[inside]] = value[inside]
    return grid


def filled(values: Floats, most: int) -> Floats:
    """Gaps of at most `most` steps filled with what was last heard, along the last axis."""
    steps = np.arange(values.shape[-1])
    heard = np.maximum.accumulate(np.where(np.isnan(values), -1, steps), axis=-1)
    found = np.take_along_axis(values, np.maximum(heard, 0), -1)
    return np.where((heard >= 0) & (steps - heard <= most), found, np.nan)


def damped(values: Floats, horizons: Ints, *, last: bool = False, alpha: float = ALPHA, beta: float = BETA, damping: float = DAMPING) -> Floats:  # fmt: skip
    """Damped-trend forecasts from every step, [series, step, horizon]; with `last` from the newest only, [series, horizon]."""
    n, steps = values.shape
    level, trend = np.full(n, np.nan), np.zeros(n)
    ahead = damping * (1 - damping**horizons) / (1 - damping) if damping < 1 else horizons.astype(np.float64)
    out = np.full((n, 0 if last else steps, len(horizons)), np.nan)
    for at in range(steps):
        value = values[:, at]
        expected = level + damping * trend
        error = value - expected
        heard, begins = ~np.isnan(value), np.isnan(level)
        follows = heard & ~begins
        level = np.where(follows, expected + alpha * error, np.where(heard & begins, value, expected))
        trend = np.where(follows, damping * trend + alpha * beta * error, np.where(begins, 0.0, damping * trend))
        if not last:
            out[:, at] = level[:, None] + ahead * trend[:, None]
    return level[:, None] + ahead * trend[:, None] if last else out


def persistence(values: Floats, horizons: Ints) -> Floats:
    """What is now stays: [series, step, horizon]."""
    return np.repeat(values[:, :, None], len(horizons), axis=2)


@dataclass(frozen=True)
class Harmonics:
    """The tide of one series as fitted to its own past."""

    mean: float
    names: tuple[str, ...]
    cosine: Floats
    sine: Floats

    def at(self, hours: Floats) -> Floats:
        """Level at hours since the epoch of the fit."""
        angle = np.radians(np.multiply.outer(hours, [speed_deg_h(name) for name in self.names]))
        return np.asarray(self.mean + np.cos(angle) @ self.cosine + np.sin(angle) @ self.sine)


def harmonics(hours: Floats, level: Floats, wanted: Sequence[str] = TIDE) -> Harmonics | None:
    """Fit the constituents that so long a past can tell apart (after Rayleigh); None for less than 26 hours."""
    heard = ~np.isnan(level)
    if heard.sum() < 60 or np.ptp(hours[heard]) < 26:
        return None
    span = float(np.ptp(hours[heard]))
    names: list[str] = []
    for name in wanted:
        speed = speed_deg_h(name)
        if all(abs(speed - speed_deg_h(other)) * span >= APART_DEG for other in names):
            names.append(name)
    angle = np.radians(np.multiply.outer(hours[heard], [speed_deg_h(name) for name in names]))
    columns = np.column_stack([np.ones(int(heard.sum())), np.cos(angle), np.sin(angle)])
    # A little pull to zero, so that a short past does not swing.
    weight = np.diag([0.0, *[1e-3 * heard.sum()] * (2 * len(names))])
    found = np.linalg.solve(columns.T @ columns + weight, columns.T @ level[heard])
    k = len(names)
    return Harmonics(float(found[0]), tuple(names), found[1 : k + 1], found[k + 1 :])


def tidal(values: Floats, hours: Floats, horizons: Ints, step_h: float, fits: int, *, fade_h: float = 12.0, wanted: Sequence[str] = TIDE) -> Floats:  # fmt: skip
    """Tide plus its fading residual, from every step of the last `fits` days' worth: [series, step, horizon].

    The fit for a forecast uses only what lies before it: it is made anew once a day of the past.
    """
    n, steps = values.shape
    out = np.full((n, steps, len(horizons)), np.nan)
    a_day = max(1, round(24 / step_h))
    fade = np.exp(-horizons * step_h / fade_h)
    ends = [steps - a_day * back for back in range(fits, 0, -1)] + [steps]
    for row in range(n):
        for begin, end in pairwise(ends):
            if begin <= 0:
                continue
            fit = harmonics(hours[:begin], values[row, :begin], wanted)
            if fit is None:
                continue
            at = np.arange(begin, end)
            residual = values[row, at] - fit.at(hours[at])
            later = hours[at][:, None] + horizons[None, :] * step_h
            out[row, at] = fit.at(later.ravel()).reshape(later.shape) + residual[:, None] * fade[None, :]
    return out


def tidal_now(values: Floats, hours: Floats, horizons: Ints, step_h: float, *, fade_h: float = 12.0, wanted: Sequence[str] = TIDE) -> Floats:  # fmt: skip
    """As `tidal`, from the newest step only, with the fit of the whole past: [horizon] of one series."""
    fit, heard = harmonics(hours, values, wanted), np.flatnonzero(~np.isnan(values))
    if fit is None or not len(heard):
        return np.full(len(horizons), np.nan)
    last = heard[-1]
    residual = values[last] - float(fit.at(hours[[last]])[0])
    later = hours[-1] + horizons * step_h
    return fit.at(later) + residual * np.exp(-(later - hours[last]) / fade_h)


def band(errors: Floats, level: float = 0.8) -> tuple[Floats, Floats]:
    """How far below and above the forecast so much of what came has lain, by horizon: errors are [case, horizon]."""
    side = (1 - level) / 2
    with np.errstate(all="ignore"):
        low, high = (_quantile(errors, q) for q in (side, 1 - side))
    return np.minimum.accumulate(np.minimum(low, 0.0)), np.maximum.accumulate(np.maximum(high, 0.0))


def _quantile(errors: Floats, q: float) -> Floats:
    """A quantile by column without NaN; 0 where there is nothing."""
    return np.array([np.quantile(c[~np.isnan(c)], q) if (~np.isnan(c)).any() else 0.0 for c in errors.T])


def time_to_threshold(path: Floats, threshold: Floats | float, step_s: float, *, now: Floats | float | None = None, falling: bool = False) -> Floats:  # fmt: skip
    """Seconds until each forecast path [series, step] first meets its threshold; inf where it does not, NaN where unknown.

    Straight lines between steps; step 0 lies one step ahead of `now` (without `now`, before step 0 nothing is said).
    0 where the threshold is met already.
    """
    path = np.atleast_2d(path)
    limit = np.broadcast_to(np.asarray(threshold, np.float64).reshape(-1, 1), (len(path), 1))
    sign = -1.0 if falling else 1.0
    values, limit = path * sign, limit * sign
    if now is not None:
        before = np.broadcast_to(np.asarray(now, np.float64).reshape(-1, 1) * sign, (len(path), 1))
        values, first = np.concatenate([before, values], axis=1), 0
    else:
        first = 1
    met = values >= limit
    at = np.argmax(met, axis=1)
    rows = np.arange(len(values))
    earlier = np.maximum(at - 1, 0)
    a, b = values[rows, earlier], values[rows, at]
    part = np.where(at > earlier, (limit[:, 0] - a) / np.where(b > a, b - a, 1.0), 0.0)
    part = np.clip(np.where(np.isnan(part), 1.0, part), 0.0, 1.0)
    seconds = (
        (earlier + part + first) * step_s if first == 0 else (np.where(at > 0, earlier + part, 0.0) + first) * step_s
    )
    seconds = np.where((at == 0) & (first == 0), 0.0, seconds)
    unknown = np.isnan(values).all(axis=1)
    result: Any = np.where(met.any(axis=1), seconds, np.inf)
    return np.asarray(np.where(unknown, np.nan, result))
