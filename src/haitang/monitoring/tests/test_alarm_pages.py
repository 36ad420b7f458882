"""3.4.1, 3.4.2: the alarm list with search, filter, order, export and bulk; events, impact, chains and blind spots on screen."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
import shapely
from django.core.exceptions import ValidationError
from django.urls import reverse

from haitang.accounts.actors import SYSTEM
from haitang.accounts.roles import Role
from haitang.geo.catalogue import LAYERS, Look
from haitang.geo.models import PlaceShape
from haitang.monitoring import due, services, surroundings, unwatched
from haitang.monitoring.models import Alarm, Episode, Equipment, StationKind, VideoPoint, WatchItem
from haitang.monitoring.tests import factories as make
from haitang.monitoring.tests.test_watching import BODY
from haitang.obligations.models import Obligation
from haitang.spaces.clock import now
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(client):
    """A district with two townships side by side, six rain alarms in one and one in the other, in an exercise."""
    district = make.place(code="D1", population=3000, lon=121.45, lat=31.6)
    east = make.place("E1", district, name_zh="东镇", population=1000, area_km2=90.0)
    west = make.place("W1", district, name_zh="西镇", population=2000, area_km2=90.0)
    for each, x in ((east, 121.5), (west, 121.4)):
        PlaceShape.objects.create(place=each, geometry=shapely.box(x, 31.55, x + 0.1, 31.65))
    space = make.exercise()
    for number in range(7):
        where, x = (east, 121.55) if number < 6 else (west, 121.45)
        station = make.station(
            where, code=f"R{number}", name_zh=f"雨站{number}", kind="rain", geometry=shapely.Point(x, 31.6)
        )
        rule = make.rule(make.series(station, quantity="rain"), blue=10.0, yellow=20.0, orange=30.0, red=40.0)
        make.send(space, rule.series, (number, 12.0 + 5 * number))
    people = {
        "officer": make.user(Role.DEPARTMENT, make.organisation(district, kind="department")),
        "resident": make.user(Role.RESIDENT),
    }
    client.force_login(people["officer"])
    session = client.session
    session["space"] = space.pk
    session.save()
    return {"space": space, "east": east, "west": west, **people}


def enter(client, user, space):
    client.force_login(user)
    session = client.session
    session["space"] = space.pk
    session.save()


def codes(answer):
    return [alarm.station.code for alarm in answer.context["page"]]


def test_the_list_is_searched_filtered_and_put_in_order(client, world):
    url = reverse("monitoring:alarms")
    assert codes(client.get(url))[0] == "R6"
    assert codes(client.get(url, {"q": "西镇"})) == ["R6"]
    assert codes(client.get(url, {"sort": "oldest"}))[0] == "R0"
    assert codes(client.get(url, {"hazard": "wind"})) == []
    assert codes(client.get(url, {"hazard": "rain", "colour": "blue"})) == ["R1", "R0"]
    episode = Episode.objects.get(place=world["west"])
    assert codes(client.get(url, {"episode": episode.pk})) == ["R6"]
    assert client.get(url, {"episode": "x" * 300, "q": "%" * 500, "sort": "';--"}).status_code == 200


def test_by_event_and_on_the_desk_a_storm_is_a_line_for_each_township(client, world, django_assert_max_num_queries):
    groups = client.get(reverse("monitoring:alarms"), {"view": "events"}).context["page"]
    told = [(group.episode.place.name_zh, group.number, group.colour, group.alarm.station.code) for group in groups]
    assert told == [("西镇", 1, "red", "R6"), ("东镇", 6, "orange", "R5")]
    with django_assert_max_num_queries(90):
        page = client.get("/").content.decode()
    second, fifth = Alarm.objects.get(station__code="R2"), Alarm.objects.get(station__code="R5")
    assert (
        f'data-key="{groups[1].key}"' in page and f'data-key="{groups[0].key}"' in page and fifth.station.name in page
    )
    assert f'data-key="alarm-{second.pk}"' not in page


def test_a_whole_event_and_ticked_alarms_are_acknowledged_together_within_reach(client, world):
    episode, other = Episode.objects.get(place=world["east"]), Alarm.objects.get(station__code="R6")
    url = reverse("monitoring:alarms_acknowledge")
    enter(client, make.user(Role.TOWNSHIP, make.organisation(world["east"])), world["space"])
    client.post(url, {"episode": episode.pk, "alarm": [other.pk, "nonsense"]})
    assert set(Alarm.objects.filter(state="acknowledged").values_list("episode", flat=True)) == {episode.pk}
    other.refresh_from_db()
    assert other.state == "active"


def test_the_export_holds_what_the_list_shows(client, world):
    answer = client.get(reverse("monitoring:alarms_export", args=["csv"]), {"q": "东镇"})
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert len(lines) == 7 and "R6" not in "".join(lines) and answer["Content-Disposition"].startswith("attachment")
    assert client.get(reverse("monitoring:alarms_export", args=["xlsx"])).content[:2] == b"PK"
    assert client.get(reverse("monitoring:alarms_export", args=["pdf"])).status_code == 404


def test_a_shelved_alarm_leaves_list_and_desk_for_its_own_tab(client, world):
    alarm = Alarm.objects.get(station__code="R6")
    client.post(reverse("monitoring:alarm_shelve", args=[alarm.pk]), {"hours": "2", "reason": "检修"})
    assert "R6" not in codes(client.get(reverse("monitoring:alarms")))
    assert codes(client.get(reverse("monitoring:alarms"), {"tab": "shelved"})) == ["R6"]
    assert f'data-key="episode-{alarm.episode_id}-' not in client.get("/").content.decode()
    assert "检修" in client.get(alarm.get_absolute_url()).content.decode()
    client.post(reverse("monitoring:alarm_unshelve", args=[alarm.pk]))
    assert "R6" in codes(client.get(reverse("monitoring:alarms")))


def test_an_alarm_is_given_to_a_person_with_a_task_on_its_page(client, world):
    alarm = Alarm.objects.get(station__code="R0")
    body = world["officer"].organisation
    form = {"organisation": body.pk, "person": world["officer"].pk, "task": "巡查泵站", "minutes": "30"}
    client.post(reverse("monitoring:alarm_assign", args=[alarm.pk]), form)
    asked = Obligation.objects.get(kind="monitoring.handle")
    assert asked.due_at == now(world["space"]) + timedelta(minutes=30)
    assert "巡查泵站" in client.get(alarm.get_absolute_url()).content.decode()


def test_the_page_of_an_event_takes_reports_and_hides_what_is_out_of_reach(client, world):
    episode = Episode.objects.get(place=world["east"])
    client.post(reverse("monitoring:episode_report", args=[episode.pk]), {"text": "村口积水", "source": "网格员"})
    page = client.get(episode.get_absolute_url()).content.decode()
    assert "村口积水" in page and "雨站0" in page
    enter(client, make.user(Role.TOWNSHIP, make.organisation(world["west"])), world["space"])
    assert client.get(episode.get_absolute_url()).status_code == 404
    assert client.post(reverse("monitoring:episode_report", args=[episode.pk]), {"text": "x"}).status_code == 404


def test_who_lives_within_reach_is_told_by_the_share_of_each_township(client, world):
    alarm = Alarm.objects.select_related("station", "series").get(station__code="R0")
    around = surroundings.of(alarm, Look(world["officer"], world["space"], now(world["space"])))
    # 5 km around the middle of a box of 9.5 by 11.1 km: 74 % of it, and a sliver of the neighbour.
    assert around.hazard == "rain" and dict(around.places)["东镇"] == pytest.approx(740, abs=25)
    assert around.people == sum(people for _, people in around.places)
    page = client.get(alarm.get_absolute_url())
    assert page.context["around"].people == around.people
    assert {layer["id"] for layer in page.context["own"]["layers"]} == {"reach", "inside"}


def test_chains_are_drawn_with_their_live_state_and_expectations_are_settled_there(client, world):
    make.series(make.station(world["east"], code="D1X"), quantity="water_depth")
    services.register_chain(code="rain", name_zh="暴雨链", body=BODY, by=SYSTEM)
    services.look_ahead(world["space"])
    answer = client.get(reverse("monitoring:chains"))
    page = answer.content.decode()
    boxes = {box.lines[0][2]: box.state for box in answer.context["drawing"].boxes}
    assert boxes == {"暴雨": "red", "积水": "expected", "停电": "expected"} and page.count("<rect x=") == 3
    assert "备好发电车" in client.get("/").content.decode(), "the desk shows what to watch for"
    shown = client.get(Alarm.objects.get(station__code="R6").get_absolute_url()).context["chains"]
    assert [chance.name for _, chances in shown for chance in chances] == ["积水", "停电"]
    item = WatchItem.objects.get(node="water")
    client.post(reverse("monitoring:settle", args=[item.pk]), {"came": "1"})
    item.refresh_from_db()
    assert (item.state, item.ended_by) == ("confirmed", world["officer"])
    # A township sees its own alarms only: for it the rain is orange, and nothing of the other's is told.
    enter(client, make.user(Role.TOWNSHIP, make.organisation(world["east"])), world["space"])
    boxes = {box.lines[0][2]: box.state for box in client.get(reverse("monitoring:chains")).context["drawing"].boxes}
    assert boxes["暴雨"] == "orange"
    enter(client, world["resident"], world["space"])
    assert client.get(reverse("monitoring:chains")).status_code == 403
    assert client.get(reverse("monitoring:blind_spots")).status_code == 403


def test_blind_spots_name_townships_silent_stations_and_the_next_best_places(client, world):
    make.station(world["west"], code="MUTE", kind="rain", geometry=shapely.Point(121.41, 31.6))
    answer = client.get(reverse("monitoring:blind_spots"), {"kind": "rain", "km": "2", "k": "2"})
    survey = answer.context["survey"]
    assert [station.code for station in survey.silent] == ["MUTE"] and len(survey.live) == 7
    assert survey.people == 3000 and 0 < survey.watched < 3000
    assert len(survey.sites) == 2 and survey.sites[0].place == world["west"] and survey.at_least >= 63
    assert sum(each.unwatched for each in survey.townships) == pytest.approx(3000 - survey.watched, abs=3)
    for ask in ({"kind": "x", "km": "-1", "k": "999"}, {"k": "0"}, {"km": "nan"}):
        assert client.get(reverse("monitoring:blind_spots"), ask).status_code == 200


def test_the_layer_of_blind_spots_says_which_kinds_are_missing(world):
    layer = LAYERS["monitoring.unwatched"]
    look = Look(world["officer"], world["space"], now(world["space"]))
    make.station(world["west"], kind="gas")
    told = layer.extra(look, [place.pk for place in layer.at(look)])
    assert told[world["east"].pk]["missing"] == "1" and str(StationKind.GAS.label) in told[world["east"].pk]["subtitle"]
    assert unwatched.shade(0) == "none" and unwatched.shade(100) == "all"


def test_what_is_due_at_an_instrument_becomes_its_owners_task_once(world):
    live = Space.live()
    owner = make.organisation(world["east"])
    today = now(live).date()
    made = Equipment.objects.create(
        code="EQ1", name_zh="雨量计", kind="sensor", station=make.station(world["east"]), place=world["east"], owner=owner,
        calibration_due=today + timedelta(days=10), service_due=today + timedelta(days=100),
    )  # fmt: skip
    assert due.ask_for_care(live) == 1 and due.ask_for_care(live) == 0
    (asked,) = Obligation.objects.filter(subject_type="monitoring.equipment")
    assert (asked.kind, asked.owner, asked.space) == ("monitoring.calibrate", owner, live)
    Equipment.objects.filter(pk=made.pk).update(calibration_due=today + timedelta(days=20))
    assert due.ask_for_care(live) == 1
    with pytest.raises(ValidationError):
        Equipment(calibrated_on=date(2026, 5, 1), calibration_due=date(2026, 4, 1)).clean()


@pytest.mark.parametrize(
    "address",
    ["rtsp://admin:12345@10.0.0.1/1", "https://x.example/a.jpg?token=1", "ftp://x.example/a", "javascript:alert(1)"],
)
def test_no_credentials_are_stored_with_a_camera(world, address):
    point = VideoPoint(code="C1", name_zh="港口", place=world["east"], owner=make.organisation(), stream_url=address, snapshot_url="https://x.example/a.jpg")  # fmt: skip
    with pytest.raises(ValidationError) as refused:
        point.full_clean()
    assert set(refused.value.message_dict) == {"stream_url"}
    assert json.dumps(refused.value.message_dict)
