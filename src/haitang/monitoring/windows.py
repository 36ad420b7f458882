"""Sliding windows over stored readings, exact for any order of arrival, many series at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from haitang.monitoring.rules import MICRO, Aggregate, Floats, Ints, RuleSet, State, grow

_SPAN = 2**43
"""More milliseconds than lie between any two readings (278 years): room for one series in a composite key."""


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
        """`kind` over (end_ms - window_ms, end_ms], ending before position `end`, per query."""
        begin = np.searchsorted(self.key, group * _SPAN + (end_ms - window_ms - self.base), side="right")
        begin = np.maximum(begin, self.start[group])
        if kind in (Aggregate.SUM, Aggregate.MEAN):
            prefix = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.micro)])
            divisor = MICRO if kind == Aggregate.SUM else MICRO * np.maximum(end - begin, 1)
            figure: Floats = (prefix[end] - prefix[begin]) / divisor
            return figure
        extreme: Floats = _extreme(self.micro, begin, end, np.maximum if kind == Aggregate.MAX else np.minimum) / MICRO
        return extreme


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
