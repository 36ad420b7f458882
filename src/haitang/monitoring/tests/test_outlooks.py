"""P4: forecasts are kept by series, drawn with their band, and name the threshold they meet; without skill they warn nobody."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from haitang.accounts.actors import SYSTEM
from haitang.accounts.roles import Role
from haitang.monitoring import forecasting, services
from haitang.monitoring.models import Outlook
from haitang.monitoring.tests import factories as make
from haitang.spaces.middleware import SESSION_KEY

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene():
    """Two days of a river that rises and falls, near a threshold at the end of a rise."""
    where = make.place()
    space, series = make.exercise(), make.series(make.station(where), quantity="water_level")
    make.rule(series, blue=3.3, yellow=3.9, orange=None, red=None)
    minutes = range(0, 2 * 1440 + 1, 10)
    make.send(space, series, *[(m, round(3 - 0.6 * float(np.cos(m / 700)), 3)) for m in minutes])
    return {"space": space, "series": series, "where": where}


def page(scene, address):
    found = Client()
    found.force_login(make.user(Role.DEPARTMENT, make.organisation(scene["where"])))
    session = found.session
    session[SESSION_KEY] = scene["space"].pk
    session.save()
    return found.get(address)


def test_a_forecast_is_made_when_due_by_the_clock_of_the_space(scene):
    space = scene["space"]
    assert forecasting.refresh(space) == 1
    assert forecasting.refresh(space) == 0
    made = Outlook.objects.get()
    assert made.method == "trend"
    assert len(made.middle) == len(made.low) == 72
    space.clock_base += timedelta(minutes=10)
    space.save()
    assert forecasting.refresh(space) == 1
    assert Outlook.objects.get().made_at > made.made_at


def test_the_station_shows_forecast_band_and_skill(scene):
    forecasting.refresh(scene["space"])
    series = scene["series"]
    chart = page(scene, reverse("monitoring:series_chart", args=[series.pk])).json()
    (band,) = [each for each in chart["series"] if each.get("band")]
    assert all(low <= high for _, low, high in band["data"])
    score = Outlook.objects.get().skill["1"]["score"]
    text = page(scene, series.get_absolute_url()).content.decode()
    assert f"{score:.2f}" in text


def test_a_threshold_ahead_is_named_with_time_and_skill_and_one_without_skill_is_not(scene):
    space, series = scene["space"], scene["series"]
    forecasting.refresh(space)
    made = Outlook.objects.get()
    value = 3 - 0.6 * np.cos(2880 / 700)
    made.middle = [round(value + 0.1 * step, 3) for step in range(1, 73)]
    made.skill = {h: {"score": 0.3} for h in ("1", "3", "6")} | {"12": {"score": None}}
    made.save()
    crossing = forecasting.crossings(space, [made])[series.pk]
    assert (crossing.colour, crossing.skill) == ("yellow", 0.3)
    assert 0 < crossing.after_s < 6 * 3600
    made.skill = {"1": {"score": -0.1}}
    assert forecasting.crossings(space, [made]) == {}
    assert forecasting.usable_h(made) == 0


def test_failed_readings_are_left_out_and_corrections_are_taken(scene):
    space, series = scene["space"], scene["series"]
    start, end = make.T0_S * 1000, (make.T0_S + 3 * 86_400) * 1000
    make.send(space, series, (2890, 9.0))
    assert forecasting._usable(space, [series.pk], start, end)[2].max() < 4
    given = {"start": make.T0, "end": make.T0 + timedelta(hours=1), "kind": "offset", "value": 1.0, "reason": "x"}
    services.correct_readings(series, space=space, by=SYSTEM, **given)
    which, _time, value = forecasting._usable(space, [series.pk], start, end)
    assert (which == series.pk).all()
    assert value[:8].tolist() == pytest.approx([3.4, 3.4, 3.4, 3.401, 3.401, 3.402, 3.402, 2.403], abs=2e-3)
