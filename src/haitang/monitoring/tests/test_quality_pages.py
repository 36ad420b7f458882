"""3.4.1, P4: what the tests found is seen by station and day; stewards set limits and correct; nobody sees beyond his reach."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from haitang.accounts.roles import Role
from haitang.monitoring.models import Correction, QualityLimits
from haitang.monitoring.tests import factories as make
from haitang.spaces.middleware import SESSION_KEY

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene():
    """A water gauge with two bad readings in an exercise, a gauge elsewhere with one, and who keeps the first."""
    where, elsewhere = make.place(), make.place()
    body = make.organisation(where)
    space = make.exercise()
    series = make.series(make.station(where), quantity="water_level")
    other = make.series(make.station(elsewhere), quantity="water_level")
    make.send(space, series, (0, 2.0), (5, 2.01), (10, 2.02), (15, 3.9), (20, 2.0))
    make.send(space, other, (0, 2.0), (5, 9.0))
    return {"space": space, "series": series, "other": other, "body": body}


def client(scene, role=Role.DEPARTMENT):
    found = Client()
    found.force_login(make.user(role, scene["body"]))
    session = found.session
    session[SESSION_KEY] = scene["space"].pk
    session.save()
    return found


def test_the_worst_series_are_listed_with_their_share_by_day(scene):
    page = client(scene).get(reverse("monitoring:quality"))
    assert page.status_code == 200
    ((line, _by_day),) = page.context["lines"]
    assert line.series == scene["series"]
    assert (line.whole.total, line.whole.fail) == (5, 2)
    assert scene["other"].code not in page.content.decode()


def test_findings_are_exported_within_reach_only(scene):
    text = b"".join(client(scene).get(reverse("monitoring:quality_export"), {"flag": "4"}).streaming_content).decode()
    assert [line.split(",")[0] for line in text.splitlines()] == ["series", scene["series"].code, scene["series"].code]
    assert "rate" in text.splitlines()[1]


def test_points_that_are_not_good_are_drawn_in_their_colour(scene):
    chart = client(scene).get(reverse("monitoring:series_chart", args=[scene["series"].pk])).json()
    points = [each for each in chart["series"] if each.get("points")]
    assert [value for _, value in next(p for p in points if p["colour"] == "orange")["data"]] == [2.0, 3.9]


def test_a_steward_corrects_and_withdraws_on_the_page(scene):
    found, series = client(scene), scene["series"]
    given = {
        "start": "2024-09-15T08:15",
        "end": "2024-09-15T08:15",
        "kind": "replace",
        "value": "2.05",
        "reason": "尖峰",
    }
    page = found.post(reverse("monitoring:quality_correct", args=[series.pk]), given, follow=True)
    assert "尖峰" in page.content.decode()
    names = [e["name"] for e in found.get(reverse("monitoring:series_chart", args=[series.pk])).json()["series"]]
    assert "订正值" in names or "Corrected" in names
    found.post(reverse("monitoring:correction_withdraw", args=[Correction.objects.get().pk]))
    assert Correction.objects.get().withdrawn_at is not None
    refused = found.post(
        reverse("monitoring:quality_correct", args=[series.pk]), {**given, "kind": "offset", "value": ""}
    )
    assert refused.status_code == 200
    assert Correction.objects.count() == 1


def test_limits_are_set_in_a_form_and_what_contradicts_is_said(scene):
    found = client(scene)
    address = reverse("monitoring:quality_limits", args=["water_level"])
    assert found.get(address).status_code == 200
    assert found.post(address, {"suspect_high": "3", "source": "区水文站"}).status_code == 302
    assert QualityLimits.objects.get().suspect_high == 3
    wrong = found.post(address, {"suspect_high": "3", "suspect_low": "4"})
    assert wrong.status_code == 200
    assert wrong.context["form"].errors
    assert found.get(reverse("monitoring:quality_limits_all")).status_code == 200
    own = reverse("monitoring:quality_series_limits", args=[scene["series"].pk])
    assert found.post(own, {"off": "rate", "mutes": "on"}).status_code == 302
    assert found.get(reverse("monitoring:quality_limits", args=["nothing"])).status_code == 404


def test_who_may_not_set_or_correct_is_turned_away(scene):
    found, series = client(scene, Role.TOWNSHIP), scene["series"]
    assert found.get(reverse("monitoring:quality_series", args=[series.pk])).status_code == 200
    assert found.get(reverse("monitoring:quality_series_limits", args=[series.pk])).status_code == 403
    given = {"start": "2024-09-15T08:15", "end": "2024-09-15T08:15", "kind": "remove", "reason": "x"}
    assert found.post(reverse("monitoring:quality_correct", args=[series.pk]), given).status_code == 403
    assert client(scene, Role.ENTERPRISE).get(reverse("monitoring:quality")).status_code == 403
    assert found.get(reverse("monitoring:quality_series", args=[scene["other"].pk])).status_code == 404
