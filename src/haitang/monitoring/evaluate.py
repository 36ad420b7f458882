"""The rule kernel: many readings of many series against their rules at once, in NumPy.

What it promises, for any stream of readings: one batch or many give the same transitions and the same state; a reading
given twice changes nothing; a late reading counts in the windows that still reach it and never reopens the past. A
duration that ends between two readings ends at its own moment, whether `tick` finds that or the next reading does: so a
stream with ticks (live, replayed) and one without (a back-test) give the same, if no reading comes after a tick that is
later than it. Colours of single rules are told at once; of those that depend on others by `tick` (see `compound.py`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from haitang.monitoring import compound, windows
from haitang.monitoring.rules import (
    AGGREGATES,
    MICRO,
    NEVER,
    PAIR_GAP_MS,
    Aggregate,
    Bools,
    Floats,
    Ints,
    Levels,
    Outcome,
    RuleSet,
    Stage,
    State,
    Transitions,
)

QUOTIENTS = frozenset({Aggregate.RATE, Aggregate.TREND, Aggregate.BASELINE})
_COLOURS = np.arange(1, 5, dtype=np.int8)


def evaluate(
    state: State, rules: RuleSet, series: Ints, time_ms: Ints, values: Floats, *, reuse: bool = False
) -> Outcome:
    """Bring `state` forward by a batch of readings in order of arrival.

    `series` [n] are positions in `rules.series_ids`. Rows not newer than the newest of their series are late: they enter
    the windows, which are judged again at the newest time. With `reuse` the given state's arrays are written to.
    """
    state = state if reuse else state.copy()
    if not len(series):
        return Outcome(state, Transitions.none(), np.zeros(0, np.bool_), np.zeros(0, np.int64), moved=False)
    if not len(rules.pair_series):
        return _told(_evaluate(state, rules, series, time_ms, values), rules)
    extra = _differences(state, rules, series, time_ms, values)
    cause = np.concatenate([np.arange(len(series)), extra[0]])
    order = np.argsort(cause, kind="stable")
    columns = zip((series, time_ms, values), extra[1:], strict=True)
    outcome = _evaluate(state, rules, *(np.concatenate(pair)[order] for pair in columns))
    cause = cause[order]
    found = outcome.transitions
    found = replace(found, row=np.where(found.row >= 0, cause[found.row], found.row))
    late = np.zeros(len(series), np.bool_)
    late[cause[outcome.late & (order < len(series))]] = True
    return _told(replace(outcome, transitions=Transitions.join([found]), late=late), rules)


def _told(outcome: Outcome, rules: RuleSet) -> Outcome:
    """What single rules did; what the second stage wants to know waits in its queue."""
    compound.listen(outcome.state, rules, outcome.transitions)
    found = outcome.transitions
    plain = rules.stage[found.rule] == Stage.PLAIN
    if plain.all():
        return outcome
    return replace(outcome, transitions=found.pick(plain))


def _differences(
    state: State, rules: RuleSet, series: Ints, time_ms: Ints, values: Floats
) -> tuple[Ints, Ints, Ints, Floats]:
    """Readings of the differences: (row that brings it about, series, time, value).

    A difference is read when both series have been heard anew; its time is that up to which both are known, its value
    that of their newest readings.
    """
    rows: list[tuple[int, int, int, float]] = []
    touched = np.isin(series, np.concatenate([rules.pair_left, rules.pair_right]))
    for left, right, own in zip(
        rules.pair_left.tolist(), rules.pair_right.tolist(), rules.pair_series.tolist(), strict=True
    ):
        mine = np.flatnonzero(touched & ((series == left) | (series == right)))
        newest = {side: (int(state.last_ms[side]), float(state.last_value[side])) for side in (left, right)}
        done = int(state.last_ms[own])
        for row, side, at, value in zip(
            mine.tolist(), series[mine].tolist(), time_ms[mine].tolist(), values[mine].tolist(), strict=True
        ):
            if at <= newest[side][0]:
                continue
            newest[side] = (at, value)
            (a, x), (b, y) = newest[left], newest[right]
            if min(a, b) > done and abs(a - b) <= PAIR_GAP_MS:
                done = min(a, b)
                rows.append((row, own, done, x - y))
    table: list[Any] = [np.array(column, kind) for column, kind in zip(
        zip(*rows, strict=True) if rows else ((),) * 4, (np.int64, np.int64, np.int64, np.float64), strict=True
    )]  # fmt: skip
    return table[0], table[1], table[2], table[3]


def _evaluate(state: State, rules: RuleSet, series: Ints, time_ms: Ints, values: Floats) -> Outcome:
    n = len(series)
    late = np.zeros(n, np.bool_)
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
    """Let time pass: silences and durations that ended before `now_ms`, each at its own moment; then the second stage."""
    state = state if reuse else state.copy()
    none = np.zeros(0, np.int64)
    parts = [silences] if len(silences := _fallen_silent(state, rules, now_ms)) else []
    # More than once: what has fallen asleep by then begins another duration.
    while (part := _run_out(state, rules, now_ms)) is not None:
        parts.append(part)
    found = Transitions.join(parts) if parts else Transitions.none()
    outcome = _told(Outcome(state, found, np.zeros(0, np.bool_), none, moved=bool(parts)), rules)
    later, moved = compound.release(state, rules, now_ms)
    joined = Transitions.join([outcome.transitions, later]) if len(later) else outcome.transitions
    return replace(outcome, transitions=joined, moved=outcome.moved or moved)


def reset(state: State, rules: RuleSet, now_ms: int, rule_ids: Ints, *, reuse: bool = False) -> Outcome:
    """A person resets latched rules: what no reading meets any more is left; what is met yet stays."""
    state = state if reuse else state.copy()
    before = tick(state, rules, now_ms, reuse=True)
    rule = np.flatnonzero(np.isin(rules.id, rule_ids) & rules.latch & (state.level > 0))
    old = state.level[rule].copy()
    state.raised[rule] &= state.since_ms[rule] != NEVER
    state.level[rule] = (state.raised[rule] * _COLOURS).max(axis=1, initial=0)
    peak, peak_ms = state.peak[rule].copy(), state.peak_ms[rule].copy()
    off = rule[state.level[rule] == 0]
    state.peak[off], state.peak_ms[off] = np.nan, NEVER
    changed = np.flatnonzero(state.level[rule] != old)
    pick = rule[changed]
    found = Transitions(
        rule=pick, row=np.full(len(pick), -1, np.int64), time_ms=np.full(len(pick), now_ms, np.int64),
        value=state.last_value[rules.series[pick]], old=old[changed], new=state.level[pick],
        peak=peak[changed], peak_ms=peak_ms[changed],
    )  # fmt: skip
    compound.listen(state, rules, found)
    told = found.pick(rules.stage[found.rule] != Stage.INHIBITED)
    return replace(before, transitions=Transitions.join([before.transitions, told]), moved=True)


def _fallen_silent(state: State, rules: RuleSet, now_ms: int) -> Transitions:
    last = state.last_ms[rules.series]
    due = (rules.silence_ms > 0) & (state.level == 0) & (last != NEVER) & (now_ms - last > rules.silence_ms)
    rule = np.flatnonzero(due)
    rule = rule[_awake(rules, rule, last[rule] + rules.silence_ms[rule])]
    if not len(rule):
        return Transitions.none()
    when = last[rule] + rules.silence_ms[rule]
    value = state.last_value[rules.series[rule]]
    _set_silent(state, rules, rule, value, when)
    return Transitions(
        rule=rule, row=np.full(len(rule), -1, np.int64), time_ms=when, value=value,
        old=np.zeros(len(rule), np.int8), new=rules.silence_level[rule], peak=value, peak_ms=when,
    )  # fmt: skip


def _run_out(state: State, rules: RuleSet, now_ms: int) -> Transitions | None:
    """What durations did that ended before `now_ms`; None where there is none."""
    mine = np.flatnonzero((state.held_ms != NEVER) & (rules.stage[rules.timed] != Stage.COMPOUND))
    if not len(mine):
        return None
    rule = rules.timed[mine]
    since, back = state.since_ms[rule], state.back_ms[mine]
    met, left = since + rules.hold_ms[rule][:, None], back + rules.leave_ms[mine]
    after = state.held_ms[mine][:, None]
    ends = np.concatenate([
        np.where((since != NEVER) & (met > after) & (met < now_ms), met, NEVER),
        np.where((back != NEVER) & (left > after) & (left < now_ms), left, NEVER),
    ], axis=1)  # fmt: skip
    at, _which = np.nonzero(ends != NEVER)
    if not len(at):
        return None
    pairs = np.unique(np.stack([at, ends[ends != NEVER]]), axis=1)
    at, when = pairs[0], pairs[1]
    arrival = np.full(len(at), -1, np.int64)
    return _colours(state, rules, rule[at], when, state.held[mine[at]], arrival, expand=False)[0]


def _awake(rules: RuleSet, rule: Ints, when: Ints) -> Bools:
    """Whether each rule is awake at its time."""
    result = np.ones(len(rule), np.bool_)
    mine = np.flatnonzero(rules.asleep_some[rule])
    if len(mine):
        local = when[mine] + rules.zone_ms[rule[mine]]
        month = local.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) % 12
        hour = local // 3_600_000 % 24
        result[mine] = (rules.months[rule[mine]] >> month & 1 == 1) & (rules.hours[rule[mine]] >> hour & 1 == 1)
    return result


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
    meets &= rules.stage[rule] != Stage.COMPOUND
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
            figure = merged.aggregate(aggregate, int(kind) // len(AGGREGATES), group, when[row[mine]], end)
            if aggregate == Aggregate.TREND:
                figure = merged.micro[end - 1] / MICRO + figure * rules.lead_s[rule[mine]]
            # Quotients in whole millionths: what is 4 on paper is 4 here.
            x[mine] = np.rint(figure * MICRO) / MICRO if aggregate in QUOTIENTS else figure
        windows.store(state, rules, merged)
        told = ~np.isnan(x)
        if not told.all():
            row, rule, x = row[told], rule[told], x[told]
            if not len(rule):
                return Transitions.none(), np.zeros(0, np.int64)

    order = np.argsort(rule, kind="stable")
    rule, row = rule[order], row[order]
    return _colours(state, rules, rule, when[row], x[order], arrival[row])


def _colours(
    state: State, rules: RuleSet, rule: Ints, when: Ints, value: Floats, arrival: Ints, *, expand: bool = True
) -> tuple[Transitions, Ints]:
    """Thresholds, durations and hysteresis for pairs sorted by rule, then arrival."""
    timed = rules.timer[rule] >= 0 if len(rules.timed) else np.zeros(len(rule), np.bool_)
    if expand and timed.any():
        pairs = _with_ends(state, rules, rule, when, value, arrival)
        # A rule that had fallen asleep by then begins a duration there, whose end may lie between as well.
        while len(pairs[0]) > len(rule):
            rule, when, value, arrival = pairs
            if rules.asleep_some[rule].any():
                pairs = _with_ends(state, rules, rule, when, value, arrival)
        timed = rules.timer[rule] >= 0
    n = len(rule)
    first, final, start = _runs(rule)
    meets, back = _compare(rules, rule, when, value)
    since = _since(meets, state.since_ms[rule], when, start)
    fire = meets & (when[:, None] - since >= rules.hold_ms[rule][:, None])
    began = np.zeros((n, 4), np.int64)
    off = back
    if timed.any():
        slot = rules.timer[rule]
        carried = np.where(timed[:, None], state.back_ms[slot] if len(rules.timed) else NEVER, NEVER)
        began = _since(back, carried, when, start)
        leave = np.where(timed[:, None], rules.leave_ms[slot], 0)
        off = back & (when[:, None] - began >= leave)
    off = off & ~rules.latch[rule][:, None]
    if first.all():  # each rule once, as when all series tick: nothing runs over the pairs
        raised = (state.raised[rule] | fire) & ~off
    else:
        event = np.maximum.accumulate(np.where(fire | off, np.arange(n)[:, None], -1), axis=0)
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
    if timed.any():
        last = np.flatnonzero(final & timed)
        slot = rules.timer[rule[last]]
        state.back_ms[slot] = np.where(back[last], began[last], NEVER)
        state.held[slot] = value[last]
        state.held_ms[slot] = np.maximum(when[last], state.held_ms[slot])
    return transitions, rule[peaked]


def _runs(rule: Ints) -> tuple[Bools, Bools, Ints]:
    """Of pairs sorted by rule: which is a rule's first, which its last; [n,1] the position of the first of each."""
    n = len(rule)
    first = np.ones(n, np.bool_)
    first[1:] = rule[1:] != rule[:-1]
    heads = np.flatnonzero(first)
    start = np.repeat(heads, np.diff(np.append(heads, n)))[:, None]
    return first, np.append(first[1:], True), start


