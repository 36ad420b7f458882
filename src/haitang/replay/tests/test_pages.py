"""Scenarios, runs and their controls on screen, for whom they are. Issue 2.5; scope."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import User
from haitang.geo.catalogue import LAYERS, Look
from haitang.geo.models import Level, Place
from haitang.replay import headless, library, services
from haitang.replay.models import Run, RunState
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(sanzhou: str) -> dict[str, User]:
    return {user.username: user for user in User.objects.all()}


@pytest.fixture
def as_(client, people, settings):
    settings.DEMO = True  # the pack's invented people need no second factor

    def sign_in(name: str):
        client.force_login(people[name])
        return client

    return sign_in


def test_one_press_on_the_desk_starts_the_storm_and_shows_it(as_) -> None:
    client = as_("commander")
    assert "小台风" in client.get("/").content.decode()
    answer = client.post(reverse("replay:start"), {"scenario": "tiny"}, follow=True)
    run = Run.objects.get()
    assert answer.redirect_chain[-1][0] == run.get_absolute_url()
    assert client.session["space"] == run.space_id, "the visitor looks at the new exercise"
    assert set(run.parts) == {"duty", "command", "departments", "townships"} and run.speed == 240
    page = client.get("/").content.decode()
    assert reverse("replay:pause", args=[run.pk]) in page and reverse("replay:speed", args=[run.pk]) in page


def test_taking_part_leaves_what_was_chosen_to_the_visitor(as_) -> None:
    client = as_("duty")
    assert client.get(reverse("replay:start"), {"scenario": "tiny"}).status_code == 200
    client.post(reverse("replay:start"), {"scenario": "tiny", "how": "district", "speed": "60"})
    assert set(Run.objects.get().parts) == {"departments", "townships"}
    services.stop(Run.objects.get(), by=SYSTEM)
    body = User.objects.get(username="dongzhou").organisation
    client.post(reverse("replay:start"), {"scenario": "tiny", "how": "township", "speed": "60", "township": body.pk})
    run = Run.objects.order_by("-pk").first()
    assert run is not None and run.spared == [body.code]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"how": "township", "speed": "60"}, "township"),
        ({"how": "watch", "speed": "0"}, "speed"),
        ({"how": "?", "speed": "60"}, "how"),
    ],
)
def test_a_bad_choice_is_said_at_its_field(as_, given: dict[str, str], field: str) -> None:
    answer = as_("commander").post(reverse("replay:start"), {"scenario": "tiny", **given})
    assert field in answer.context["form"].errors and not Run.objects.exists()


def test_controls_pause_resume_quicken_and_stop(as_) -> None:
    client = as_("commander")
    client.post(reverse("replay:start"), {"scenario": "tiny"})
    run = Run.objects.get()
    for name, more, state in (
        ("pause", {}, "paused"),
        ("resume", {}, "running"),
        ("speed", {"speed": "600"}, "running"),
        ("stop", {}, "stopped"),
    ):
        client.post(reverse(f"replay:{name}", args=[run.pk]), more)
        run.refresh_from_db()
        assert run.state == state
    assert run.speed == 600 and not Space.objects.get(pk=run.space_id).is_open
    answer = client.post(reverse("replay:speed", args=[run.pk]), {"speed": "fast"}, follow=True)
    assert "fast" in answer.content.decode()


def test_who_may_look_and_who_may_start(as_, people) -> None:
    services.start("tiny", by=people["commander"], pack="sanzhou")
    run = Run.objects.get()
    pages = [reverse("replay:index"), run.get_absolute_url()]
    for name in ("dongzhou", "water", "grid"):
        client = as_(name)
        assert all(client.get(page).status_code == 200 for page in pages), name
        assert client.post(reverse("replay:start"), {"scenario": "tiny"}).status_code == 403
        assert client.post(reverse("replay:pause", args=[run.pk])).status_code == 403
        assert reverse("replay:pause", args=[run.pk]) not in client.get(pages[1]).content.decode()
    for name in ("enterprise", "social"):
        assert all(as_(name).get(page).status_code in {403, 404} for page in pages), name
    assert Run.objects.get().state == RunState.RUNNING


def test_the_run_page_sets_history_beside_the_exercise_and_the_map_shows_the_storm(as_, people) -> None:
    until = library.find("tiny", "sanzhou").start + timedelta(minutes=61)
    space = headless.run("tiny", pack="sanzhou", parts=(), until=until).space
    client = as_("commander")
    client.post(reverse("spaces:switch", args=[space.pk]))
    run = Run.objects.get(space=space)
    page = client.get(run.get_absolute_url()).content.decode()
    assert "发布台风黄色预警（虚构）" in page and "replay.storm" in page
    look = Look(user=people["commander"], space=space, at=run.begin + timedelta(minutes=61))
    assert LAYERS["replay.storm"].at(look).count() == 2
    ring = LAYERS["replay.ring"].at(look).get()
    assert 1.0 < (ring.east - ring.west) < 3.0


def test_a_scenario_that_cannot_be_read_is_listed_with_what_is_wrong(as_, settings, tmp_path) -> None:
    folder = tmp_path / "sanzhou" / "scenarios"
    folder.mkdir(parents=True)
    (tmp_path / "sanzhou" / "pack.toml").write_text("name_zh = '三洲'\n", encoding="utf-8")
    (folder / "broken.toml").write_text("name_zh = '坏'\n", encoding="utf-8")
    settings.PACKS = tmp_path
    page = as_("commander").get(reverse("replay:index")).content.decode()
    assert "broken" in page and "start" in page


def test_the_list_costs_the_same_for_one_run_and_for_many(as_, people, django_assert_max_num_queries) -> None:
    client = as_("commander")
    for _number in range(3):
        services.stop(services.start("tiny", by=people["commander"], pack="sanzhou"), by=SYSTEM)
    with django_assert_max_num_queries(40):
        client.get(reverse("replay:index"))


def test_a_storm_is_changed_and_run_as_an_exercise(as_) -> None:
    """What if it came onto the highest water over a higher sea: the answer, then the exercise with the same change."""
    client, page = as_("commander"), reverse("replay:what_if")
    assert client.get(page).status_code == 200
    asked = {"scenario": "tiny", "east_km": "-20", "sea_m": "1", "gauge": "SZ-TIDE", "high_water": "on"}
    answer = client.get(page, asked)
    text = answer.content.decode()
    assert answer.status_code == 200 and "东洲" in text and answer.context["change"].sea_m == 1
    found = answer.context["found"]
    assert all(each.difference > 0.5 for each in found.gauges) and found.chart["series"][1]["data"]
    # The district's stations are in the list, its residents are counted once.
    _, _, residents = (changed for _, _, changed in found.tiles)
    assert residents <= Place.objects.get(level=Level.DISTRICT).population
    client.post(page, asked)
    run = Run.objects.get()
    assert run.what_if == answer.context["change"] and "假设推演" in run.name_zh
    assert client.get(run.get_absolute_url()).status_code == 200


def test_a_change_out_of_bounds_is_said_at_its_field_and_nobody_else_may_start(as_) -> None:
    page = reverse("replay:what_if")
    answer = as_("duty").get(page, {"scenario": "tiny", "east_km": "9000"})
    assert answer.context["form"].errors["east_km"] and "found" not in answer.context
    assert as_("enterprise").get(page).status_code == 403
