"""P4, 3.4.2: four colours, hysteresis, durations, windows, trends, silence, latch, schedule; late data; any split and ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.monitoring.evaluate import evaluate, tick
from haitang.monitoring.rules import (
    Aggregate,
    Direction,
    Level,
    Outcome,
    RuleError,
    RuleSet,
    RuleSpec,
    State,
    Transitions,
    carry,
    compile_rules,
    dump,
    fresh,
    load,
)

MINUTE = 60_000
T0 = 1_726_358_400_000  # 2024-09-15 00:00 UTC
COLOURS = (4.0, 5.0, 6.0, 7.0)


def run(spec: RuleSpec, *readings: tuple[float, float]) -> list[tuple[int, int, int]]:
    """(minute, old, new) of every transition for readings (minute, value) of one series."""
    rules = compile_rules([spec.series], [spec])
    minutes = np.array([m for m, _ in readings])
    outcome = evaluate(
        fresh(rules),
        rules,
        np.zeros(len(readings), np.int64),
        (T0 + minutes * MINUTE).astype(np.int64),
        np.array([v for _, v in readings]),
    )
    return changes(outcome.transitions)


def changes(found: Transitions) -> list[tuple[int, int, int]]:
    minutes = (found.time_ms - T0) // MINUTE
    return [(int(m), int(a), int(b)) for m, a, b in zip(minutes, found.old, found.new, strict=True)]


def test_it_raises_each_colour_as_the_water_rises_and_clears_when_it_falls():
    spec = RuleSpec(id=1, series=9, thresholds=COLOURS)
    found = run(spec, (0, 3.9), (5, 4.0), (10, 6.5), (15, 7.2), (20, 5.5), (25, 1.0))
    assert found == [(5, 0, 1), (10, 1, 3), (15, 3, 4), (20, 4, 2), (25, 2, 0)]


def test_falling_danger_is_the_mirror_image():
    spec = RuleSpec(id=1, series=1, thresholds=(1000, 500, 200, 50), direction=Direction.FALLING, hysteresis=10)
    assert run(spec, (0, 2000), (1, 500), (2, 505), (3, 510.5), (4, 40)) == [(1, 0, 2), (3, 2, 1), (4, 1, 4)]


def test_a_colour_that_the_rule_does_not_have_is_passed_over():
    spec = RuleSpec(id=1, series=1, thresholds=(4.0, None, None, 7.0))
    assert run(spec, (0, 6.9), (1, 7.0)) == [(0, 0, 1), (1, 1, 4)]


def test_hysteresis_holds_the_colour_inside_the_band():
    spec = RuleSpec(id=1, series=1, thresholds=(4.55, None, None, None), hysteresis=0.1)
    assert run(spec, (0, 4.55), (1, 4.45), (2, 4.54), (3, 4.44), (4, 4.5), (5, 4.6)) == [
        (0, 0, 1),
        (3, 1, 0),
        (5, 0, 1),
    ]


def test_a_colour_waits_for_its_minimum_duration_and_starts_again_after_a_break():
    spec = RuleSpec(id=1, series=1, thresholds=(4.0, 5.0, None, None), hold_s=600)
    found = run(spec, (0, 4.1), (5, 4.1), (8, 3.9), (10, 5.2), (15, 4.2), (18, 5.1), (20, 5.1), (28, 5.1))
    assert found == [(20, 0, 1), (28, 1, 2)]


def test_rain_sums_slide_exactly_and_the_reading_on_the_far_edge_is_out():
    """Shanghai's blue rainstorm signal: more than 35 mm in one hour."""
    spec = RuleSpec(id=1, series=1, thresholds=(35.0, None, None, None), aggregate=Aggregate.SUM, window_s=3600)
    showers = [(5 * i, 2.9) for i in range(1, 13)]  # twelve in (0, 60] make 34.8
    assert run(spec, *showers) == []
    assert run(spec, (0, 0.3), *showers) == []
    assert run(spec, (1, 0.2), *showers) == [(60, 0, 1)]


def test_tenths_of_a_millimetre_add_up_to_what_they_say():
    spec = RuleSpec(id=1, series=1, thresholds=(1.0, None, None, None), aggregate=Aggregate.SUM, window_s=3600)
    assert run(spec, *[(i, 0.1) for i in range(10)]) == [(9, 0, 1)]


