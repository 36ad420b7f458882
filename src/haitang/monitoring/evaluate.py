"""The rule kernel: many readings of many series against their rules at once, in NumPy.

What it promises, for any stream of readings: one batch or many give the same transitions and the same state; a reading
given twice changes nothing; a late reading counts in the windows that still reach it and never reopens the past.
"""

from __future__ import annotations

import numpy as np

from haitang.monitoring import windows
from haitang.monitoring.rules import (
    AGGREGATES,
    NEVER,
    Aggregate,
    Bools,
    Floats,
    Ints,
    Levels,
    Outcome,
    RuleSet,
    State,
    Transitions,
)

_COLOURS = np.arange(1, 5, dtype=np.int8)


def evaluate(
    state: State, rules: RuleSet, series: Ints, time_ms: Ints, values: Floats, *, reuse: bool = False
) -> Outcome:
    """Bring `state` forward by a batch of readings in order of arrival.

    `series` [n] are positions in `rules.series_ids`. Rows not newer than the newest of their series are late: they enter
    the windows, which are judged again at the newest time. With `reuse` the given state's arrays are written to.
    """
    state = state if reuse else state.copy()
    n = len(series)
    late = np.zeros(n, np.bool_)
    if n == 0:
        return Outcome(state, Transitions.none(), late, np.zeros(0, np.int64))
    order = np.argsort(series, kind="stable")
    s, t, v = (series[order].astype(np.int64), time_ms[order].astype(np.int64), values[order].astype(np.float64))
    first = np.ones(n, np.bool_)
    first[1:] = s[1:] != s[:-1]
    frontier = _frontier(state.last_ms[s], t, first)
    is_late = t <= frontier
    late[order] = is_late

    slot = rules.slot[s]
    useful = is_late & (slot >= 0)
    if useful.any():
        useful[useful] = t[useful] > frontier[useful] - rules.keep_ms[slot[useful]]
    used = ~is_late | useful
    silences = _silences(state, rules, s, t, v, frontier, order, ~is_late)

    rows = np.flatnonzero(used)
    parts, peaked = [silences], []
    if len(rows):
        turn = _turns(s[rows], useful[rows])
        for number in range(int(turn.max()) + 1):
            mine = rows[turn == number]
            # A late row is judged at the newest time of its series.
            when = np.where(is_late[mine], frontier[mine], t[mine])
            part, touched = _pass(state, rules, s[mine], t[mine], v[mine], when, is_late[mine], order[mine])
            parts.append(part)
            peaked.append(touched)
    newest = np.flatnonzero(~is_late)
    state.last_ms[s[newest]] = t[newest]
    state.last_value[s[newest]] = v[newest]
    changed = np.unique(np.concatenate(peaked)) if peaked else np.zeros(0, np.int64)
    return Outcome(state, Transitions.join(parts), late, changed[state.level[changed] > 0])


def tick(state: State, rules: RuleSet, now_ms: int, *, reuse: bool = False) -> Outcome:
    """Let time pass: raise the silences that are due at `now_ms`, each stamped with the moment it fell due."""
    state = state if reuse else state.copy()
    none = np.zeros(0, np.int64)
    last = state.last_ms[rules.series]
    due = (rules.silence_ms > 0) & (state.level == 0) & (last != NEVER) & (now_ms - last > rules.silence_ms)
    rule = np.flatnonzero(due)
    if not len(rule):
        return Outcome(state, Transitions.none(), np.zeros(0, np.bool_), none)
    when = last[rule] + rules.silence_ms[rule]
    value = state.last_value[rules.series[rule]]
    _set_silent(state, rules, rule, value, when)
    parts = Transitions(
        rule=rule, row=np.full(len(rule), -1, np.int64), time_ms=when, value=value,
        old=np.zeros(len(rule), np.int8), new=rules.silence_level[rule], peak=value, peak_ms=when,
    )  # fmt: skip
    return Outcome(state, Transitions.join([parts]), np.zeros(0, np.bool_), none)


def _frontier(last: Ints, t: Ints, first: Bools) -> Ints:
    """The newest time of each row's series before that row: what the state knew, and earlier rows of the batch."""
    if first.all():
        return last
    base = int(t.min())
    # Each series is lifted above the one before it, so one running maximum serves all.
    span = max(int(t.max()), int(last.max())) - base + 2
    group = np.cumsum(first) - 1
    lifted = group * span + np.maximum(last, base - 1) - base + 1
    own = group * span + (t - base + 1)
    running = np.maximum.accumulate(np.maximum(own, lifted))
    before = np.where(first, lifted, np.concatenate([lifted[:1], running[:-1]]))
    result = before - group * span + base - 1
    return np.where(result == base - 1, last, result)


