"""3.4.4, P4: stations and alarms on the map, now and at the moment of the slider; stations in the search; the cards."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import RequestFactory

from haitang.accounts.roles import Role
from haitang.frame import DESK, PHONE, WALL
from haitang.geo.catalogue import LAYERS, SEARCH_SOURCES, Look
from haitang.monitoring.layers import _alarm, _station
from haitang.monitoring.models import Alarm
from haitang.monitoring.tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    """An alarm from minute 10 (orange at 20) to minute 40 at a station of one township; another station is quiet."""
    district = make.place()
    east, west = make.place(parent=district), make.place(parent=district)
    rule = make.rule(make.series(make.station(east, code="E", name_zh="东站")), hysteresis=0.1)
    quiet = make.series(make.station(west, code="W", name_zh="西站"))
    space = make.exercise()
    make.send(space, quiet, (5, 1.0))
    for minute, value in [(0, 3.0), (10, 4.5), (20, 6.5), (30, 4.5), (40, 3.0), (50, 2.5)]:
        make.send(space, rule.series, (minute, value))
    officer = make.user(Role.DUTY_OFFICER, make.organisation(district))
    return space, officer, {"east": east, "west": west}


def look(space, user, minute=None) -> Look:
    moment = make.T0 + timedelta(minutes=50 if minute is None else minute)
    return Look(user=user, space=space, at=moment, is_past=minute is not None)


@pytest.mark.parametrize(
    ("minute", "colours", "level"),
    [
        (0, {}, "3 m"),
        (12, {"E": "blue"}, "4.5 m"),
        (25, {"E": "orange"}, "6.5 m"),
        (45, {}, "3 m"),
        (None, {}, "2.5 m"),
    ],
)
def test_stations_show_the_reading_and_colour_of_the_moment(world, minute, colours, level):
    space, officer, _ = world
    layer = LAYERS["monitoring.stations"]
    view = look(space, officer, minute)
    rows = list(layer.at(view))
    told = layer.extra(view, [row.pk for row in rows])
    assert {row.code: told[row.pk]["colour"] for row in rows if told[row.pk]["colour"]} == colours
    east = next(told[row.pk] for row in rows if row.code == "E")
    assert level in east["subtitle"]


@pytest.mark.parametrize(("minute", "number"), [(5, 0), (10, 1), (39, 1), (40, 0), (None, 0)])
def test_alarms_stand_on_the_map_from_their_opening_to_their_end(world, minute, number):
    space, officer, _ = world
    assert LAYERS["monitoring.alarms"].at(look(space, officer, minute)).count() == number


@pytest.mark.parametrize(("minute", "colour"), [(12, "blue"), (25, "orange"), (35, "blue")])
def test_the_slider_shows_the_colour_of_its_moment(world, minute, colour):
    space, officer, _ = world
    layer, alarm = LAYERS["monitoring.alarms"], Alarm.objects.get()
    assert layer.extra(look(space, officer, minute), [alarm.pk]) == {alarm.pk: {"colour": colour}}


def test_the_map_shows_only_what_is_in_reach(world):
    space, _, places = world
    stranger = make.user(Role.TOWNSHIP, make.organisation(places["west"]))
    for name, own in (("stations", ["W"]), ("alarms", [])):
        layer = LAYERS[f"monitoring.{name}"]
        found = layer.at(look(space, stranger, 25))
        assert sorted(getattr(row, "code", "alarm") for row in found) == own
    assert not LAYERS["monitoring.alarms"].at(look(make.exercise(), world[1], 25)).exists()


def test_features_speak(world):
    alarm = Alarm.objects.get()
    told = _alarm({"colour": "orange", "what": "潮位", "peak": 6.5, "unit": "m", "pk": alarm.pk, "demo": True})
    assert told == {
        "colour": "orange", "subtitle": "潮位 6.5 m · 橙色", "url": alarm.get_absolute_url(), "simulated": True,
        "size": 1.45,
    }  # fmt: skip
    told = _station({"kind": "tide", "pk": alarm.station_id, "demo": False, "approximate": True})
    assert told["kind_label"] == "潮位站" and "概略" in str(told["text"]) and told["simulated"] is False


def test_a_station_is_found_by_name_in_reach(world):
    space, officer, places = world
    search = SEARCH_SOURCES["monitoring.stations"].search
    assert [hit.title for hit in search(look(space, officer), "东站", 5)] == ["东站"]
    stranger = make.user(Role.TOWNSHIP, make.organisation(places["west"]))
    assert list(search(look(space, stranger), "东站", 5)) == []


def request(space, user):
    made = RequestFactory().get("/")
    made.user, made.space = user, space
    return made


def test_cards_show_what_stands_red_on_top(world):
    space, officer, places = world
    assert PHONE["monitoring.alarms"].show(request(space, officer)) is None
    assert DESK["monitoring.alarms"].show(request(space, officer)).colour == ""
    for number in range(12):
        town = make.place(parent=places["west"].parent)
        rule = make.rule(make.series(make.station(town, code=f"N{number:02}")))
        make.send(space, rule.series, (60 + number, 7.5 if number == 5 else 4.5))
    card = DESK["monitoring.alarms"].show(request(space, officer))
    assert (card.colour, len(card.context["groups"]), card.context["more"]) == ("red", 8, 4)
    assert card.context["groups"][0].alarm.station.code == "N05"
    assert WALL["monitoring.alarms"].show(request(space, officer)).context["total"] == 12
    assert len(PHONE["monitoring.alarms"].show(request(space, officer)).context["alarms"]) == 3


def test_cards_ask_few_questions(world, django_assert_max_num_queries):
    space, officer, places = world
    for number in range(12):
        town = make.place(parent=places["west"].parent)
        make.send(space, make.rule(make.series(make.station(town, code=f"N{number:02}"))).series, (60 + number, 4.5))
    for shelf, most in ((DESK, 4), (WALL, 3), (PHONE, 3)):
        with django_assert_max_num_queries(most):
            context = shelf["monitoring.alarms"].show(request(space, officer)).context
            shown = context.get("alarms") or [group.alarm for group in context["groups"]]
            [str(alarm.station) + str(alarm.place) for alarm in shown]
            [str(group.episode) for group in context.get("groups", ())]