def test_a_late_reading_counts_in_the_window_that_still_reaches_it():
    spec = RuleSpec(id=1, series=1, thresholds=(35.0, None, None, None), aggregate=Aggregate.SUM, window_s=3600)
    assert run(spec, (10, 20), (50, 10), (20, 6)) == [(50, 0, 1)]
    assert run(spec, (10, 20), (80, 30), (15, 50)) == []


def test_a_late_reading_does_not_reopen_the_past():
    spec = RuleSpec(id=1, series=1, thresholds=COLOURS)
    assert run(spec, (10, 1.0), (5, 9.0)) == []
    assert run(spec, (10, 9.0), (5, 1.0)) == [(10, 0, 4)]


def test_the_same_reading_twice_changes_nothing():
    spec = RuleSpec(id=1, series=1, thresholds=(35.0, None, None, None), aggregate=Aggregate.SUM, window_s=3600)
    assert run(spec, (10, 20), (10, 20), (20, 1), (10, 20)) == []


def test_the_transition_carries_the_peak_of_its_episode():
    spec = RuleSpec(id=1, series=1, thresholds=COLOURS)
    rules = compile_rules([1], [spec])
    times = T0 + np.arange(4) * MINUTE
    first = evaluate(fresh(rules), rules, np.zeros(4, np.int64), times, np.array([4.2, 6.6, 5.0, 4.1]))
    last = evaluate(first.state, rules, np.zeros(1, np.int64), times[-1:] + MINUTE, np.array([1.0]))
    assert last.transitions.peak.tolist() == [6.6]
    assert last.transitions.peak_ms.tolist() == [times[1]]


def test_silence_is_raised_by_the_clock_and_ended_by_a_reading():
    spec = RuleSpec(id=1, series=1, silence_s=900, silence_level=Level.YELLOW)
    rules = compile_rules([1], [spec])
    heard = evaluate(fresh(rules), rules, np.zeros(1, np.int64), np.array([T0]), np.array([3.3]))
    assert not len(tick(heard.state, rules, T0 + 15 * MINUTE).transitions)
    silent = tick(heard.state, rules, T0 + 40 * MINUTE)
    assert changes(silent.transitions) == [(15, 0, 2)]
    assert not len(tick(silent.state, rules, T0 + 50 * MINUTE).transitions)
    again = evaluate(silent.state, rules, np.zeros(1, np.int64), np.array([T0 + 60 * MINUTE]), np.array([3.4]))
    assert changes(again.transitions) == [(60, 2, 0)]
    assert tick(fresh(rules), rules, T0).transitions.rule.tolist() == []


