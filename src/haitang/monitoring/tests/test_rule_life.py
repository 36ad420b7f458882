"""P4: rules are written as text, tried, made live and changed without others losing their state; latch, compound, gate."""

from __future__ import annotations

import pytest

from haitang.accounts.actors import SYSTEM
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry
from haitang.monitoring import engine, rule_network, rule_text, services
from haitang.monitoring.models import Alarm, Rule
from haitang.monitoring.rule_text import RuleTextError
from haitang.monitoring.tests import factories as make

pytestmark = pytest.mark.django_db


def write(text: str, by=SYSTEM) -> Rule:
    return services.write_rule(rule_text.parse(text)[0], by=by)


def pass_time(space, minute: float) -> None:
    make.step(space, minute)
    engine.let_time_pass(space)


def alarms(space) -> list[tuple[str, str, str]]:
    rows = Alarm.objects.filter(space=space).order_by("opened_at", "pk").select_related("rule")
    return [(alarm.rule.code, alarm.colour, alarm.state) for alarm in rows]


def test_a_duration_ends_without_a_new_message_and_after_a_restart():
    space, series = make.exercise(), make.series()
    rule = make.rule(series, hold_s=600)
    make.send(space, series, (0, 4.5))
    assert alarms(space) == []
    engine.checkpoint(space)
    engine.forget()
    pass_time(space, 11)
    assert alarms(space) == [(rule.code, "blue", "active")]
    assert Alarm.objects.get().opened_at == make.T0.replace(minute=10)


def test_an_alarm_that_ends_and_begins_anew_within_one_batch_is_two_alarms():
    space, series = make.exercise(), make.series()
    rule = make.rule(series)
    make.send(space, series, (0, 4.5))
    make.send(space, series, (1, 1.0), (2, 4.5))
    assert alarms(space) == [(rule.code, "blue", "cleared"), (rule.code, "blue", "active")]


def test_three_that_meet_open_one_alarm_and_a_restart_does_not_open_it_again():
    space, town = make.exercise(), make.place(parent=make.place())
    wind, rain, tide = (
        make.rule(make.series(make.station(town), quantity=quantity))
        for quantity in ("wind_gust", "rain", "tide_level")
    )
    rule = write(
        f"""[[rule]]
        code = "three"
        series = "{tide.series.code}"
        name = "三碰头"
        [rule.when]
        span = "1 h"
        all = [{{rule = "{wind.code}"}}, {{quantity = "rain", within = "township"}}, {{rule = "{tide.code}"}}]
        """
    )
    make.send(space, wind.series, (0, 6.5))
    make.send(space, rain.series, (5, 5.5))
    make.send(space, tide.series, (9, 4.5))
    assert ("three", "blue", "active") not in alarms(space), "it waits for the clock"
    engine.forget()
    pass_time(space, 10)
    assert ("three", "blue", "active") in alarms(space)
    found = Alarm.objects.get(rule=rule)
    assert (found.kind, found.unit, found.first_value, found.what_zh) == ("compound", "", 3.0, "三碰头")
    engine.checkpoint(space)
    engine.forget()
    pass_time(space, 11)
    make.send(space, tide.series, (12, 1.0))
    pass_time(space, 30)
    assert ("three", "blue", "active") in alarms(space), "the tide met the others within the hour"
    pass_time(space, 80)
    assert ("three", "blue", "cleared") in alarms(space)


def test_a_rule_that_is_held_back_opens_no_alarm_until_the_other_ends():
    space, series, outage = make.exercise(), make.series(), make.series()
    first = make.rule(outage)
    write(f'[[rule]]\ncode = "b"\nseries = "{series.code}"\nblue = 4\ninhibited_by = "{first.code}"')
    make.send(space, outage, (0, 4.5))
    make.send(space, series, (1, 4.5))
    pass_time(space, 2)
    assert alarms(space) == [(first.code, "blue", "active")]
    make.send(space, outage, (3, 0.0))
    pass_time(space, 4)
    assert alarms(space) == [(first.code, "blue", "cleared"), ("b", "blue", "active")]


def test_the_head_across_a_gate_is_watched():
    space, inside, outside = make.exercise(), make.series(), make.series()
    write(f'[[rule]]\ncode = "head"\nseries = "{inside.code}"\nminus = "{outside.code}"\nblue = 1\nred = 2')
    make.send(space, inside, (0, 4.0))
    make.send(space, outside, (0, 2.8))
    assert alarms(space) == [("head", "blue", "active")]
    engine.checkpoint(space)
    engine.forget()
    make.send(space, outside, (5, 3.9))
    make.send(space, inside, (5, 4.0))
    assert alarms(space) == [("head", "blue", "cleared")]


