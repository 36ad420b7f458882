"""Exercises are opened and closed by who commands; a visitor of the platform chooses which world he looks at. P1."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import User
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry
from haitang.spaces.clock import now
from haitang.spaces.models import ClockMode, Space
from haitang.spaces.services import close_exercise, open_exercise, step_to

START = datetime(2024, 9, 14, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def person(role: Role) -> User:
    return User.objects.create_user(role.value, name_zh=role.value, role=role)


def test_there_is_one_live_space() -> None:
    assert Space.live() == Space.live()
    assert not Space.live().is_exercise
    assert Space.objects.filter(kind="live").count() == 1


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({}, ClockMode.REAL),
        ({"start": START}, ClockMode.SCALED),
        ({"speed": 60.0}, ClockMode.SCALED),
        ({"start": START, "stepped": True}, ClockMode.STEPPED),
    ],
)
def test_an_exercise_has_the_clock_that_it_was_opened_with(given: dict[str, object], mode: ClockMode) -> None:
    space = open_exercise(name_zh="演练", by=SYSTEM, **given)  # type: ignore[arg-type]
    assert space.is_exercise and space.is_open
    assert space.clock_mode == mode
    if "start" in given:
        assert START <= now(space) < START + timedelta(minutes=5)


def test_two_exercises_of_one_scenario_stand_beside_each_other() -> None:
    one = open_exercise(name_zh="演练一", by=SYSTEM, scenario="bebinca")
    other = open_exercise(name_zh="演练二", by=SYSTEM, scenario="bebinca")
    assert one.slug != other.slug
    assert one.slug.startswith("bebinca-")
    assert open_exercise(name_zh="纯中文名称", by=SYSTEM).slug.startswith("exercise-")


def test_a_closed_exercise_stands_still_and_keeps_its_record() -> None:
    space = open_exercise(name_zh="演练", by=SYSTEM, start=START, stepped=True)
    step_to(space, START + timedelta(hours=1))
    close_exercise(space, by=SYSTEM)
    assert not space.is_open
    assert now(space) == START + timedelta(hours=1)
    close_exercise(space, by=SYSTEM)  # again: nothing happens
    assert list(Entry.objects.filter(space=space).order_by("seq").values_list("verb", flat=True)) == [
        "spaces.open", "spaces.close",
    ]  # fmt: skip


def test_the_live_space_cannot_be_closed() -> None:
    with pytest.raises(Refused):
        close_exercise(Space.live(), by=SYSTEM)


@pytest.mark.parametrize("role", list(Role))
def test_who_may_open_an_exercise(role: Role) -> None:
    someone = person(role)
    if role in {Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER}:
        assert open_exercise(name_zh="演练", by=someone).pk
    else:
        with pytest.raises(Forbidden):
            open_exercise(name_zh="演练", by=someone)
        assert not Space.objects.filter(kind="exercise").exists()


def test_the_chosen_space_is_kept_in_the_session(client: Client) -> None:
    space = open_exercise(name_zh="演练", by=SYSTEM)
    client.force_login(person(Role.TOWNSHIP))
    assert client.get("/journal/stream-address/").wsgi_request.space == Space.live()  # type: ignore[attr-defined]
    answer = client.post(f"/spaces/switch/{space.pk}/", {"next": "/desk/"})
    assert answer["Location"] == "/desk/"
    assert client.get("/journal/stream-address/").wsgi_request.space == space  # type: ignore[attr-defined]


@pytest.mark.parametrize("target", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"])
def test_the_switch_leads_to_no_other_site(client: Client, target: str) -> None:
    client.force_login(person(Role.TOWNSHIP))
    answer = client.post(f"/spaces/switch/{Space.live().pk}/", {"next": target})
    assert answer["Location"] == "/"


def test_a_space_that_is_gone_leads_back_to_the_live_one(client: Client) -> None:
    space = open_exercise(name_zh="演练", by=SYSTEM)
    client.force_login(person(Role.TOWNSHIP))
    client.post(f"/spaces/switch/{space.pk}/")
    session = client.session
    session["space"] = 999_999
    session.save()
    assert client.get("/journal/stream-address/").wsgi_request.space == Space.live()  # type: ignore[attr-defined]
    assert client.post("/spaces/switch/999999/").status_code == 404


def test_a_visitor_cannot_choose_and_a_link_cannot_switch(client: Client) -> None:
    space = open_exercise(name_zh="演练", by=SYSTEM)
    assert client.post(f"/spaces/switch/{space.pk}/").status_code == 302
    assert "space" not in client.session
    client.force_login(person(Role.TOWNSHIP))
    assert client.get(f"/spaces/switch/{space.pk}/").status_code == 405
