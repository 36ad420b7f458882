"""Sliding windows over stored readings, exact for any order of arrival, many series at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from haitang.monitoring.rules import MICRO, Aggregate, Floats, Ints, RuleSet, State, grow

_SPAN = 2**43
"""More milliseconds than lie between any two readings (278 years): room for one series in a composite key."""


LEAST_BASELINE = 10
"""As many readings before the newest one make a baseline."""


@dataclass(frozen=True)
class Merged:
    """Ring and new readings of the touched series, one after the other, each series in order of time.

    `key` rises over the whole array (series position * span + time), so one binary search serves all series.
    """

    slots: Ints
    start: Ints
    count: Ints
    time_ms: Ints
    micro: Ints
    key: Ints
    base: int
    position: Ints
    """[n] where each new row landed; -1 for a row whose time was there already."""
    group: Ints
    """[n] position of each row's series among `slots`."""

    def aggregate(self, kind: Aggregate, window_ms: int, group: Ints, end_ms: Ints, end: Ints) -> Floats:
        """`kind` over (end_ms - window_ms, end_ms], ending before position `end`, per query; of a trend its slope per s.

        NaN where there is no such figure yet (a rate of one reading).
        """
        begin = np.searchsorted(self.key, group * _SPAN + (end_ms - window_ms - self.base), side="right")
        begin = np.maximum(begin, self.start[group])
        count = end - begin
        if kind == Aggregate.COUNT:
            return count.astype(np.float64)
        if kind in (Aggregate.SUM, Aggregate.MEAN):
            prefix = _prefix(self.micro)
            divisor = MICRO if kind == Aggregate.SUM else MICRO * np.maximum(count, 1)
            figure: Floats = (prefix[end] - prefix[begin]) / divisor
            return figure
        if kind == Aggregate.RATE:
            return self._rate(begin, end)
        if kind == Aggregate.TREND:
            return self._slope(begin, end)
        if kind == Aggregate.BASELINE:
            return self._deviation(begin, end)
        extreme: Floats = _extreme(self.micro, begin, end, np.maximum if kind == Aggregate.MAX else np.minimum) / MICRO
        return extreme

    def _rate(self, begin: Ints, end: Ints) -> Floats:
        """Change per hour from the first to the last reading of each query."""
        last, first = np.maximum(end - 1, 0), np.minimum(begin, len(self.micro) - 1)
        change = (self.micro[last] - self.micro[first]).astype(np.float64)
        span = (self.time_ms[last] - self.time_ms[first]).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            rate: Floats = change * (3_600_000 / MICRO) / np.where(span > 0, span, np.nan)
        return rate

    # Below, sums of products of whole numbers run over the end of 64 bits; their differences come back to what is exact.

    def _slope(self, begin: Ints, end: Ints) -> Floats:
        """Slope of the least-squares line, unit per second, of three readings or more; times in whole seconds."""
        last = np.maximum(end - 1, 0)
        t, v = (self.time_ms - self.base) // 1000, self.micro
        t0, v0, n = t[last], v[last], end - begin
        sum_t, sum_v, sum_tt, sum_tv = ((prefix := _prefix(each))[end] - prefix[begin] for each in (t, v, t * t, t * v))
        # About the last reading.
        near_tv = sum_tv - t0 * sum_v - v0 * sum_t + n * t0 * v0
        near_tt = sum_tt - 2 * t0 * sum_t + n * t0 * t0
        near_t, near_v = (sum_t - n * t0).astype(np.float64), (sum_v - n * v0).astype(np.float64)
        count = n.astype(np.float64)
        below = count * near_tt.astype(np.float64) - near_t * near_t
        above = count * near_tv.astype(np.float64) - near_t * near_v
        slope: Floats = above / np.where((n >= 3) & (below > 0), below, np.nan) / MICRO
        return slope

    def _deviation(self, begin: Ints, end: Ints) -> Floats:
        """(last - mean) / deviation of the readings before the last, in thousandths of the unit; at least one of them."""
        last = np.maximum(end - 1, 0)
        m, n = self.micro // 1000, end - begin - 1
        sums, squares = _prefix(m), _prefix(m * m)
        total, m0 = sums[last] - sums[np.minimum(begin, last)], m[last]
        square = squares[last] - squares[np.minimum(begin, last)] - 2 * m0 * total + n * m0 * m0
        count = np.where(n >= LEAST_BASELINE, n, 1).astype(np.float64)
        mean = (total - n * m0).astype(np.float64) / count
        spread = np.sqrt(np.maximum(square.astype(np.float64) / count - mean * mean, 1.0))
        return np.where(n >= LEAST_BASELINE, -mean / spread, np.nan)