def test_a_latched_alarm_is_reset_by_hand_and_the_reset_survives_a_restart():
    """GB 31252."""
    space, series = make.exercise(), make.series()
    officer = make.user(organisation=make.organisation(make.place()))
    rule = make.rule(series, latch=True)
    make.send(space, series, (0, 4.5), (1, 1.0))
    alarm = Alarm.objects.get()
    assert alarm.is_open
    services.reset_alarm(alarm, by=officer)
    assert alarm.state == "cleared"
    assert Entry.objects.filter(verb="monitoring.reset", subject_id=str(alarm.pk)).count() == 1
    engine.forget()
    make.send(space, series, (2, 1.0))
    assert alarms(space) == [(rule.code, "blue", "cleared")]
    with pytest.raises(Refused):
        services.reset_alarm(alarm, by=officer)


def test_a_new_rule_takes_effect_and_the_others_keep_their_state():
    space, series = make.exercise(), make.series()
    rule = make.rule(series, hold_s=600)
    make.send(space, series, (0, 4.5))
    write(f'[[rule]]\ncode = "more"\nseries = "{series.code}"\nblue = 9')
    make.send(space, series, (10, 4.5))
    assert alarms(space) == [(rule.code, "blue", "active")], "its ten minutes ran on"


def test_a_department_writes_drafts_and_an_officer_makes_them_live():
    place = make.place()
    office = make.organisation(place)
    series, space = make.series(make.station(place)), make.exercise()
    keeper, officer = make.user(Role.DEPARTMENT, office), make.user(Role.DUTY_OFFICER, office)
    text = f'[[rule]]\ncode = "d"\nseries = "{series.code}"\nblue = 4\n'
    with pytest.raises(Refused):
        write(text, keeper)
    rule = write(text + "draft = true", keeper)
    make.send(space, series, (0, 5.0))
    assert alarms(space) == []
    with pytest.raises(Forbidden):
        services.publish_rule(rule, by=keeper)
    services.publish_rule(rule, by=officer)
    make.send(space, series, (1, 5.0))
    assert alarms(space) == [("d", "blue", "active")]
    with pytest.raises(Refused):
        write(text + "draft = true", keeper)
    services.withdraw_rule(Rule.objects.get(code="d"), by=officer)
    make.send(space, series, (2, 5.0))
    assert alarms(space) == [("d", "blue", "cleared")]
    verbs = Entry.objects.filter(subject_type="monitoring.rule").order_by("seq").values_list("verb", flat=True)
    assert list(verbs) == ["monitoring.register_rule", "monitoring.publish_rule", "monitoring.withdraw_rule"]


def test_each_change_of_a_rule_is_another_version():
    series = make.series()
    text = f'[[rule]]\ncode = "v"\nseries = "{series.code}"\nblue = 4\n'
    assert [write(text).version, write(text).version, write(text + "red = 9").version] == [1, 1, 2]


def test_a_person_uses_only_series_in_reach():
    here, there = make.place(), make.place()
    keeper = make.user(Role.DEPARTMENT, make.organisation(here))
    series = make.series(make.station(there))
    with pytest.raises(RuleTextError) as error:
        write(f'[[rule]]\ncode = "x"\nseries = "{series.code}"\nblue = 4\ndraft = true', keeper)
    assert (error.value.key, error.value.value) == ("series", series.code)


def test_test_cases_are_run_before_a_rule_is_taken():
    series = make.series()
    text = f"""[[rule]]
    code = "t"
    series = "{series.code}"
    blue = 4
    hold = "10 min"
    [[rule.test]]
    name = "ten minutes"
    readings = [["0:00", 4.5], ["0:05", 4.5]]
    expect = [["0:10", "blue"]]
    """
    assert [trial.passed for trial in rule_network.trials(write(text))] == [True]
    with pytest.raises(RuleTextError, match="does not do what is expected"):
        write(text.replace('"0:10", "blue"', '"0:10", "red"'))


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ('all = [{rule = "nobody"}]', "no live rule about readings has this code"),
        ('any = [{quantity = "rain", k = 3}]', "only 1 stations"),
    ],
)
def test_a_condition_that_finds_nothing_is_refused(when, says):
    rain = make.rule(make.series(quantity="rain"))
    with pytest.raises(RuleTextError, match=says):
        write(f'[[rule]]\ncode = "c"\nseries = "{rain.series.code}"\n[rule.when]\n{when}')


def test_stations_within_a_radius_are_counted_together():
    near, far = make.station(), make.station(geometry=None)
    a, b = make.rule(make.series(near, quantity="rain")), make.rule(make.series(make.station(), quantity="rain"))
    make.rule(make.series(far, quantity="rain"))
    found = rule_network.resolve(
        {"span_s": 0, "colours": {"red": {"quantity": "rain", "k": 2, "within": "3 km"}}}, rule_network.all_members()
    )
    assert found["colours"]["4"]["groups"][0] == [[a.pk], [b.pk]]