def test_a_silence_nobody_ticked_is_found_when_the_next_reading_comes():
    spec = RuleSpec(id=1, series=1, silence_s=900, silence_level=Level.YELLOW)
    assert run(spec, (0, 1.0), (10, 1.0), (60, 1.0)) == [(25, 0, 2), (60, 2, 0)]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"thresholds": (5.0, 4.0, None, None)}, "must rise"),
        ({"thresholds": (4.0, 5.0, None, None), "direction": Direction.FALLING}, "must fall"),
        ({"thresholds": (float("nan"), None, None, None)}, "finite"),
        ({}, "either thresholds or silence_s"),
        ({"thresholds": COLOURS, "silence_s": 60}, "either thresholds or silence_s"),
        ({"thresholds": COLOURS, "window_s": 60}, "a window needs an aggregate"),
        ({"thresholds": COLOURS, "hysteresis": -1}, "hysteresis"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(wrong, says):
    with pytest.raises(RuleError, match=says):
        compile_rules([1], [RuleSpec(id=1, series=1, **wrong)])


# -- against a reference that takes one reading at a time and keeps everything -------------------------------------


@dataclass
class Slow:
    """The rules, said plainly: every reading ever stored, looked through again for every reading."""

    specs: list[RuleSpec]
    stored: dict[int, dict[int, float]] = field(default_factory=dict)
    since: dict[tuple[int, int], int] = field(default_factory=dict)
    up: dict[tuple[int, int], bool] = field(default_factory=dict)
    silent: dict[int, bool] = field(default_factory=dict)
    peak: dict[int, tuple[float, int]] = field(default_factory=dict)
    back: dict[tuple[int, int], int] = field(default_factory=dict)
    held: dict[int, tuple[int, float]] = field(default_factory=dict)
    found: list[tuple[int, int, int, int, float]] = field(default_factory=list)

    def take(self, series: int, time: int, value: float) -> None:
        known = self.stored.setdefault(series, {})
        newest = max(known, default=None)
        if time in known:
            return
        known[time] = value
        late = newest is not None and time < newest
        for spec in sorted(self.specs, key=lambda s: s.id):
            if spec.series != series:
                continue
            if spec.silence_s:
                if not late:
                    self.silence(spec, newest, time)
                continue
            if late and not spec.window_s:
                continue
            when = newest if late else time
            figure = self.figure(spec, known, when)
            if figure is not None:
                self.pass_time(spec, when)
                self.judge(spec, when, figure)

    def figure(self, spec: RuleSpec, known: dict[int, float], when: int) -> float | None:
        if spec.aggregate == Aggregate.LAST:
            return known[when]
        inside = {t: Fraction(str(v)) for t, v in known.items() if when - spec.window_s * 1000 < t <= when}
        values = list(inside.values())
        last = Fraction(str(known[when]))
        match spec.aggregate:
            case Aggregate.COUNT:
                return len(values)
            case Aggregate.RATE:
                span = when - min(inside)
                return float(round((last - inside[min(inside)]) * 3_600_000 / span, 6)) if span else None
            case Aggregate.TREND:
                t = {at: Fraction(at // 1000) for at in inside}
                n, mean_t, mean_v = len(inside), sum(t.values()) / len(t), sum(values) / len(values)
                below = sum((t[at] - mean_t) ** 2 for at in inside)
                if n < 3 or not below:
                    return None
                slope = sum((t[at] - mean_t) * (v - mean_v) for at, v in inside.items()) / below
                return float(round(last + slope * Fraction(spec.lead), 6))
            case Aggregate.BASELINE:
                before = [v * 1000 for at, v in inside.items() if at < when]
                if len(before) < 10:
                    return None
                mean = sum(before) / len(before)
                spread = math.sqrt(max(sum((v - mean) ** 2 for v in before) / len(before), 1))
                return round(float(last * 1000 - mean) / spread, 6)
            case Aggregate.MEAN:
                return float(sum(values) / len(values))
        return float({Aggregate.SUM: sum, Aggregate.MAX: max, Aggregate.MIN: min}[spec.aggregate](values))

    def leave_ms(self, spec: RuleSpec, colour: int) -> float:
        lowest = next(c for c, value in enumerate(spec.thresholds, start=1) if value is not None)
        return 1000 * (spec.clear_s if colour == lowest else spec.lower_s)

    def pass_time(self, spec: RuleSpec, upto: float) -> None:
        """Every duration of a rule that ends before `upto`, one after the other."""
        while spec.id in self.held:
            at, figure = self.held[spec.id]
            ends = [t + spec.hold_s * 1000 for (rule, _c), t in self.since.items() if rule == spec.id]
            ends += [t + self.leave_ms(spec, c) for (rule, c), t in self.back.items() if rule == spec.id]
            due = min((end for end in ends if at < end < upto), default=None)
            if due is None:
                return
            self.judge(spec, int(due), figure)

    def judge(self, spec: RuleSpec, when: int, figure: float) -> None:
        self.held[spec.id] = (when, figure)
        sign = 1 if spec.direction == Direction.RISING else -1
        before = self.level(spec)
        at = datetime.fromtimestamp(when / 1000, UTC)
        awake = spec.months >> (at.month - 1) & 1 and spec.hours >> at.hour & 1
        for colour, threshold in enumerate(spec.thresholds, start=1):
            if threshold is None:
                continue
            key, x, edge = (spec.id, colour), sign * figure, sign * threshold
            if awake and x >= edge:
                began = self.since.setdefault(key, when)
                if when - began >= spec.hold_s * 1000:
                    self.up[key] = True
            else:
                self.since.pop(key, None)
            if not awake or x < round(edge - spec.hysteresis, 9):
                began = self.back.setdefault(key, when)
                if when - began >= self.leave_ms(spec, colour) and not spec.latch:
                    self.up[key] = False
            else:
                self.back.pop(key, None)
        after = self.level(spec)
        if after and (before == 0 or sign * figure > sign * self.peak[spec.id][0]):
            self.peak[spec.id] = (figure, when)
        if before != after:
            self.found.append((spec.id, when, before, after, self.peak[spec.id][0]))

    def level(self, spec: RuleSpec) -> int:
        return max((c for c in range(1, 5) if self.up.get((spec.id, c))), default=0)

    def silence(self, spec: RuleSpec, newest: int | None, time: int) -> None:
        if newest is not None and time - newest > spec.silence_s * 1000:
            value = self.stored[spec.series][newest]
            fell_due = newest + int(spec.silence_s * 1000)
            self.found.append((spec.id, fell_due, 0, int(spec.silence_level), value))
            self.found.append((spec.id, time, int(spec.silence_level), 0, value))


tenths = st.integers(0, 80).map(lambda n: n / 10)


@st.composite
def rule_specs(draw: st.DrawFn) -> list[RuleSpec]:
    specs = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        series = draw(st.integers(0, 2))
        if draw(st.integers(0, 5)) == 0:
            specs.append(RuleSpec(id=number, series=series, silence_s=draw(st.integers(1, 20)) * 60))
            continue
        falling = draw(st.booleans())
        edges = sorted(draw(st.lists(tenths, min_size=4, max_size=4)), reverse=falling)
        holes = draw(st.sets(st.integers(0, 3), max_size=3))
        aggregate = draw(st.sampled_from(list(Aggregate)))
        specs.append(
            RuleSpec(
                id=number,
                series=series,
                thresholds=tuple(None if i in holes else edge for i, edge in enumerate(edges)),
                direction=Direction.FALLING if falling else Direction.RISING,
                hysteresis=draw(st.sampled_from([0.0, 0.3, 1.0])),
                hold_s=draw(st.sampled_from([0, 120, 600])),
                aggregate=aggregate,
                window_s=0 if aggregate == Aggregate.LAST else draw(st.sampled_from([180, 900, 3600])),
                lead_s=1800 if aggregate == Aggregate.TREND else 0,
                damping_s=draw(st.sampled_from([0, 3600])) if aggregate == Aggregate.TREND else 0,
                clear_s=draw(st.sampled_from([0, 0, 330])),
                lower_s=draw(st.sampled_from([0, 0, 60, 700])),
                latch=draw(st.integers(0, 5)) == 0,
                months=draw(st.sampled_from([4095, 4095, 1 << 8, 1])),
                hours=draw(st.sampled_from([(1 << 24) - 1] * 3 + [1])),
            )
        )
    return specs


readings = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), tenths), max_size=60)


