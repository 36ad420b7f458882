"""3.4.2: an alarm is shelved and comes back, given to somebody, grouped with its event; a field report is not another alarm."""

from __future__ import annotations

from datetime import timedelta

import pytest

from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry
from haitang.monitoring import due, services
from haitang.monitoring.models import Alarm, Episode
from haitang.monitoring.services import shelf
from haitang.monitoring.tests import factories as make
from haitang.obligations import services as obligations
from haitang.spaces.clock import now

pytestmark = pytest.mark.django_db


@pytest.fixture
def district():
    return make.place()


@pytest.fixture
def officer(district):
    return make.user(Role.DUTY_OFFICER, make.organisation(district))


@pytest.fixture
def town(district):
    return make.place(parent=district)


@pytest.fixture
def alarm(town):
    rule = make.rule(make.series(make.station(town)), hysteresis=0.1)
    make.send(make.exercise(), rule.series, (0, 5.5))
    return Alarm.objects.get()


def test_a_shelved_alarm_comes_back_by_itself(alarm, officer):
    moment = now(alarm.space)
    services.shelve(alarm, until=moment + timedelta(hours=2), reason="传感器检修", by=officer)
    alarm.refresh_from_db()
    assert alarm.is_shelved and alarm.is_open and alarm.shelved_by == officer
    make.step(alarm.space, 119)
    assert shelf.return_due(alarm.space) == 0
    make.step(alarm.space, 120)
    assert due.attend(alarm.space) == 1 and due.attend(alarm.space) == 0
    alarm.refresh_from_db()
    assert (alarm.shelved_until, alarm.shelf_reason, alarm.shelved_by) == (None, "", None)
    told = Entry.objects.filter(thread=f"monitoring.alarm:{alarm.pk}").order_by("seq").values_list("verb", flat=True)
    assert list(told) == ["monitoring.raise", "monitoring.shelve", "monitoring.unshelve"]


def test_a_rise_and_the_end_bring_it_back_at_once(alarm, officer):
    until = now(alarm.space) + timedelta(hours=2)
    services.shelve(alarm, until=until, reason="检修", by=officer)
    make.send(alarm.space, alarm.series, (1, 6.5))
    alarm.refresh_from_db()
    assert not alarm.is_shelved
    services.shelve(alarm, until=until, reason="检修", by=officer)
    make.send(alarm.space, alarm.series, (2, 1.0))
    alarm.refresh_from_db()
    assert (alarm.state, alarm.is_shelved) == ("cleared", False)
    with pytest.raises(Refused, match=r"[Oo]nly|只有"):
        services.shelve(alarm, until=until, reason="检修", by=officer)


@pytest.mark.parametrize(("hours", "reason"), [(2, "  "), (0, "检修"), (25, "检修")])
def test_the_shelf_asks_for_a_reason_and_an_end(alarm, officer, hours, reason):
    with pytest.raises(Refused):
        services.shelve(alarm, until=now(alarm.space) + timedelta(hours=hours), reason=reason, by=officer)


def test_nobody_shelves_what_he_does_not_see(alarm, district):
    stranger = make.user(Role.TOWNSHIP, make.organisation(make.place(parent=district)))
    with pytest.raises(Forbidden):
        services.shelve(alarm, until=now(alarm.space) + timedelta(hours=1), reason="x", by=stranger)


def test_what_must_be_done_is_an_obligation_until_the_alarm_is_closed(alarm, officer, town):
    body = make.organisation(town)
    person = make.user(Role.TOWNSHIP, body)
    services.assign(
        alarm,
        organisation=body,
        person=person,
        task="到现场查看闸门",
        due_at=now(alarm.space) + timedelta(hours=1),
        by=officer,
    )
    (asked,) = obligations.for_subject(alarm)
    alarm.refresh_from_db()
    assert (asked.kind, asked.owner, asked.person, alarm.person) == ("monitoring.handle", body, person, person)
    make.send(alarm.space, alarm.series, (10, 1.0))
    alarm.refresh_from_db()
    services.close(alarm, by=officer)
    asked.refresh_from_db()
    assert asked.state == "withdrawn"
    with pytest.raises(Refused):
        services.assign(alarm, organisation=body, person=officer, by=officer)


def test_one_storm_is_one_event_in_a_township_and_a_new_highest_colour_is_a_new_line(town, officer, district):
    space = make.exercise()
    rules = [make.rule(make.series(make.station(town))) for _ in range(5)]
    for number, each in enumerate(rules):
        make.send(space, each.series, (number, 4.5))
    episode = Episode.objects.get()
    assert (episode.hazard, episode.place, episode.alarm_count, episode.peak_colour) == ("surge", town, 5, "blue")
    make.send(space, rules[3].series, (10, 6.5))
    make.send(space, rules[4].series, (11, 6.6))
    episode.refresh_from_db()
    assert episode.peak_colour == "orange"
    assert Entry.objects.filter(verb="monitoring.event_rise", thread=f"monitoring.episode:{episode.pk}").count() == 1
    elsewhere = make.rule(make.series(make.station(make.place(parent=district))))
    make.send(space, elsewhere.series, (12, 4.5))
    other = make.rule(make.series(make.station(town), quantity="rain"), blue=10.0, yellow=None, orange=None, red=None)
    make.send(space, other.series, (13, 20.0))
    assert Episode.objects.count() == 3
    assert services.acknowledge_all(Alarm.objects.filter(episode=episode), by=officer) == 5
    assert services.acknowledge_all(Alarm.objects.filter(episode=episode), by=officer) == 0


def test_an_event_ends_some_hours_after_its_last_alarm(town):
    space = make.exercise()
    rule = make.rule(make.series(make.station(town)))
    make.send(space, rule.series, (0, 4.5), (60, 1.0), (300, 4.5), (301, 1.0))
    assert Episode.objects.get().alarm_count == 2
    make.send(space, rule.series, (900, 4.5))
    assert Episode.objects.count() == 2
    # As long as an alarm stands the event goes on.
    make.send(space, make.rule(make.series(make.station(town))).series, (2000, 4.5))
    assert Episode.objects.count() == 2


def test_a_report_from_the_field_belongs_to_the_event_that_is_under_way(alarm, officer, town):
    village = make.place(parent=town, level="village")
    found = services.near(alarm.space, "surge", village, now(alarm.space))
    assert found == alarm.episode
    assert services.near(alarm.space, "gas", village, now(alarm.space)) is None
    grid = make.user(Role.GRID, make.organisation(town, kind="village"))
    services.report(found, text="江堤外滩地已淹没", source="网格员", by=grid)
    found.refresh_from_db()
    assert (found.report_count, found.alarm_count) == (1, 1)
    stranger = make.user(Role.TOWNSHIP, make.organisation(make.place(parent=town.parent)))
    with pytest.raises(Forbidden):
        services.report(found, text="x", by=stranger)
    with pytest.raises(Refused):
        services.report(found, text=" ", by=grid)
