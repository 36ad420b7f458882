"""A year and one warning in figures, on the screen and on paper (issue 3, "Measure")."""

from __future__ import annotations

import io
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse
from openpyxl import load_workbook

from haitang.alerting import performance, services
from haitang.alerting.tests import factories as make
from haitang.monitoring.models import Alarm, AlarmKind, Series, Station
from haitang.obligations import services as obligations
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db


def station(house: SimpleNamespace, code: str = "S1", place: Any = None) -> Series:
    where = Station.objects.create(
        code=code, name_zh="风站", kind="weather", place=place or house.east, operator=house.water
    )
    return Series.objects.create(code=f"{code}-g", station=where, quantity="wind_gust", unit="m/s")


def alarm(series: Series, space: Space, minute: float, colour: str = "orange", minutes: float = 60) -> Alarm:
    at = make.T0 + timedelta(minutes=minute)
    return Alarm.objects.create(
        space=space, series=series, station=series.station, place=series.station.place, kind=AlarmKind.THRESHOLD, state="closed",
        colour=colour, peak_colour=colour, level=3, what_zh="阵风", what_en="gust", unit="m/s", first_value=25, peak_value=30, peak_at=at,
        opened_at=at, recorded_wall=at, cleared_at=at + timedelta(minutes=minutes), closed_at=at + timedelta(minutes=minutes),
    )  # fmt: skip


@pytest.fixture
def day(house):
    """A replayed day: the east is warned in time, the west is not warned, the middle for nothing."""
    space = make.exercise()
    warning = make.published(house, space, places=[house.east, house.middle])
    alarm(station(house), space, 120)
    alarm(station(house, "S2", house.west), space, 200)
    make.pass_time(space, 10)
    one = obligations.for_subject(warning).get(owner=house.bodies["east"])
    obligations.complete(one, by=house.people["east"])
    make.pass_time(space, 12 * 60)
    return SimpleNamespace(space=space, warning=warning)


def test_the_year_is_verified_by_what_the_stations_saw(house, day):
    told = performance.of_year(day.space, house.duty, 2024)
    tables = {(each.hazard, each.colour.value): each for each in told.verdicts}
    table = tables["typhoon", "orange"].table
    assert (table.hits, table.misses, table.false_alarms, table.lead_s) == (1, 1, 1, 7200)
    assert tables["typhoon", "orange"].shares == [50, 50, 33]
    assert ("typhoon", "red") not in tables
    assert {each.verdict for each in told.happenings} == {"hit", "miss"}
    assert [place for _at, _name, place, _w in told.false_alarms] == [house.middle]


def test_what_is_in_force_is_not_false_yet(house):
    """In the live world, whose clock goes on while the page is made."""
    from django.utils import timezone

    make.published(house, Space.live())
    assert performance.of_year(Space.live(), house.duty, timezone.localdate().year).total.false_alarms == 0


def test_and_measured_from_decision_to_answer(house, day):
    line = performance.of_year(day.space, house.duty, 2024).lines[0]
    assert (line.answered, line.asked, line.answer_half_s) == (1, 2, 600.0)
    assert line.reached > 0 and line.first_s >= 0 and line.issue_s == 0


def test_another_year_holds_nothing_and_the_years_are_listed(house, day):
    assert performance.of_year(day.space, house.duty, 2023).lines == []
    assert performance.years(day.space, house.duty) == [2024]


def test_one_warning_in_figures(house, day):
    for place, people in ((house.east, 1000), (house.middle, 500)):
        place.population = people
        place.save()
    told = performance.measured(day.warning, house.duty)
    assert (told.population, told.confirmed, told.answers.asked, told.astray) == (1500, 1, 2, 0)
    assert told.located >= told.reached > 0
    ways = {way.channel: way for way in told.ways}
    assert ways["inapp"].first_s == 0.0 and ways["inapp"].reached == ways["inapp"].letters
    assert [(each.verdict, each.place) for each in performance.judged(day.warning, house.duty)] == [
        ("false", house.middle), ("hit", house.east),
    ]  # fmt: skip


def test_what_is_reached_outside_the_area_is_counted(house, day):
    from haitang.delivery.models import Delivery

    Delivery.objects.filter(organisation=house.bodies["east"], channel="inapp").update(
        organisation=house.bodies["west"]
    )
    assert performance.measured(day.warning, house.duty).astray > 0


def test_the_queries_do_not_grow_with_the_warnings(house, django_assert_max_num_queries):
    space = make.exercise()
    for _ in range(6):
        make.published(house, space)
    with django_assert_max_num_queries(16):
        performance.of_year(space, house.duty, 2024)


@pytest.fixture
def visitor(house, day, client, settings):
    settings.DEMO = True

    def come(name: str) -> Any:
        user = house.people[name]
        user.is_demo = True
        user.save()
        client.force_login(user)
        session = client.session
        session["space"] = day.space.pk
        session.save()
        return client

    return come


def test_the_pages_and_papers_hold_it(house, day, visitor):
    client = visitor("duty")
    page = client.get(reverse("alerting:performance"), {"year": "2024"})
    assert page.status_code == 200 and page.context["told"].total.hits == 1
    assert client.get(reverse("alerting:performance"), {"year": "x", "hazard": "nonsense"}).status_code == 200
    assert client.get(reverse("alerting:measured", args=[day.warning.pk])).status_code == 200
    for address in (
        reverse("alerting:performance_export", args=[2024, "xlsx"]), reverse("alerting:measured_export", args=[day.warning.pk, "xlsx"]),
    ):  # fmt: skip
        book = load_workbook(io.BytesIO(client.get(address).content))
        assert len(book.sheetnames) >= 3
    paper = client.get(reverse("alerting:performance_export", args=[2024, "pdf"]))
    assert paper.content[:4] == b"%PDF" and paper["Content-Type"] == "application/pdf"
    assert client.get(reverse("alerting:measured_export", args=[day.warning.pk, "pdf"])).content[:4] == b"%PDF"
    assert client.get(reverse("alerting:performance_export", args=[2024, "doc"])).status_code == 404


def test_they_are_for_officials_and_within_their_reach(house, day, visitor):
    assert visitor("resident").get(reverse("alerting:performance")).status_code == 403
    east = visitor("east").get(reverse("alerting:performance"), {"year": "2024"}).context["told"]
    assert [line.asked for line in east.lines] == [1]


def test_a_draft_has_no_figures(house, day, visitor):
    draft = make.draft(house, day.space)
    for name in ("measured", "reach"):
        assert visitor("duty").get(reverse(f"alerting:{name}", args=[draft.pk])).status_code == 404
    services.discard(draft, by=house.duty)
