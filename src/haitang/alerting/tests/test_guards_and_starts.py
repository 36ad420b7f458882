"""P4, 3.4.2: guard rails beside the composer, one press for what follows, and one draft from many alarms or a forecast."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from haitang.accounts.verbs import Refused
from haitang.alerting import cap, composing, guards, services, telling
from haitang.alerting.models import Warning, WarningTemplate
from haitang.alerting.tests import factories as make
from haitang.geo.models import Place
from haitang.monitoring.tests import factories as stations


def codes(warning, space) -> set[str]:
    return {one.code for one in guards.look(warning, at=services.now(space))}


def test_an_ordinary_draft_passes_all_guards(house, live):
    assert codes(make.draft(house, live), live) <= {"PLAIN_LONG_SENTENCE", "PLAIN_NO_TIME"}


@pytest.mark.parametrize(
    ("hours", "code"), [(0.3, "GUARD_SHORT"), (30, "GUARD_LONG"), (24 * 40, "GUARD_TOO_LONG")]
)  # fmt: skip
def test_an_unlikely_expiry_stands_out(house, live, hours, code):
    warning = make.draft(house, live, expires=services.now(live) + timedelta(hours=hours))
    assert code in codes(warning, live)


def test_a_warning_for_more_than_a_month_is_not_submitted(house, live):
    warning = make.draft(house, live, expires=services.now(live) + timedelta(days=40))
    with pytest.raises(Refused):
        services.submit(warning, by=house.duty)


def test_a_second_warning_for_the_same_place_stands_out_an_update_does_not(house, live):
    first = make.published(house, live)
    assert "GUARD_DOUBLE" in codes(make.draft(house, live, places=[house.root]), live)
    assert "GUARD_DOUBLE" not in codes(make.draft(house, live, places=[house.west]), live)
    assert "GUARD_DOUBLE" not in codes(make.draft(house, live, kind=house.surge), live)
    assert "GUARD_DOUBLE" not in codes(services.update(first, by=house.duty), live)


@pytest.fixture
def alarm(house, live):
    return _alarm(house.east, live, "orange")


def _alarm(place, space, colour):
    from haitang.monitoring.models import Alarm

    series = stations.series(stations.station(place), quantity="wind_gust")
    rule = stations.rule(series)
    at = services.now(space)
    return Alarm.objects.create(
        space=space, rule=rule, series=series, station=series.station, place=place, colour=colour, peak_colour=colour,
        level={"yellow": 2, "orange": 3}[colour], what_zh="阵风 12 级", what_en="gusts of force 12", unit="m/s", first_value=33.0, peak_value=33.0,
        peak_at=at, opened_at=at, recorded_wall=at,
    )  # fmt: skip


def test_a_colour_below_the_alarms_is_told(house, live, alarm):
    assert "GUARD_BELOW_ALARM" in codes(services.draft_from_alarm(alarm, by=house.duty, colour="yellow"), live)


def test_channels_of_few_points_and_whole_townships_are_told_in_people(house, live):
    import shapely

    Place.objects.filter(pk=house.east.pk).update(population=30_000)
    shape = shapely.box(121.65, 31.1, 121.8, 31.2)
    few, whole = telling.ways(make.draft(house, live, places=[], geometry=shape))
    assert few.spill.under == 0 and few.spill.over == 0 and few.spill.people > 0
    assert whole.spill.over == 30_000 - few.spill.people


# One press.


@pytest.mark.parametrize(("what", "colour"), [("extend", "orange"), ("upgrade", "red"), ("downgrade", "yellow")])
def test_one_press_drafts_and_submits_what_follows(house, live, sign_in, what, colour):
    first = make.published(house, live)
    assert sign_in("duty").post(f"/alerting/{first.pk}/step/{what}/").status_code == 302
    made = first.followers.get()
    assert (made.state, made.colour, made.msg_type) == ("submitted", colour, "Update")
    assert made.expires > first.expires if what == "extend" else made.expires >= first.expires
    published = services.publish(services.approve(made, by=house.chief), by=house.duty)
    alert, _ = cap.parse(bytes(Warning.objects.get(pk=published.pk).cap_xml))
    assert first.identifier in alert.references


def test_a_second_press_makes_no_fork(house, live):
    first = make.published(house, live)
    services.step(first, "upgrade", by=house.duty)
    with pytest.raises(Refused):
        services.step(first, "downgrade", by=house.duty)
    assert first.followers.count() == 1


def test_there_is_nothing_above_red_or_without_words(house, live):
    with pytest.raises(Refused):
        services.step(make.published(house, live, colour="red"), "upgrade", by=house.duty)
    WarningTemplate.objects.filter(kind=house.surge, colour="blue").delete()
    with pytest.raises(Refused):
        services.step(make.published(house, live, kind=house.surge, colour="yellow"), "downgrade", by=house.duty)


# Starts.


def test_the_alarms_of_a_kind_become_one_draft_with_a_colour_for_each_township(house, live, sign_in, alarm):
    _alarm(house.west, live, "yellow")
    client = sign_in("duty")
    page = client.get("/alerting/start/").content.decode()
    assert "东镇" in page and "西镇" in page
    assert client.post("/alerting/start/", {"kind_code": "11B01"}).status_code == 302
    made = Warning.objects.get()
    assert made.colour == "orange" and composing.where_of(made).levels == {"990002": "yellow"}
    assert "等2处报警" in made.cause_zh and made.cause == f"monitoring.alarm:{alarm.pk}"
    # The same alarms again lead to the draft that is there.
    assert client.post("/alerting/start/", {"kind_code": "11B01"})["Location"] == made.get_absolute_url()


def test_a_forecast_becomes_a_draft_for_what_exceeds(house, live, sign_in):
    rows = "\n".join(f"{31 + y / 10:.1f},{121 + x / 10:.1f},{x * 10}" for y in range(7) for x in range(10))
    data = {
        "file": SimpleUploadedFile("rain.csv", f"lat,lon,value\n{rows}".encode()),
        "kind": house.typhoon.pk,
        "orange": "70",
        "yellow": "40",
    }
    client = sign_in("duty")
    answer = client.post("/alerting/start/", data)
    made = Warning.objects.get()
    assert answer["Location"] == f"/alerting/{made.pk}/edit/"
    assert made.colour == "orange" and {p.code for p in composing.where_of(made).chosen} == {"990001", "990003"}
    assert composing.where_of(made).levels == {"990003": "yellow"}
    wrong = {**data, "file": SimpleUploadedFile("rain.csv", b"lat,lon\n1,2")}
    assert client.post("/alerting/start/", wrong).status_code == 422
    upside = {**data, "file": SimpleUploadedFile("r.csv", b"lat,lon,value\n1,2,3"), "orange": "10", "yellow": "30"}
    assert client.post("/alerting/start/", upside).status_code == 422
    assert Warning.objects.count() == 1


def test_only_composers_start(house, live, sign_in):
    assert sign_in("east").get("/alerting/start/").status_code == 403