def _compare(rules: RuleSet, rule: Ints, when: Ints, value: Floats) -> tuple[Bools, Bools]:
    """[n,4] whether each threshold is met, and whether the value is back from it."""
    x = (value * rules.sign[rule])[:, None]
    # NaN thresholds compare false on both sides: that colour is neither raised nor left.
    meets, back = x >= rules.thresholds[rule], x < rules.clear[rule]
    asleep = ~_awake(rules, rule, when)
    if asleep.any():
        meets[asleep] = False
        back[asleep] = ~np.isnan(rules.thresholds[rule[asleep]])
    return meets, back


def _since(holds: Bools, carried: Ints, when: Ints, start: Ints) -> Ints:
    """[n,4] since when something that holds has done so without a break; `carried` is what the state knew of it."""
    n = len(when)
    if start[-1, 0] == n - 1 and start[0, 0] == 0 and bool((start[:, 0] == np.arange(n)).all()):
        return np.where(holds & (carried != NEVER), carried, when[:, None])
    broken = np.maximum.accumulate(np.where(holds, -1, np.arange(n)[:, None]), axis=0)
    return np.where(
        broken >= start,
        when[np.minimum(broken + 1, n - 1)],
        np.where(carried != NEVER, carried, when[start[:, 0]][:, None]),
    )


