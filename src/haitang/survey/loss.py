"""The engine: hazard, exposure and curves to losses per event, per year, per place.

Pure. `event_loss` works on values grouped by (cell, curve), so that its cost follows the cells that events touch and not
the number of assets; `asset_loss` goes asset by asset where each has a deductible and a cap. Both are compiled loops
(`compiled`), spread over the cores; the plain loop is the same code and the test's oracle is NumPy beside it.

Zero intensities are not stored, so a curve must give 0 at 0: one that does not is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from haitang.survey.compiled import compiled
from haitang.survey.curve import Curve
from haitang.survey.exposure import Exposure
from haitang.survey.hazard import Hazard

Floats = NDArray[np.float64]

BLOCKS = 16
"""Runs of events that are summed apart, so that cores do not share a sum. Their number is fixed: the digits do not depend on the machine."""

prange = range


class LossError(ValueError):
    """Hazard, exposure and curves that do not fit each other: the message says which and what to do."""


@dataclass(frozen=True)
class Losses:
    """`at_event` per event; `rate` the expected loss ratio a year, shape (curves, cells); `annual` the expected loss a year."""

    at_event: Floats
    rate: Floats
    annual: float


def event_loss(hazard: Hazard, exposure: Exposure, curves: Sequence[Curve]) -> Losses:
    """Loss of every event and the expected annual loss rate of every (curve, cell), values grouped."""
    check(hazard, exposure, curves)
    values = exposure.grouped
    at_event, rate = np.zeros(hazard.n_events), np.zeros_like(values)
    loop = compiled(_grouped, parallel=True)
    for number, curve in enumerate(curves):
        if not values[number].any():
            continue
        at_event += loop(
            hazard.start, hazard.cell, hazard.intensity, hazard.frequency, values[number], *curve.segments(),
            _edges(hazard.start), rate[number],
        )  # fmt: skip
    return Losses(at_event, rate, float(at_event @ hazard.frequency))


def asset_loss(
    hazard: Hazard, exposure: Exposure, curves: Sequence[Curve], *, deductible: Floats, cap: Floats
) -> tuple[Floats, Floats]:
    """Loss of every event and expected annual loss of every asset, each asset's loss reduced and capped.

    Of an asset's loss in an event, what lies above `deductible` counts, and no more than `cap`; both in the exposure's unit.
    """
    check(hazard, exposure, curves)
    for name, column in (("deductible", deductible), ("cap", cap)):
        if column.shape != exposure.value.shape or not (column >= 0).all():
            raise LossError(f"{name}: give one amount of 0 or more for each of the {len(exposure)} assets")
    order, begin = exposure.ordered
    # By cell instead of by event: a cell's assets stay at hand while its events pass.
    touched, event, intensity = hazard.by_cell
    pairs = np.concatenate([[0], np.cumsum(np.diff(touched) * np.diff(begin[:: exposure.n_curves]))])
    tables = [curve.segments() for curve in curves]
    widest = max(len(table.knots) for table in tables)

    def stacked(columns: Sequence[Floats]) -> Floats:
        return np.stack([np.pad(column, (0, widest - len(column)), mode="edge") for column in columns])

    at_event, annual = compiled(_by_asset, parallel=True)(
        touched, event, intensity, hazard.frequency, begin, exposure.value[order],
        np.asarray(deductible, np.float64)[order], np.asarray(cap, np.float64)[order],
        stacked([table.knots for table in tables]), stacked([table.intercepts for table in tables]),
        stacked([table.slopes for table in tables]), np.stack([table.first for table in tables]),
        np.array([table.per_unit for table in tables]), np.array([len(table.knots) - 1 for table in tables]),
        _edges(pairs),
    )  # fmt: skip
    found = np.empty_like(annual)
    found[order] = annual
    return at_event, found


def scenario_loss(intensity: Floats, exposure: Exposure, curves: Sequence[Curve], n_parts: int = 1) -> Floats:
    """Losses of one event given as intensity per cell, summed by the exposure's `part` (township, village)."""
    if len(intensity) != exposure.n_cells:
        raise LossError(f"the event has {len(intensity)} cells, the exposure {exposure.n_cells}; put both on one grid")
    ratio = np.stack([curve.at(intensity) for curve in curves])
    lost = exposure.spread(ratio)
    part = np.zeros(len(lost), np.int64) if exposure.part is None else exposure.part
    return np.bincount(part, lost, n_parts).astype(np.float64)