def _prefix(values: Ints) -> Ints:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])


def _extreme(values: Ints, begin: Ints, end: Ints, pick: np.ufunc) -> Ints:
    """Maximum or minimum of values[begin:end] per query, by doubling (a sparse table up to the longest window)."""
    length = np.maximum(end - begin, 1)
    power = np.frexp(length.astype(np.float64))[1] - 1
    result = values[np.minimum(begin, len(values) - 1)].copy()
    table = values
    for step in range(int(power.max(initial=0)) + 1):
        mine = power == step
        if mine.any():
            last = end[mine] - (1 << step)
            result[mine] = pick(table[begin[mine]], table[last])
        if (1 << (step + 1)) > len(values):
            break
        table = pick(table[: -(1 << step)], table[(1 << step) :])
    return result


def merge(state: State, rules: RuleSet, slots_of_rows: Ints, time_ms: Ints, values: Floats) -> Merged:
    """Lay the rings of the touched series and the new rows out in one array. Rows are sorted by series, then arrival."""
    slots, group = np.unique(slots_of_rows, return_inverse=True)
    have = state.ring_n[slots]
    micro = np.rint(values * MICRO).astype(np.int64)
    columns = np.arange(state.ring_ms.shape[1])
    filled = columns[None, :] < have[:, None]
    old_ms, old_micro = state.ring_ms[slots][filled], state.ring_micro[slots][filled]
    old_group = np.repeat(np.arange(len(slots)), have)

    all_ms = np.concatenate([old_ms, time_ms])
    base = int(all_ms.min()) - 1
    all_key = np.concatenate([old_group, group]) * _SPAN + (all_ms - base)
    # Stable, so of two readings of one time the one that came first stays and the other is dropped.
    order = np.argsort(all_key, kind="stable")
    key = all_key[order]
    keep = np.ones(len(key), np.bool_)
    keep[1:] = key[1:] != key[:-1]
    place = np.full(len(key), -1, np.int64)
    place[order[keep]] = np.arange(int(keep.sum()))
    order = order[keep]
    count = np.bincount(np.concatenate([old_group, group])[order], minlength=len(slots)).astype(np.int64)
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(count)[:-1]])
    return Merged(
        slots=slots, start=start, count=count, time_ms=all_ms[order], key=all_key[order], base=base,
        micro=np.concatenate([old_micro, micro])[order], position=place[len(old_ms) :], group=group.astype(np.int64),
    )  # fmt: skip


def store(state: State, rules: RuleSet, merged: Merged) -> None:
    """Write the merged readings back to the rings, without those that no window can reach any more."""
    newest = merged.time_ms[merged.start + merged.count - 1]
    group = np.repeat(np.arange(len(merged.slots)), merged.count)
    kept = merged.time_ms > (newest - rules.keep_ms[merged.slots])[group]
    left = np.bincount(group[kept], minlength=len(merged.slots)).astype(np.int64)
    grow(state, int(left.max(initial=0)))
    begin = np.concatenate([np.zeros(1, np.int64), np.cumsum(left)[:-1]])
    column = np.arange(int(kept.sum())) - begin[group[kept]]
    row = merged.slots[group[kept]]
    state.ring_ms[row, column] = merged.time_ms[kept]
    state.ring_micro[row, column] = merged.micro[kept]
    state.ring_n[merged.slots] = left