def columns(stream: list[tuple[int, int, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([s for s, _, _ in stream], np.int64),
        np.array([T0 + m * MINUTE for _, m, _ in stream], np.int64),
        np.array([v for _, _, v in stream], np.float64),
    )


def in_pieces(rules: RuleSet, stream: list[tuple[int, int, float]], cuts: list[int]) -> Outcome:
    state, parts, late = fresh(rules), [Transitions.none()], []
    edges = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    peaked: set[int] = set()
    for begin, end in pairwise(edges):
        outcome = evaluate(state, rules, *columns(stream[begin:end]), reuse=True)
        state = outcome.state
        parts.append(outcome.transitions.shifted(begin))
        late.append(outcome.late)
        peaked |= set(outcome.peaked.tolist())
    return Outcome(
        state, Transitions.join(parts), np.concatenate(late or [np.zeros(0, np.bool_)]), np.array(sorted(peaked))
    )


def same_state(a: State, b: State) -> None:
    for f in fields(State):
        left, right = getattr(a, f.name), getattr(b, f.name)
        if f.name in ("ring_ms", "ring_micro"):
            left = [row[:n].tolist() for row, n in zip(left, a.ring_n, strict=True)]
            right = [row[:n].tolist() for row, n in zip(right, b.ring_n, strict=True)]
            assert left == right, f.name
        else:
            np.testing.assert_array_equal(left, right, err_msg=f.name)


def as_rows(found: Transitions) -> list[tuple[object, ...]]:
    return list(zip(*(getattr(found, f.name).tolist() for f in fields(found)), strict=True))


@settings(max_examples=150)
@given(rule_specs(), readings, st.lists(st.integers(0, 60), max_size=8))
def test_one_batch_or_many_give_the_same_transitions_and_state(specs, stream, cuts):
    rules = compile_rules(range(3), specs)
    whole, pieces = in_pieces(rules, stream, []), in_pieces(rules, stream, cuts)
    assert as_rows(whole.transitions) == as_rows(pieces.transitions)
    assert whole.late.tolist() == pieces.late.tolist()
    same_state(whole.state, pieces.state)


@settings(max_examples=150)
@given(rule_specs(), readings)
def test_it_agrees_with_taking_one_reading_at_a_time(specs, stream):
    rules = compile_rules(range(3), specs)
    slow = Slow(specs)
    for series, minute, value in stream:
        slow.take(series, T0 + minute * MINUTE, value)
    found = in_pieces(rules, stream, []).transitions
    fast = [
        (int(rules.id[r]), int(t), int(a), int(b), float(p))
        for r, t, a, b, p in zip(found.rule, found.time_ms, found.old, found.new, found.peak, strict=True)
    ]
    # A quotient may differ in its last bit; peaks are compared to a millionth.
    assert [row[:4] for row in sorted(fast)] == [row[:4] for row in sorted(slow.found)]
    assert [row[4] for row in sorted(fast)] == pytest.approx([row[4] for row in sorted(slow.found)])


@settings(max_examples=100)
@given(rule_specs(), readings, st.lists(st.integers(0, 60), max_size=8), st.data())
def test_the_clock_finds_what_the_next_reading_would_find(specs, stream, cuts, data):
    """Live (with ticks) and back-test (without) agree where every reading comes before a tick that has passed it."""
    rules = compile_rules(range(3), specs)
    stream = sorted(stream, key=lambda each: each[1])
    expected = in_pieces(rules, stream, []).state
    told = in_pieces(rules, stream, []).transitions
    told = Transitions.join([told, tick(expected, rules, T0 + 200 * MINUTE).transitions])
    state, parts = fresh(rules), []
    edges = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    for begin, end in pairwise(edges):
        outcome = evaluate(state, rules, *columns(stream[begin:end]), reuse=True)
        state = outcome.state
        following = stream[end][1] if end < len(stream) else 200
        newest = stream[end - 1][1]
        now = T0 + int(data.draw(st.floats(newest, following)) * MINUTE)
        parts += [outcome.transitions, tick(state, rules, now, reuse=True).transitions]
    parts.append(tick(state, rules, T0 + 200 * MINUTE, reuse=True).transitions)
    key = [(r[0], r[2], *r[3:]) for r in as_rows(told)]
    assert sorted(key) == sorted((r[0], r[2], *r[3:]) for part in parts for r in as_rows(part))


@settings(max_examples=60)
@given(rule_specs(), readings, st.integers(0, 60))
def test_giving_everything_again_changes_nothing(specs, stream, upto):
    rules = compile_rules(range(3), specs)
    once = in_pieces(rules, stream, [])
    again = evaluate(once.state, rules, *columns(stream[:upto]))
    assert as_rows(again.transitions) == []
    same_state(once.state, again.state)


@settings(max_examples=60)
@given(rule_specs(), readings, st.integers(0, 60))
def test_state_survives_a_snapshot(specs, stream, cut):
    rules = compile_rules(range(3), specs)
    before = in_pieces(rules, stream[:cut], [])
    kept_rules, kept = load(dump(rules, before.state))
    after = evaluate(kept, kept_rules, *columns(stream[cut:])).transitions.shifted(min(cut, len(stream)))
    whole = in_pieces(rules, stream, []).transitions
    assert as_rows(Transitions.join([before.transitions, after])) == as_rows(whole)


@settings(max_examples=60)
@given(rule_specs(), readings)
def test_a_change_of_one_rule_leaves_the_others_as_they_were(specs, stream):
    rules = compile_rules(range(3), specs)
    state = in_pieces(rules, stream, []).state
    more = compile_rules(range(4), [*specs, RuleSpec(id=99, series=1, thresholds=COLOURS)])
    taken = carry(state, rules, more)
    for spec in specs:
        was, now = rules.id.tolist().index(spec.id), more.id.tolist().index(spec.id)
        assert taken.level[now] == state.level[was]
        assert taken.since_ms[now].tolist() == state.since_ms[was].tolist()
    assert taken.level[more.id.tolist().index(99)] == 0
    assert taken.last_ms[:3].tolist() == state.last_ms.tolist()
    back = carry(taken, more, rules)
    same_state(back, state)
