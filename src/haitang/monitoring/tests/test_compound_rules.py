"""P4, 3.4.2: and, or, not, k of n within a township or a radius; rules that hold others back; head across a gate; latch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.monitoring.evaluate import evaluate, reset, tick
from haitang.monitoring.rules import (
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
    standing,
)

MINUTE = 60_000
T0 = 1_726_358_400_000
WIND, RAIN, TIDE, BOTH = 1, 2, 3, 9
COLOURS = (4.0, 5.0, 6.0, 7.0)
Reading = tuple[int, int, float]


def plain(number: int, **fields) -> RuleSpec:
    return RuleSpec(id=number, series=number, **{"thresholds": COLOURS, **fields})


def at(rule: int, level: int) -> dict[str, object]:
    return {"k": 1, "at": level, "groups": [[[rule]]]}


def compound(nodes: dict[int, object], span_min: int = 0, **fields) -> RuleSpec:
    combines = {"span_ms": span_min * MINUTE, "colours": {str(level): node for level, node in nodes.items()}}
    return RuleSpec(id=BOTH, series=TIDE, combines=combines, **fields)


def take(state: State, rules: RuleSet, readings: list[Reading]) -> Outcome:
    series, minutes, values = (np.array(column) for column in zip(*readings, strict=True))
    return evaluate(
        state, rules, rules.locate(series), (T0 + minutes * MINUTE).astype(np.int64), values.astype(np.float64)
    )


def story(rules: RuleSet, readings: list[Reading], until: int = 10_000) -> list[tuple[int, int, int, int]]:
    """(rule, minute, old, new) of everything told."""
    outcome = take(fresh(rules), rules, readings)
    later = tick(outcome.state, rules, T0 + until * MINUTE)
    return told(rules, Transitions.join([outcome.transitions, later.transitions]))


def told(rules: RuleSet, found: Transitions) -> list[tuple[int, int, int, int]]:
    rows = zip(
        rules.id[found.rule].tolist(), ((found.time_ms - T0) // MINUTE).tolist(), found.old, found.new, strict=True
    )
    return sorted((rule, minute, int(old), int(new)) for rule, minute, old, new in rows)


def of(rule: int, rows: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int]]:
    return [row[1:] for row in rows if row[0] == rule]


def all_of(*nodes: object) -> dict[str, object]:
    return {"k": len(nodes), "of": list(nodes)}


def three() -> RuleSet:
    """Wind, rain and tide together: the colour is that of the mildest of the three."""
    nodes = {level: all_of(*(at(rule, level) for rule in (WIND, RAIN, TIDE))) for level in range(1, 5)}
    return compile_rules([WIND, RAIN, TIDE], [plain(WIND), plain(RAIN), plain(TIDE), compound(nodes)])


def test_three_that_meet_are_an_alarm_of_the_mildest_ones_colour():
    found = story(three(), [(WIND, 0, 6.5), (RAIN, 10, 5.5), (TIDE, 20, 4.2), (TIDE, 30, 5.2), (RAIN, 40, 1.0)])
    assert of(BOTH, found) == [(20, 0, 1), (30, 1, 2), (40, 2, 0)]


def test_a_change_waits_until_the_clock_has_passed_it_and_comes_in_order_of_time():
    """The rain gauge is heard late: what counts is when it rained, not when it was heard."""
    rules = three()
    outcome = take(fresh(rules), rules, [(WIND, 0, 6.5), (TIDE, 20, 4.2), (TIDE, 30, 1.0), (RAIN, 10, 5.5)])
    assert of(BOTH, told(rules, outcome.transitions)) == []
    later = tick(outcome.state, rules, T0 + 31 * MINUTE)
    assert of(BOTH, told(rules, later.transitions)) == [(20, 0, 1), (30, 1, 0)]


def test_conditions_need_not_hold_at_once_but_within_the_span():
    node = {1: all_of(at(WIND, 1), at(RAIN, 1))}
    rules = compile_rules([WIND, RAIN, TIDE], [plain(WIND), plain(RAIN), compound(node, span_min=60)])
    readings = [(WIND, 0, 4.5), (WIND, 10, 1.0), (RAIN, 60, 4.5), (RAIN, 65, 1.0)]
    assert of(BOTH, story(rules, readings)) == [(60, 0, 1), (70, 1, 0)]
    assert of(BOTH, story(rules, [(WIND, 0, 4.5), (WIND, 10, 1.0), (RAIN, 70, 4.5)])) == []


def test_or_not_and_k_of_n():
    either = {1: {"k": 1, "of": [at(WIND, 1), at(RAIN, 1)]}, 4: {"k": 2, "of": [at(WIND, 1), at(RAIN, 1), at(TIDE, 1)]}}
    specs = [plain(WIND), plain(RAIN), plain(TIDE)]
    rules = compile_rules([WIND, RAIN, TIDE], [*specs, compound(either)])
    assert of(BOTH, story(rules, [(RAIN, 0, 4.0), (TIDE, 5, 4.0), (RAIN, 9, 0.0), (TIDE, 9, 0.0)])) == [
        (0, 0, 1), (5, 1, 4), (9, 4, 0),
    ]  # fmt: skip
    unless = {1: all_of(at(WIND, 1), {"not": at(TIDE, 2)})}
    rules = compile_rules([WIND, RAIN, TIDE], [*specs, compound(unless)])
    assert of(BOTH, story(rules, [(WIND, 0, 4.0), (TIDE, 5, 5.0), (TIDE, 8, 4.0)])) == [(0, 0, 1), (5, 1, 0), (8, 0, 1)]


def test_k_of_n_counts_stations_of_one_group():
    """Two rules of one station count once; two stations of different townships do not make two of one."""
    township_a, township_b = [[WIND, RAIN], [TIDE]], [[4]]
    node = {1: {"k": 2, "at": 1, "groups": [township_a, township_b]}}
    rules = compile_rules([1, 2, 3, 4], [plain(1), plain(2), plain(3), plain(4), compound(node)])
    assert of(BOTH, story(rules, [(WIND, 0, 5.0), (RAIN, 1, 5.0), (4, 2, 5.0)])) == []
    assert of(BOTH, story(rules, [(WIND, 0, 5.0), (TIDE, 3, 5.0)])) == [(3, 0, 1)]


def test_a_compound_has_durations_of_its_own_and_they_end_without_a_message():
    rules = compile_rules([WIND, TIDE], [plain(WIND), compound({1: at(WIND, 1)}, hold_s=600, clear_s=300)])
    assert of(BOTH, story(rules, [(WIND, 0, 4.5), (WIND, 5, 1.0), (WIND, 20, 4.5), (WIND, 40, 1.0)])) == [
        (30, 0, 1), (45, 1, 0),
    ]  # fmt: skip


def test_a_rule_that_is_held_back_is_told_when_the_other_ends():
    specs = [plain(WIND), plain(RAIN, inhibited_by=WIND, inhibited_at=Level.ORANGE)]
    rules = compile_rules([WIND, RAIN], specs)
    readings = [(WIND, 0, 6.0), (RAIN, 5, 4.5), (RAIN, 6, 5.5), (WIND, 10, 1.0), (WIND, 20, 6.0), (RAIN, 30, 0.0)]
    assert of(RAIN, story(rules, readings)) == [(10, 0, 2), (20, 2, 0)]
    outcome = take(fresh(rules), rules, readings[:2])
    assert standing(tick(outcome.state, rules, T0 + 9 * MINUTE).state, rules).tolist() == [3, 0]


def test_head_across_a_gate_is_judged_when_both_gauges_were_heard_anew():
    inside, outside = 11, 12
    rules = compile_rules(
        [inside, outside], [RuleSpec(id=1, series=inside, minus=outside, thresholds=(1.0, 2.0, None, None))]
    )
    readings = [(inside, 0, 3.0), (outside, 0, 2.5), (inside, 5, 4.0), (inside, 10, 5.0), (outside, 10, 2.9)]
    assert of(1, story(rules, readings)) == [(10, 0, 2)]
    assert of(1, story(rules, [(inside, 0, 9.0), (outside, 90, 1.0)])) == [], "an hour and a half lie between them"


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(0, 40), st.integers(0, 9)), max_size=40),
    st.lists(st.integers(0, 40), max_size=5),
)
def test_differences_do_not_depend_on_how_the_stream_is_cut(readings, cuts):
    rules = compile_rules([1, 2], [RuleSpec(id=5, series=1, minus=2, thresholds=(1.0, 3.0, None, 6.0)), plain(1)])
    edges = sorted({0, len(readings), *(min(cut, len(readings)) for cut in cuts)})
    state, parts = fresh(rules), [Transitions.none()]
    for begin, end in pairwise(edges):
        outcome = take(state, rules, readings[begin:end])
        state = outcome.state
        parts.append(outcome.transitions.shifted(begin))
    if readings:
        whole = take(fresh(rules), rules, readings)
        assert told(rules, Transitions.join(parts)) == told(rules, whole.transitions)
        assert Transitions.join(parts).row.tolist() == whole.transitions.row.tolist()
        assert state.last_value.tolist() == pytest.approx(whole.state.last_value.tolist(), nan_ok=True)


def test_a_latched_colour_stays_until_somebody_resets_it():
    """GB 31252: a fire alarm is held until it is reset by hand."""
    rules = compile_rules([WIND], [plain(WIND, latch=True)])
    outcome = take(fresh(rules), rules, [(WIND, 0, 6.5), (WIND, 5, 4.5)])
    assert told(rules, outcome.transitions) == [(WIND, 0, 0, 3)]
    undone = reset(outcome.state, rules, T0 + 6 * MINUTE, np.array([WIND]))
    assert told(rules, undone.transitions) == [(WIND, 6, 3, 1)], "what is met yet stays"
    gone = take(undone.state, rules, [(WIND, 7, 1.0)])
    assert told(rules, gone.transitions) == []
    assert told(rules, reset(gone.state, rules, T0 + 8 * MINUTE, np.array([WIND])).transitions) == [(WIND, 8, 1, 0)]
    assert not len(reset(fresh(rules), rules, T0, np.array([WIND])).transitions)


def everything() -> RuleSet:
    nodes = {1: {"k": 2, "of": [at(1, 1), at(2, 1), {"not": at(3, 2)}]}, 3: all_of(at(1, 2), at(2, 2))}
    return compile_rules(
        [1, 2, 3],
        [
            plain(1, hold_s=300),
            plain(2, clear_s=420, inhibited_by=3, inhibited_at=Level.YELLOW),
            plain(3, hysteresis=0.5),
            RuleSpec(id=6, series=1, silence_s=500),
            compound(nodes, span_min=7, hold_s=120, clear_s=60),
        ],
    )  # fmt: skip


streams = st.lists(
    st.tuples(st.sampled_from([1, 2, 3]), st.integers(0, 90), st.integers(0, 16).map(lambda n: n / 2)),
    min_size=1,
    max_size=40,
)


@settings(max_examples=120)
@given(streams, st.lists(st.integers(0, 40), max_size=8), st.booleans(), st.data())
def test_live_and_back_test_tell_the_same_to_the_last_bit(readings, cuts, snapshots, data):
    """Cut into batches, with ticks between, snapshots taken and loaded; or all at once and one tick at the end."""
    rules = everything()
    readings = sorted(readings, key=lambda each: each[1])
    whole = take(fresh(rules), rules, readings)
    expected = Transitions.join([whole.transitions, tick(whole.state, rules, T0 + 999 * MINUTE).transitions])
    state, parts, kept = fresh(rules), [], rules
    for begin, end in pairwise(sorted({0, len(readings), *(min(cut, len(readings)) for cut in cuts)})):
        outcome = take(state, kept, readings[begin:end])
        following = readings[end][1] if end < len(readings) else 999
        moment = T0 + int(data.draw(st.floats(readings[end - 1][1], following)) * MINUTE)
        passed = tick(outcome.state, kept, moment)
        parts += [outcome.transitions, passed.transitions]
        state = passed.state
        if snapshots:
            kept, state = load(dump(kept, state))
    parts.append(tick(state, kept, T0 + 999 * MINUTE).transitions)
    assert exactly(Transitions.join(parts)) == exactly(expected)


def exactly(found: Transitions) -> list[tuple[object, ...]]:
    columns = (found.rule, found.time_ms, found.value, found.old, found.new, found.peak, found.peak_ms)
    rows = [tuple(column[i].tobytes() for column in columns) for i in range(len(found))]
    return sorted(rows)


def test_a_moment_at_which_nothing_is_due_leaves_the_state_alone():
    rules = everything()
    state = take(fresh(rules), rules, [(1, 0, 1.0), (2, 0, 1.0)]).state
    state = tick(state, rules, T0 + MINUTE).state
    again = tick(state, rules, T0 + 2 * MINUTE)
    assert not again.moved
    assert dump(rules, again.state) == dump(rules, state)


def test_a_compound_that_is_new_finds_what_stands_already():
    old = compile_rules([WIND, RAIN, TIDE], [plain(WIND), plain(RAIN), plain(TIDE)])
    state = take(fresh(old), old, [(WIND, 0, 6.5), (RAIN, 1, 5.5), (TIDE, 2, 4.2)]).state
    new = three()
    found = tick(carry(state, old, new), new, T0 + 30 * MINUTE)
    assert [(rule, old, new) for rule, _m, old, new in told(new, found.transitions)] == [(BOTH, 0, 1)]
    same = carry(found.state, new, three())
    assert not tick(same, new, T0 + 40 * MINUTE).moved


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"aggregate": "trend", "window_s": 600}, "a trend needs a lead"),
        ({"lead_s": 600}, "a trend needs a lead"),
        ({"minus": 1}, "differs from itself"),
        ({"minus": 2, "aggregate": "mean", "window_s": 600}, "compared as it is"),
        ({"thresholds": (None,) * 4, "silence_s": 60, "latch": True}, "a silence has no"),
        ({"months": 0}, "never be awake"),
        ({"combines": {"span_ms": 0, "colours": {}}}, "a compound rule has no thresholds"),
        ({"thresholds": (None,) * 4, "combines": {"span_ms": 0, "colours": {}}}, "no condition"),
        (
            {"thresholds": (None,) * 4, "combines": {"span_ms": 0, "colours": {"1": {"not": at(2, 1)}}}},
            "blue: this holds",
        ),
        ({"inhibited_by": 1}, "cannot hold itself back"),
    ],
)
def test_what_contradicts_itself_is_refused(wrong, says):
    with pytest.raises(RuleError, match=says):
        compile_rules([1, 2], [plain(1, **wrong)])
