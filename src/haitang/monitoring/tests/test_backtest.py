"""P4: a rule tried on history says what it would have said live, to the last bit; hits, misses, false alarms, lead time."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.accounts.actors import SYSTEM
from haitang.monitoring import backtest, engine, rule_history, rule_text, services
from haitang.monitoring.alarms import at
from haitang.monitoring.backtest import Episode, score
from haitang.monitoring.models import Alarm, Rule
from haitang.monitoring.rules import RuleSpec
from haitang.monitoring.tests import factories as make

HOUR = 3_600_000


def episode(start: float, end: float | None, level: int = 1) -> Episode:
    return Episode(round(start * HOUR), None if end is None else round(end * HOUR), level, 1.0, 1.0, 0)


def test_events_are_hit_missed_or_warned_of_for_nothing():
    alarms = [episode(1, 2), episode(8, 12), episode(30, None)]
    found = score(alarms, [(10 * HOUR, 11 * HOUR), (20 * HOUR, 21 * HOUR)], 3 * HOUR, 40 * HOUR)
    assert (found.hits, found.misses, found.false_alarms, found.lead_s) == (1, 1, 2, 7200.0)
    assert (found.detected, found.false_share, found.success) == (0.5, pytest.approx(2 / 3), 0.25)


def test_an_alarm_that_ended_long_before_its_event_does_not_count():
    assert score([episode(1, 2)], [(10 * HOUR, 11 * HOUR)], 3 * HOUR, 40 * HOUR).hits == 0
    assert score([episode(1, 2)], [(10 * HOUR, 11 * HOUR)], 9 * HOUR, 40 * HOUR).hits == 1
    assert score([episode(12, 13)], [(10 * HOUR, 14 * HOUR)], 0, 40 * HOUR).leads_s == (-7200.0,)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 16)), max_size=60), st.integers(1, 7))
def test_how_the_history_is_cut_changes_nothing(readings, chunk):
    spec = RuleSpec(id=1, series=1, thresholds=(4.0, 6.0, None, 8.0), hold_s=120, clear_s=60)
    series = np.ones(len(readings), np.int64)
    time = np.array([t * 60_000 for t, _ in readings], np.int64)
    value = np.array([v / 2 for _, v in readings], np.float64)
    whole = backtest.replay([spec], series, time, value, 10 * 86_400_000).episodes(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest, "CHUNK", chunk)
        assert backtest.replay([spec], series, time, value, 10 * 86_400_000).episodes(1) == whole


LANGUAGE = """
[[rule]]
code = "level"
series = "A"
blue = 4
yellow = 5
hysteresis = 0.2
hold = "5 min"
clear = "7 min"
lower = "3 min"

[[rule]]
code = "rain"
series = "B"
compare = "sum"
window = "10 min"
blue = 8
red = 12

[[rule]]
code = "rise"
series = "A"
compare = "rate"
window = "30 min"
blue = 3

[[rule]]
code = "ahead"
series = "A"
compare = "trend"
window = "30 min"
outlook = "1 h"
damping = "2 h"
blue = 6

[[rule]]
code = "head"
series = "A"
minus = "B"
blue = 1
latch = true

[[rule]]
code = "quiet"
series = "B"
silence = "15 min"
inhibited_by = "level"

[[rule]]
code = "both"
series = "A"
hold = "2 min"
[rule.when]
span = "9 min"
blue = {all = [{rule = "level"}, {rule = "rain"}]}
red = {all = [{rule = "level", at = "yellow"}, {any = [{rule = "rain", at = "red"}, {rule = "rise"}]}]}
"""


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, 2])
def test_live_replayed_and_tried_on_history_say_the_same_to_the_last_bit(seed):
    """Live: batches, ticks between, restarts and snapshots; the store afterwards, judged at once, tells the same alarms."""
    series = {code: make.series(code=code) for code in "AB"}
    for fields in rule_text.parse(LANGUAGE):
        services.write_rule(fields, by=SYSTEM)
    space, dice = make.exercise(), np.random.default_rng(seed)
    for minute in sorted(dice.choice(240, 36, replace=False).tolist()):
        for code in "AB"[: int(dice.integers(1, 3))]:
            make.send(space, series[code], (minute, int(dice.integers(0, 17)) / 2))
        act = int(dice.integers(0, 5))
        if act == 0:
            engine.let_time_pass(space)
        elif act == 1:
            engine.forget()
        elif act == 2:
            engine.checkpoint(space)
    end = 400
    make.step(space, end)
    engine.let_time_pass(space)
    assert Alarm.objects.filter(space=space).count() > 10
    for rule in Rule.objects.order_by("pk"):
        report = rule_history.run(space, rule, make.T0, make.T0 + timedelta(minutes=end))
        live = Alarm.objects.filter(space=space, rule=rule).order_by("opened_at", "pk")
        assert [
            (each.opened, each.ended, each.colour, each.first, each.peak, each.peak_at) for each in report.episodes
        ] == [
            (alarm.opened_at, alarm.cleared_at, alarm.peak_colour, alarm.first_value, alarm.peak_value, alarm.peak_at)
            for alarm in live
        ], rule.code


@pytest.mark.django_db
def test_a_draft_is_held_against_another_rules_alarms_and_opens_none():
    space, series = make.exercise(), make.series()
    make.rule(series, code="truth", blue=6, yellow=None, orange=None, red=None)
    make.send(space, series, *[(minute, value) for minute, value in enumerate([1, 5, 7, 1, 1, 1, 5, 1])])
    draft = services.write_rule(
        rule_text.parse(f'[[rule]]\ncode = "d"\nseries = "{series.code}"\nblue = 4\ndraft = true')[0], by=SYSTEM
    )
    report = rule_history.run(
        space, draft, make.T0, make.T0 + timedelta(hours=1), against=Rule.objects.get(code="truth"), reach_s=0
    )
    assert [(each.opened, each.useful) for each in report.episodes] == [
        (at((make.T0_S + 60) * 1000), True), (at((make.T0_S + 360) * 1000), False),
    ]  # fmt: skip
    assert report.score is not None
    assert (report.score.hits, report.score.false_alarms, report.score.lead_s) == (1, 1, 60.0)
    assert not Alarm.objects.filter(rule=draft).exists()
