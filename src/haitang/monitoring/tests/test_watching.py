"""3.4.2: chains tell what to watch for before it happens; it is confirmed by an alarm or a person, or it expires."""

from __future__ import annotations

from datetime import timedelta

import pytest

from haitang.accounts.actors import SYSTEM
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry
from haitang.monitoring import services
from haitang.monitoring.models import Alarm, Chain, WatchItem
from haitang.monitoring.services import watching
from haitang.monitoring.tests import factories as make
from haitang.spaces.clock import now

pytestmark = pytest.mark.django_db

BODY = {
    "code": "rain", "name_zh": "暴雨链",
    "node": [
        {"id": "rain", "name_zh": "暴雨", "name_en": "Rainstorm", "signs": [{"quantity": "rain"}]},
        {"id": "water", "name_zh": "积水", "name_en": "Waterlogging", "signs": [{"quantity": "water_depth"}], "watch_from": 0.4},
        {"id": "outage", "name_zh": "停电", "name_en": "Outage", "kind": "impact", "watch_from": 0.4, "colour": "orange", "do_zh": "备好发电车"},
    ],
    "edge": [
        {"from": "rain", "to": "water", "probability": 0.8, "lag_h": [1, 3]},
        {"from": "water", "to": "outage", "probability": 0.6, "lag_h": [1, 2]},
    ],
}  # fmt: skip


@pytest.fixture
def town():
    return make.place(parent=make.place())


@pytest.fixture
def rule(town):
    return make.rule(make.series(make.station(town), quantity="rain"), blue=10.0, yellow=20.0, orange=30.0, red=40.0)


@pytest.fixture
def depth(town):
    return make.rule(
        make.series(make.station(town), quantity="water_depth"), blue=0.1, yellow=0.2, orange=None, red=None
    )


@pytest.fixture
def chain():
    return services.register_chain(code="rain", name_zh="暴雨链", body=BODY, by=SYSTEM)


def states():
    return dict(WatchItem.objects.order_by("pk").values_list("node", "state"))


def test_what_may_follow_is_watched_for_before_it_happens_and_an_alarm_confirms_it(chain, rule, depth, town):
    space = make.exercise()
    assert services.look_ahead(space) == 0
    make.send(space, rule.series, (0, 45.0))
    assert services.look_ahead(space) == 2
    water = WatchItem.objects.get(node="water")
    assert (water.place, water.path, water.edges, water.cause.rule) == (town, ["rain", "water"], ["rain>water"], rule)
    assert water.probability == pytest.approx(0.8, abs=0.03)
    assert timedelta(minutes=45) < water.from_at - now(space) < timedelta(minutes=75)
    assert states() == {"water": "open", "outage": "open"}
    assert services.look_ahead(space) == 0, "the same evidence begins nothing twice"
    make.send(space, depth.series, (90, 0.15))
    assert services.look_ahead(space) == 1
    assert states() == {"water": "confirmed", "outage": "open"}
    told = WatchItem.objects.get(node="water")
    assert told.confirmed_by == Alarm.objects.get(rule=depth)
    assert WatchItem.objects.get(node="outage").probability == pytest.approx(0.6, abs=0.03)
    assert watching.present(space, chain).tally == {"rain>water": (1, 0)}
    assert watching.present(space, chain).probabilities["rain>water"] == pytest.approx(9 / 11)


def test_what_does_not_come_expires_and_is_not_expected_again_from_the_same_cause(chain, rule, depth):
    space = make.exercise()
    make.send(space, rule.series, (0, 45.0))
    services.look_ahead(space)
    make.step(space, 60 * 8)
    services.look_ahead(space)
    assert states() == {"water": "expired", "outage": "expired"}
    make.step(space, 60 * 9)
    assert services.look_ahead(space) == 0 and WatchItem.objects.count() == 2
    assert Entry.objects.filter(verb="monitoring.expire_expected").count() == 2


def test_a_person_says_that_it_has_come_or_puts_it_away(chain, rule, depth, town):
    space = make.exercise()
    make.send(space, rule.series, (0, 45.0))
    services.look_ahead(space)
    officer = make.user(Role.DUTY_OFFICER, make.organisation(town.parent))
    stranger = make.user(Role.TOWNSHIP, make.organisation(make.place(parent=town.parent)))
    water, outage = WatchItem.objects.get(node="water"), WatchItem.objects.get(node="outage")
    with pytest.raises(Forbidden):
        services.settle(water, came=True, by=stranger)
    services.settle(water, came=True, note="电话报告", by=officer)
    services.settle(outage, came=False, by=officer)
    with pytest.raises(Refused):
        services.settle(water, came=False, by=officer)
    assert states() == {"water": "confirmed", "outage": "closed"}
    # What a person saw is evidence: it is not expected any more, and what follows it is.
    here = watching.present(space, chain)
    assert set(here.seen) == {"rain", "water"} and [each.node for each in here.outlooks] == ["outage"]


def test_two_townships_are_the_district(chain, rule, depth, town):
    space = make.exercise()
    other = make.rule(
        make.series(make.station(make.place(parent=town.parent)), quantity="rain"),
        blue=10.0,
        yellow=20.0,
        orange=30.0,
        red=40.0,
    )
    make.send(space, rule.series, (0, 45.0))
    make.send(space, other.series, (1, 45.0))
    services.look_ahead(space)
    assert WatchItem.objects.get(node="water").place == town.parent


def test_one_world_does_not_watch_for_another_and_no_chain_costs_nothing(chain, rule, django_assert_num_queries):
    make.send(make.exercise(), rule.series, (0, 45.0))
    assert services.look_ahead(make.exercise()) == 0
    Chain.objects.update(is_active=False)
    space = make.exercise()
    with django_assert_num_queries(1):
        services.look_ahead(space)
