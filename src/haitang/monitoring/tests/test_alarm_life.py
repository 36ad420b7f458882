"""3.4.2, P4: the life of an alarm - active, acknowledged, cleared, closed - and what is impossible says what is not."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.accounts.actors import SYSTEM
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry
from haitang.monitoring import services
from haitang.monitoring.models import Alarm, AlarmState, Colour
from haitang.monitoring.models.alarms import MOVES
from haitang.monitoring.tests import factories as make
from haitang.spaces.clock import now

pytestmark = pytest.mark.django_db


@pytest.fixture
def district():
    return make.place()


@pytest.fixture
def officer(district):
    return make.user(Role.DUTY_OFFICER, make.organisation(district))


@pytest.fixture
def alarm(district):
    """A yellow alarm in an exercise."""
    rule = make.rule(make.series(make.station(make.place(parent=district))), hysteresis=0.1)
    make.send(make.exercise(), rule.series, (0, 5.5))
    return Alarm.objects.get()


def verbs(alarm):
    return list(
        Entry.objects.filter(thread=f"monitoring.alarm:{alarm.pk}").order_by("seq").values_list("verb", flat=True)
    )


def test_from_the_reading_to_the_archive(alarm, officer):
    services.acknowledge(alarm, by=officer, note="已通知水务")
    alarm.refresh_from_db()
    assert (alarm.state, alarm.acknowledged_by, alarm.acknowledged_at) == ("acknowledged", officer, now(alarm.space))
    make.send(alarm.space, alarm.series, (10, 3.0))
    alarm.refresh_from_db()
    assert (alarm.state, alarm.cleared_at) == ("cleared", now(alarm.space))
    services.close(alarm, by=officer)
    alarm.refresh_from_db()
    assert (alarm.state, alarm.is_open) == ("closed", False)
    assert verbs(alarm) == [f"monitoring.{verb}" for verb in ("raise", "acknowledge", "clear", "close")]
    told = Entry.objects.get(verb="monitoring.acknowledge")
    assert "已通知水务" in told.text_zh and "已通知水务" in told.text_en and told.actor == officer


def test_a_rise_asks_for_a_new_acknowledgement_and_a_fall_does_not(alarm, officer):
    services.acknowledge(alarm, by=officer)
    make.send(alarm.space, alarm.series, (1, 4.6))
    alarm.refresh_from_db()
    assert (alarm.colour, alarm.state) == ("blue", "acknowledged")
    make.send(alarm.space, alarm.series, (2, 6.5))
    alarm.refresh_from_db()
    assert (alarm.colour, alarm.peak_colour, alarm.threshold, alarm.state) == ("orange", "orange", 6.0, "active")
    services.acknowledge(alarm, by=officer)


ACTS = {
    "acknowledge": AlarmState.ACKNOWLEDGED,
    "close": AlarmState.CLOSED,
    "clear": AlarmState.CLEARED,
}


def act(name, alarm, officer):
    if name == "clear":
        return services.clear_alarm(alarm, value=1.0, at=now(alarm.space), by=SYSTEM)
    return getattr(services, name)(alarm, by=officer)


@pytest.mark.parametrize("state", AlarmState)
@pytest.mark.parametrize("name", ACTS)
def test_only_the_listed_moves_are_possible_and_a_refusal_names_them(alarm, officer, state, name):
    Alarm.objects.filter(pk=alarm.pk).update(state=state)
    alarm.refresh_from_db()
    before = verbs(alarm)
    if ACTS[name] in MOVES[state]:
        act(name, alarm, officer)
        alarm.refresh_from_db()
        assert alarm.state == ACTS[name]
        assert len(verbs(alarm)) == len(before) + 1
        return
    with pytest.raises(Refused) as refused:
        act(name, alarm, officer)
    for possible in MOVES[state]:
        assert str(possible.label) in str(refused.value)
    assert Alarm.objects.get(pk=alarm.pk).state == state
    assert verbs(alarm) == before


def test_every_state_can_be_reached_and_the_last_is_final():
    reached, fresh = set(), {AlarmState.ACTIVE}
    while fresh:
        reached |= fresh
        fresh = {to for state in fresh for to in MOVES[state]} - reached
    assert reached == set(AlarmState)
    assert not MOVES[AlarmState.CLOSED]


def test_remarks_and_assignment_are_on_record(alarm, officer):
    body = make.organisation(name_en="Water bureau")
    services.comment(alarm, text="  闸门已关  ", by=officer)
    services.assign(alarm, organisation=body, by=officer)
    alarm.refresh_from_db()
    assert alarm.assignee == body
    assert Entry.objects.get(verb="monitoring.comment").text_zh == "闸门已关"
    assert Entry.objects.get(verb="monitoring.assign").after == {"assignee": body.code}


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001])
def test_a_remark_says_something_and_not_too_much(alarm, officer, text):
    with pytest.raises(Refused):
        services.comment(alarm, text=text, by=officer)


def test_a_closed_alarm_is_not_assigned(alarm, officer):
    Alarm.objects.update(state=AlarmState.CLOSED)
    with pytest.raises(Refused):
        services.assign(alarm, organisation=make.organisation(), by=officer)


@pytest.mark.parametrize("role", [Role.GRID, Role.ENTERPRISE, Role.RESIDENT, Role.MACHINE, Role.ADMIN, Role.SOCIAL])
def test_whose_work_it_is_not_may_not_acknowledge(alarm, district, role):
    with pytest.raises(Forbidden):
        services.acknowledge(alarm, by=make.user(role, make.organisation(district)))


def test_a_township_acknowledges_its_own_alarms_and_no_others(alarm, district):
    own = make.user(Role.TOWNSHIP, make.organisation(alarm.place))
    other = make.user(Role.TOWNSHIP, make.organisation(make.place(parent=district)))
    for name in ("acknowledge", "close"):
        with pytest.raises(Forbidden):
            getattr(services, name)(alarm, by=other)
    with pytest.raises(Forbidden):
        services.comment(alarm, text="x", by=other)
    services.acknowledge(alarm, by=own)


def test_people_do_not_use_the_platforms_own_verbs(alarm, officer):
    with pytest.raises(Forbidden):
        services.open_alarm(alarm.rule, space=alarm.space, colour=Colour.RED, value=9, at=now(), by=officer)
    with pytest.raises(Forbidden):
        services.change_colour(alarm, colour=Colour.RED, value=9, at=now(), by=officer)
    with pytest.raises(Forbidden):
        services.clear_alarm(alarm, value=None, at=None, by=officer)


@settings(max_examples=12)
@given(st.lists(st.sampled_from([0.0, 4.2, 4.6, 5.2, 6.3, 7.5]), min_size=1, max_size=12))
def test_at_most_one_episode_at_a_time_and_each_ends_before_the_next(values):
    """Whatever the water does: episodes do not overlap, a cleared one has an end, the peak is the greatest value."""
    space, rule = make.exercise(), make.rule(hysteresis=0.3)
    make.send(space, rule.series, *enumerate(values))
    episodes = list(Alarm.objects.filter(space=space, rule=rule).order_by("opened_at"))
    for before, after in pairwise(episodes):
        assert before.cleared_at <= after.opened_at
    assert all(episode.cleared_at is None for episode in episodes[-1:] if episode.is_open)
    if episodes:
        assert max(episode.peak_value for episode in episodes) == max(values)
    assert bool(episodes) == any(value >= 4.0 for value in values)


def test_machines_do_the_same_by_the_api(client, alarm, officer):
    _token, header = make.token(alarm.space, rights=("read",), user=officer)
    url = f"/api/v1/monitoring/alarms/{alarm.pk}"

    def post(name, body):
        return client.post(f"{url}/{name}", json.dumps(body), content_type="application/json", headers=header)

    assert client.get(url, headers=header).json()["state"] == "active"
    assert post("close", {}).status_code == 409
    assert post("acknowledge", {"note": "ok"}).json()["state"] == "acknowledged"
    assert post("comment", {"text": "watching"}).status_code == 200
    assert post("comment", {"text": ""}).status_code == 422
    assert post("assign", {"organisation": "NOBODY"}).status_code == 404
    assert post("assign", {"organisation": make.organisation(code="WB").code}).status_code == 200
    make.send(alarm.space, alarm.series, (10, 3.0))
    assert post("close", {"note": "done"}).json()["state"] == "closed"
    assert [
        row["id"] for row in client.get("/api/v1/monitoring/alarms?state=closed", headers=header).json()["items"]
    ] == [alarm.pk]