def _turns(s: Ints, alone: Bools) -> Ints:
    """Number the passes: rows in time order go together, a late row goes alone, after those that came before it."""
    if not alone.any():
        return np.zeros(len(s), np.int64)
    first = np.ones(len(s), np.bool_)
    first[1:] = s[1:] != s[:-1]
    step = alone.copy()
    step[1:] |= alone[:-1]
    step[first] = False
    total = np.cumsum(step)
    return total - np.repeat(total[first], np.diff(np.append(np.flatnonzero(first), len(s))))


def _pass(
    state: State, rules: RuleSet, s: Ints, t: Ints, v: Floats, when: Ints, late: Bools, arrival: Ints
) -> tuple[Transitions, Ints]:
    """One pass: per series either rows in order of time or a single late row. Returns transitions and rules peaked."""
    merged, windowed = None, np.flatnonzero(rules.slot[s] >= 0)
    where = np.full(len(s), -1, np.int64)
    where[windowed] = np.arange(len(windowed))
    if len(windowed):
        merged = windows.merge(state, rules, rules.slot[s[windowed]], t[windowed], v[windowed])

    # Every row meets every threshold rule of its series.
    begin, number = rules.offset[s], rules.offset[s + 1] - rules.offset[s]
    row = np.repeat(np.arange(len(s)), number)
    within = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    rule = begin[row] + within
    meets = (rules.silence_ms[rule] == 0) & ~(late[row] & (rules.window_ms[rule] == 0))
    if merged is not None:
        repeated = np.zeros(len(s), np.bool_)
        repeated[windowed] = merged.position < 0
        meets &= ~repeated[row]
    row, rule = row[meets], rule[meets]
    if not len(rule):
        if merged is not None:
            windows.store(state, rules, merged)
        return Transitions.none(), np.zeros(0, np.int64)

    x = v[row]
    if merged is not None:
        kinds = rules.window_ms[rule] * len(AGGREGATES) + rules.aggregate[rule]
        for kind in np.unique(kinds[rules.window_ms[rule] > 0]):
            mine = np.flatnonzero(kinds == kind)
            at = where[row[mine]]
            group = merged.group[at]
            full = merged.start[group] + merged.count[group]
            end = np.where(late[row[mine]], full, merged.position[at] + 1)
            aggregate: Aggregate = AGGREGATES[int(kind) % len(AGGREGATES)]
            x[mine] = merged.aggregate(aggregate, int(kind) // len(AGGREGATES), group, when[row[mine]], end)
        windows.store(state, rules, merged)

    order = np.argsort(rule, kind="stable")
    rule, row = rule[order], row[order]
    return _colours(state, rules, rule, when[row], x[order], arrival[row])


def _colours(
    state: State, rules: RuleSet, rule: Ints, when: Ints, value: Floats, arrival: Ints
) -> tuple[Transitions, Ints]:
    """Thresholds, minimum duration and hysteresis for pairs sorted by rule, then arrival."""
    n = len(rule)
    first = np.ones(n, np.bool_)
    first[1:] = rule[1:] != rule[:-1]
    start = np.repeat(np.flatnonzero(first), np.diff(np.append(np.flatnonzero(first), n)))[:, None]
    final = np.append(first[1:], True)
    index = np.arange(n)[:, None]
    x, at = (value * rules.sign[rule])[:, None], when[:, None]
    # NaN thresholds compare false on both sides: that colour is neither raised nor left.
    meets, back = x >= rules.thresholds[rule], x < rules.clear[rule]

    broken = np.maximum.accumulate(np.where(meets, -1, index), axis=0)
    carried = state.since_ms[rule]
    since = np.where(
        broken >= start,
        when[np.minimum(broken + 1, n - 1)],
        np.where(carried != NEVER, carried, when[start[:, 0]][:, None]),
    )
    fire = meets & (at - since >= rules.hold_ms[rule][:, None])
    event = np.maximum.accumulate(np.where(fire | back, index, -1), axis=0)
    raised = np.where(event >= start, np.take_along_axis(fire, np.maximum(event, 0), axis=0), state.raised[rule])
    level = (raised * _COLOURS).max(axis=1)

    before = np.where(first, state.level[rule], np.concatenate([np.zeros(1, np.int8), level[:-1]]))
    peak, peak_ms, peaked = _peaks(state, rules, rule, when, value, level, before, first)
    changed = np.flatnonzero(level != before)
    transitions = Transitions(
        rule=rule[changed], row=arrival[changed], time_ms=when[changed], value=value[changed],
        old=before[changed], new=level[changed], peak=peak[changed], peak_ms=peak_ms[changed],
    )  # fmt: skip
    ended = rule[final]
    state.since_ms[ended] = np.where(meets[final], since[final], NEVER)
    state.raised[ended] = raised[final]
    state.level[ended] = level[final]
    on = level[final] > 0
    state.peak[ended] = np.where(on, peak[final], np.nan)
    state.peak_ms[ended] = np.where(on, peak_ms[final], NEVER)
    return transitions, rule[peaked]


def _peaks(
    state: State, rules: RuleSet, rule: Ints, when: Ints, value: Floats, level: Levels, before: Levels, first: Bools
) -> tuple[Floats, Ints, Bools]:
    """The worst value of the running episode at each pair (on the pair that ends it: of that episode), and where it grew."""
    n = len(rule)
    peak, peak_ms, grew = (np.full(n, np.nan), np.full(n, NEVER, np.int64), np.zeros(n, np.bool_))
    active = np.flatnonzero((level > 0) | (before > 0))
    if not len(active):
        return peak, peak_ms, grew
    # An episode begins where a colour is raised from none, or at a rule's first pair if it was raised already.
    opens = (before[active] == 0) | first[active]
    episode = np.cumsum(opens) - 1
    size = np.bincount(episode)
    head = active[opens]
    carried = before[head] > 0
    worse = value[active] * rules.sign[rule[active]]
    floor = np.where(carried, state.peak[rule[head]] * rules.sign[rule[head]], -np.inf)
    # Ranks make the running maximum exact and segmented: each episode is lifted above the one before it.
    both = np.concatenate([floor, worse])
    rank = np.unique(both, return_inverse=True)[1]
    lift = np.concatenate([np.arange(len(head)), episode]) * (len(both) + 1)
    lifted = rank + lift
    own, base = lifted[len(head) :], lifted[: len(head)]
    running = np.maximum.accumulate(np.maximum(own, base[episode]))
    previous = np.where(opens, base[episode], np.concatenate([running[:1], running[:-1]]))
    better = own > previous
    latest = np.maximum.accumulate(np.where(better, np.arange(len(active)), -1))
    began = np.repeat(np.flatnonzero(opens), size)
    inside = latest >= began
    source = np.maximum(latest, 0)
    peak[active] = np.where(inside, value[active][source], state.peak[rule[active]])
    peak_ms[active] = np.where(inside, when[active][source], state.peak_ms[rule[active]])
    grew[active] = better
    return peak, peak_ms, grew


def _silences(
    state: State, rules: RuleSet, s: Ints, t: Ints, v: Floats, frontier: Ints, arrival: Ints, newer: Bools
) -> Transitions:
    """Silences that fell due between two readings, and the end of those that were raised."""
    if not (rules.silence_ms > 0).any():
        return Transitions.none()
    rows = np.flatnonzero(newer)
    number = rules.offset[s[rows] + 1] - rules.offset[s[rows]]
    row = np.repeat(rows, number)
    rule = rules.offset[s[row]] + np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    mine = rules.silence_ms[rule] > 0
    row, rule = row[mine], rule[mine]
    if not len(row):
        return Transitions.none()
    known = frontier[row] != NEVER
    first = frontier[row] == state.last_ms[s[row]]
    was_silent = first & (state.level[rule] > 0)
    overdue = known & ~was_silent & (t[row] - frontier[row] > rules.silence_ms[rule])
    ends = np.flatnonzero(was_silent | overdue)
    if not len(ends):
        return Transitions.none()
    begins = np.flatnonzero(overdue)
    earlier = np.searchsorted(rows, row) - 1
    previous = np.where(first, state.last_value[s[row]], v[rows[earlier]])
    fell_due = frontier[row] + rules.silence_ms[rule]
    level = rules.silence_level[rule]
    zero = np.zeros(len(row), np.int8)
    peak = np.where(was_silent, state.peak[rule], previous)
    peak_ms = np.where(was_silent, state.peak_ms[rule], fell_due)

    def column(pick: Ints, times: Ints, compared: Floats, old: Levels, new: Levels) -> Transitions:
        return Transitions(rule=rule[pick], row=arrival[row[pick]], time_ms=times[pick], value=compared[pick],
                           old=old[pick], new=new[pick], peak=peak[pick], peak_ms=peak_ms[pick])  # fmt: skip

    state.level[rule[ends]] = 0
    state.raised[rule[ends]] = False
    state.peak[rule[ends]], state.peak_ms[rule[ends]] = np.nan, NEVER
    return Transitions.join(
        [column(begins, fell_due, previous, zero, level), column(ends, t[row], v[row], level, zero)]
    )


def _set_silent(state: State, rules: RuleSet, rule: Ints, value: Floats, when: Ints) -> None:
    level = rules.silence_level[rule]
    state.level[rule] = level
    state.raised[rule] = _COLOURS[None, :] <= level[:, None]
    state.peak[rule], state.peak_ms[rule] = value, when
