"""P4, issue 2 section 6: who sees which stations and alarms, on pages, charts, cards and by the API; and the pages."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from haitang.accounts.roles import OFFICIALS, Role
from haitang.monitoring import charts, counts, door, store
from haitang.monitoring.models import Alarm, AlarmState, Series
from haitang.monitoring.tests import factories as make
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    """Two townships with an orange alarm each, in the live world, and one station open to the public."""
    district = make.place(code="D1", name_zh="试验区")
    east, west = make.place("E1", district, name_zh="东镇"), make.place("W1", district, name_zh="西镇")
    bureau = make.organisation(district, code="BUREAU", kind="department")
    works = make.organisation(east, code="WORKS", kind="enterprise")
    here = {
        "east": make.station(east, code="EAST", name_zh="东站", operator=works),
        "west": make.station(west, code="WEST", name_zh="西站", is_public=True),
    }
    live = Space.live()
    for each in here.values():
        rule = make.rule(make.series(each))
        moment = int(datetime.now(UTC).timestamp() - 600)
        body = {"series": [rule.series.code] * 2, "time": [moment, moment + 300], "value": [3.0, 6.5]}

        door.receive(live, door.Parcel(json.dumps(body).encode(), "http:gateway"))
    people = {
        "bureau": make.user(Role.DEPARTMENT, bureau),
        "east": make.user(Role.TOWNSHIP, make.organisation(east)),
        "west": make.user(Role.TOWNSHIP, make.organisation(west)),
        "grid": make.user(Role.GRID, make.organisation(west, kind="village")),
        "works": make.user(Role.ENTERPRISE, works),
        "resident": make.user(Role.RESIDENT),
    }
    return {"live": live, "stations": here, "people": people}


# Stations seen by name; alarms follow the same reach, but an alarm of a public station is not itself public.
SEES = {
    "bureau": ({"EAST", "WEST"}, {"EAST", "WEST"}),
    "east": ({"EAST", "WEST"}, {"EAST"}),
    "west": ({"WEST"}, {"WEST"}),
    "grid": ({"WEST"}, {"WEST"}),
    "works": ({"EAST", "WEST"}, {"EAST"}),
    "resident": ({"WEST"}, set()),
}


@pytest.mark.parametrize("who", SEES)
def test_each_sees_what_lies_in_reach_everywhere(client, world, who):
    user = world["people"][who]
    stations, alarms = SEES[who]
    client.force_login(user)
    page = client.get(reverse("monitoring:stations")).content.decode()
    assert {code for code in ("EAST", "WEST") if f" {code}" in page} == stations
    for code, station in world["stations"].items():
        seen = station.code in stations
        assert client.get(reverse("monitoring:station", args=[station.pk])).status_code == (200 if seen else 404), code
        series = station.series.get()
        assert client.get(reverse("monitoring:series_chart", args=[series.pk])).status_code == (200 if seen else 404)
        url = f"/api/v1/monitoring/series/{series.code}/readings"
        assert client.get(url).status_code == (200 if seen else 404)
        alarm = Alarm.objects.get(station=station)
        reach = station.code in alarms
        for name in ("alarm", "alarm_chart"):
            assert client.get(reverse(f"monitoring:{name}", args=[alarm.pk])).status_code == (200 if reach else 404)
        assert client.get(f"/api/v1/monitoring/alarms/{alarm.pk}").status_code == (200 if reach else 404)
    told = client.get("/api/v1/monitoring/stations").json()["items"]
    assert {row["code"] for row in told} == stations
    assert {row["station"] for row in client.get("/api/v1/monitoring/series").json()} == stations
    assert {row["station"] for row in client.get("/api/v1/monitoring/alarms").json()["items"]} == alarms
    board = client.get(reverse("monitoring:alarms"))
    assert {alarm.station.code for alarm in board.context["page"]} == alarms


def test_an_alarm_out_of_reach_cannot_be_touched_from_a_page(client, world):
    alarm = Alarm.objects.get(station=world["stations"]["west"])
    client.force_login(world["people"]["east"])
    for name in ("alarm_acknowledge", "alarm_close", "alarm_comment", "alarm_assign"):
        assert client.post(reverse(f"monitoring:{name}", args=[alarm.pk])).status_code == 404
    alarm.refresh_from_db()
    assert alarm.state == AlarmState.ACTIVE


def test_without_sign_in_pages_lead_to_the_door_and_the_api_refuses(client, world):
    alarm = Alarm.objects.first()
    for name, args in [
        ("stations", []),
        ("alarms", []),
        ("health", []),
        ("alarm", [alarm.pk]),
        ("alarm_chart", [alarm.pk]),
    ]:
        assert client.get(reverse(f"monitoring:{name}", args=args)).status_code == 302
    assert client.get("/api/v1/monitoring/alarms").status_code == 401


def test_an_exercises_alarms_are_not_seen_in_the_live_world(client, world):
    space = make.exercise()
    series = world["stations"]["east"].series.get()
    make.send(space, series, (0, 7.5))
    alarm = Alarm.objects.get(space=space)
    client.force_login(world["people"]["bureau"])
    assert client.get(reverse("monitoring:alarm", args=[alarm.pk])).status_code == 404
    assert alarm.pk not in {row["id"] for row in client.get("/api/v1/monitoring/alarms").json()["items"]}
    session = client.session
    session["space"] = space.pk
    session.save()
    assert client.get(reverse("monitoring:alarm", args=[alarm.pk])).status_code == 200


def test_the_board_shows_the_gravest_first_and_acknowledges_in_one_press(client, world):
    east = Alarm.objects.get(station=world["stations"]["east"])
    Alarm.objects.filter(pk=east.pk).update(colour="red", level=4)
    client.force_login(world["people"]["bureau"])
    url = reverse("monitoring:alarms")
    answer = client.get(url)
    assert next(iter(answer.context["page"])).pk == east.pk
    assert 'data-alert="red"' in answer.content.decode()
    client.post(reverse("monitoring:alarm_acknowledge", args=[east.pk]), {"next": url})
    east.refresh_from_db()
    assert east.state == AlarmState.ACKNOWLEDGED
    assert 'data-alert="red"' not in client.get(url).content.decode()
    assert client.get(url, {"colour": "blue"}).context["page"].paginator.count == 0
    part = client.get(url, headers={"HX-Request": "true", "HX-Target": "board"}).content.decode()
    assert "<html" not in part and "东站" in part


def test_an_impossible_move_is_told_on_the_page_it_came_from(client, world):
    alarm = Alarm.objects.get(station=world["stations"]["east"])
    client.force_login(world["people"]["bureau"])
    page = reverse("monitoring:alarm", args=[alarm.pk])
    answer = client.post(
        reverse("monitoring:alarm_close", args=[alarm.pk]), headers={"Referer": f"http://testserver{page}"}, follow=True
    )
    assert answer.redirect_chain == [(f"http://testserver{page}", 302)]
    assert "已确认" in answer.content.decode()


def test_a_foreign_address_to_go_back_to_is_not_followed(client, world):
    alarm = Alarm.objects.get(station=world["stations"]["east"])
    client.force_login(world["people"]["bureau"])
    answer = client.post(reverse("monitoring:alarm_acknowledge", args=[alarm.pk]), {"next": "https://evil.example/"})
    assert answer["Location"] == alarm.get_absolute_url()


def test_remarks_and_assignment_from_the_page(client, world):
    alarm = Alarm.objects.get(station=world["stations"]["east"])
    client.force_login(world["people"]["bureau"])
    client.post(reverse("monitoring:alarm_comment", args=[alarm.pk]), {"text": "已到现场"})
    client.post(reverse("monitoring:alarm_comment", args=[alarm.pk]), {"text": ""})
    client.post(
        reverse("monitoring:alarm_assign", args=[alarm.pk]), {"organisation": world["people"]["works"].organisation_id}
    )
    page = client.get(alarm.get_absolute_url()).content.decode()
    assert "已到现场" in page
    alarm.refresh_from_db()
    assert alarm.assignee.code == "WORKS"


def test_stations_are_found_by_word_and_kind(client, world):
    client.force_login(world["people"]["bureau"])
    url = reverse("monitoring:stations")
    assert [row[0].code for row in client.get(url, {"q": "西镇"}).context["listed"]] == ["WEST"]
    assert [row[0].code for row in client.get(url, {"kind": "rain"}).context["listed"]] == []
    assert [row[0].code for row in client.get(url, {"kind": "tide", "q": "东站"}).context["listed"]] == ["EAST"]


def test_lists_cost_as_many_queries_for_many_rows_as_for_few(client, world, django_assert_max_num_queries):
    """House rule 12."""
    client.force_login(world["people"]["bureau"])
    east = world["stations"]["east"].place
    for number in range(30):
        rule = make.rule(make.series(make.station(east, code=f"N{number}")))
        make.send(world["live"], rule.series, (number / 10, 6.5))
    for name in ("stations", "alarms", "health"):
        with django_assert_max_num_queries(30):
            assert client.get(reverse(f"monitoring:{name}")).status_code == 200
    for path in ("series", "alarms", "stations"):
        with django_assert_max_num_queries(12):
            assert client.get(f"/api/v1/monitoring/{path}").status_code == 200


def test_the_health_page_tells_what_came_what_was_refused_and_what_is_overdue(client, world):
    make.series(make.station(code="SILENT", name_zh="哑站"))
    counts.add(world["live"], {("http:gateway", "wrong_unit"): 7})
    client.force_login(world["people"]["bureau"])
    answer = client.get(reverse("monitoring:health"))
    page = answer.content.decode()
    assert "http:gateway" in page and "单位不符" in page and "哑站" in page
    assert answer.context["lag"].waiting == 0
    source = answer.context["sources"][0][0]
    assert (source.accepted, source.refused) == (4, 7)


@pytest.mark.parametrize("role", [role for role in Role if role not in OFFICIALS])
def test_the_health_page_is_for_officials(client, world, role):
    client.force_login(make.user(role))
    assert client.get(reverse("monitoring:health")).status_code == 403


def test_a_chart_has_the_course_the_thresholds_and_the_marks(client, world):
    alarm = Alarm.objects.get(station=world["stations"]["east"])
    client.force_login(world["people"]["bureau"])
    chart = client.get(reverse("monitoring:alarm_chart", args=[alarm.pk])).json()
    assert [point[1] for point in chart["series"][0]["data"]] == [3.0, 6.5]
    assert [line["colour"] for line in chart["thresholds"]] == ["blue", "yellow", "orange", "red"]
    assert chart["marks"][0]["at"] == alarm.opened_at.isoformat()


def test_readings_by_the_api_are_the_newest_in_the_stretch(client, world):
    client.force_login(world["people"]["bureau"])
    series = world["stations"]["east"].series.get()
    url = f"/api/v1/monitoring/series/{series.code}/readings"
    told = client.get(url, {"limit": 1}).json()
    assert (told["value"], told["truncated"], told["unit"]) == ([6.5], True, "m")
    assert client.get(url, {"start": "2030-01-01T00:00:00Z"}).json()["value"] == []
    assert client.get(url, {"limit": 0}).status_code == 422
    assert client.get(url, {"start": "yesterday"}).status_code == 422


def test_a_long_course_is_thinned_and_keeps_its_peaks():
    space, series = make.exercise(), make.series()
    values = [(n / 10, 9.0 if n == 4321 else (n % 7) / 10) for n in range(6000)]
    make.send(space, series, *values)
    time, value = charts.thin(*store.read(space.pk, series.pk))
    assert len(time) <= charts.POINTS + 2
    assert value.max() == 9.0 and (time[1:] > time[:-1]).all()


def test_a_file_of_readings_is_taken_in_and_its_bad_rows_named(client, world):
    client.force_login(world["people"]["bureau"])
    series = Series.objects.get(station__code="EAST")
    text = f"series,time,value,unit\n{series.code},2024-01-01T00:00:00+08:00,150,cm\nNOBODY,2024-01-01T00:00:00Z,1,m\n"
    answer = client.post(reverse("monitoring:backfill"), {"file": SimpleUploadedFile("a.csv", text.encode())})
    page = answer.content.decode()
    assert "NOBODY" in page and ">3<" in page  # the line of the file, its header counted
    assert store.read(world["live"].pk, series.pk)[1].tolist() == [1.5, 3.0, 6.5]
    assert not Alarm.objects.filter(opened_at__year=2024).exists()


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00\x01", b"series,time,value\n" + b"x" * 4_100_000]
)
def test_a_file_that_is_none_is_refused_with_a_reason(client, world, content):
    client.force_login(world["people"]["bureau"])
    answer = client.post(reverse("monitoring:backfill"), {"file": SimpleUploadedFile("a.csv", content)}, follow=True)
    assert answer.redirect_chain == [(reverse("monitoring:health"), 302)]
    assert [message.level_tag for message in answer.context["messages"]] == ["error"]


def test_a_back_fill_is_for_keepers_and_only_of_series_in_reach(client, world):
    client.force_login(world["people"]["east"])
    row = SimpleUploadedFile("a.csv", b"series,time,value\nX,2024-01-01T00:00:00Z,1\n")
    assert client.post(reverse("monitoring:backfill"), {"file": row}).status_code == 403