def check(hazard: Hazard, exposure: Exposure, curves: Sequence[Curve]) -> None:
    """LossError unless grid, units and curves belong together."""
    if hazard.n_cells != exposure.n_cells:
        raise LossError(f"the hazard has {hazard.n_cells} cells, the exposure {exposure.n_cells}; put both on one grid")
    if len(curves) != exposure.n_curves:
        raise LossError(f"the exposure names {exposure.n_curves} curves, {len(curves)} are given")
    for curve in curves:
        if curve.unit != hazard.unit:
            raise LossError(f"{curve.code} is in {curve.unit}, the hazard in {hazard.unit}; convert one of them")
        if curve.averaging_s and hazard.averaging_s and curve.averaging_s != hazard.averaging_s:
            raise LossError(
                f"{curve.code} is for means over {curve.averaging_s} s, the hazard over {hazard.averaging_s} s; convert one of them"
            )
        if np.interp(0.0, curve.levels, curve.ratios) != 0.0:
            raise LossError(
                f"{curve.code} loses something at intensity 0, which a hazard set does not store; begin it with 0"
            )
        curve.check(hazard.top)


def _edges(work: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each block begins, from the work summed up before each event (or cell): about equally much in each."""
    marks = np.searchsorted(work, np.linspace(0, work[-1], BLOCKS + 1)[1:-1])
    return np.concatenate([[0], np.minimum(marks, len(work) - 1), [len(work) - 1]]).astype(np.int64)


def _grouped(
    start: Any, cell: Any, intensity: Any, frequency: Any, value: Any, knots: Any, intercepts: Any, slopes: Any,
    first: Any, per_unit: Any, edges: Any, rate: Any,
) -> Any:  # fmt: skip
    """Loss of each event; adds to `rate`, per cell, frequency times ratio."""
    blocks, n_cells, last = len(edges) - 1, len(value), len(knots) - 1
    at_event = np.zeros(len(frequency))
    private = np.zeros((blocks, n_cells))
    low, buckets = knots[1], len(first)
    for b in prange(blocks):
        mine = private[b]
        for e in range(edges[b], edges[b + 1]):
            total, often = 0.0, frequency[e]
            for k in range(start[e], start[e + 1]):
                c = cell[k]
                worth = value[c]
                if worth != 0.0:
                    h = max(intensity[k], low)
                    bucket = int((h - low) * per_unit)
                    s = first[bucket] if bucket < buckets else last
                    while s < last and h >= knots[s + 1]:
                        s += 1
                    ratio = intercepts[s] + slopes[s] * (h - knots[s])
                    total += ratio * worth
                    mine[c] += often * ratio
            at_event[e] = total
    for b in range(blocks):
        for c in range(n_cells):
            rate[c] += private[b, c]
    return at_event


def _by_asset(
    touched: Any, event: Any, intensity: Any, frequency: Any, begin: Any, value: Any, deductible: Any, cap: Any,
    knots: Any, intercepts: Any, slopes: Any, first: Any, per_unit: Any, last: Any, edges: Any,
) -> Any:  # fmt: skip
    """Loss of each event and expected annual loss of each asset.

    `touched` says where a cell's events begin, `begin` where the assets of a cell and curve begin.
    """
    blocks, n_curves, buckets = len(edges) - 1, first.shape[0], first.shape[1]
    annual = np.zeros(len(value))
    private = np.zeros((blocks, len(frequency)))
    for b in prange(blocks):
        mine = private[b]
        for c in range(edges[b], edges[b + 1]):
            for v in range(n_curves):
                begins, ends = begin[c * n_curves + v], begin[c * n_curves + v + 1]
                if begins == ends:
                    continue
                low = knots[v, 1]
                for k in range(touched[c], touched[c + 1]):
                    h, e = max(intensity[k], low), event[k]
                    bucket = int((h - low) * per_unit[v])
                    s = first[v, bucket] if bucket < buckets else last[v]
                    while s < last[v] and h >= knots[v, s + 1]:
                        s += 1
                    ratio = intercepts[v, s] + slopes[v, s] * (h - knots[v, s])
                    if ratio == 0.0:
                        continue
                    total, often = 0.0, frequency[e]
                    for a in range(begins, ends):
                        lost = min(max(ratio * value[a] - deductible[a], 0.0), cap[a])
                        total += lost
                        annual[a] += often * lost
                    mine[e] += total
    at_event = np.zeros(len(frequency))
    for b in range(blocks):
        for e in range(len(frequency)):
            at_event[e] += private[b, e]
    return at_event, annual