def _with_ends(
    state: State, rules: RuleSet, rule: Ints, when: Ints, value: Floats, arrival: Ints
) -> tuple[Ints, Ints, Floats, Ints]:
    """The pairs, with one more wherever a duration ends between two: what was compared before, at that moment."""
    first, _final, start = _runs(rule)
    timed = rules.timer[rule] >= 0
    slot = rules.timer[rule]
    found = []
    if not first.all():
        meets, back = _compare(rules, rule, when, value)
        since = _since(meets, state.since_ms[rule], when, start)
        began = _since(back, np.where(timed[:, None], state.back_ms[slot], NEVER), when, start)
        # For each pair: what ends between it and the next of its rule ...
        following = np.flatnonzero(timed[1:] & ~first[1:])
        upto = when[following + 1][:, None]
        hold, leave = rules.hold_ms[rule[following]][:, None], rules.leave_ms[slot[following]]
        for holds, began_at, length in ((meets, since, hold), (back, began, leave)):
            end = began_at[following] + length
            row, _colour = hit = np.nonzero(holds[following] & (end > when[following][:, None]) & (end < upto))
            found.append((following[row] + 1, end[hit], value[following[row]]))
    # ... and for a rule's first pair: what ends between the state's last and it.
    heads = np.flatnonzero(first & timed)
    mine = slot[heads]
    known, upto = state.held_ms[mine], when[heads][:, None]
    hold, leave = rules.hold_ms[rule[heads]][:, None], rules.leave_ms[mine]
    for began_at, length in ((state.since_ms[rule[heads]], hold), (state.back_ms[mine], leave)):
        end = began_at + length
        passed = (began_at != NEVER) & (known != NEVER)[:, None] & (end > known[:, None]) & (end < upto)
        row, _colour = hit = np.nonzero(passed)
        found.append((heads[row], end[hit], state.held[mine[row]]))
    at, end, held = (np.concatenate(column) for column in zip(*found, strict=True))
    if not len(at):
        return rule, when, value, arrival
    _pairs, once = np.unique(np.stack([at, end]), axis=1, return_index=True)
    at, end, held = at[once], end[once], held[once]
    order = np.lexsort((np.concatenate([np.zeros(len(at)), np.ones(len(rule))]),
                        np.concatenate([at, np.arange(len(rule))])))  # fmt: skip
    return (
        np.concatenate([rule[at], rule])[order], np.concatenate([end, when])[order],
        np.concatenate([held, value])[order], np.concatenate([arrival[at], arrival])[order],
    )  # fmt: skip


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
    overdue &= _awake(rules, rule, frontier[row] + rules.silence_ms[rule])
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
