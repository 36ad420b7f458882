"""Shelters open, people are counted in them, and every count stays: a series for each space and time. 3.4.5, P1."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry
from haitang.registry.tests import factories
from haitang.registry.tests.factories import T0, World, exercise, shelter
from haitang.resources import queries, services
from haitang.resources.models import HeadCount, ShelterState
from haitang.spaces.models import Space


def at(space: Space, minute: float) -> None:
    space.clock_base = T0 + timedelta(minutes=minute)
    space.save()


def test_a_later_count_does_not_overwrite_an_earlier_one(world: World) -> None:
    space, row = exercise(), shelter(world, capacity=100)
    for minute, people in ((0, 20), (30, 55), (60, 40)):
        at(space, minute)
        services.count_heads(row, space=space, people=people, by=world["grid"])
    assert list(HeadCount.objects.order_by("at").values_list("people", flat=True)) == [20, 55, 40]
    assert queries.shelters_now(space, [row.pk])[row.pk].inside == 40
    for minute, people in ((-1, None), (0, 20), (29, 20), (30, 55), (600, 40)):
        seen = queries.shelters_now(space, [row.pk], T0 + timedelta(minutes=minute))[row.pk]
        assert (seen.people, seen.is_open) == (people, people is not None)


def test_a_count_that_arrives_late_does_not_take_the_place_of_a_later_one(world: World) -> None:
    space, row = exercise(), shelter(world)
    at(space, 60)
    services.count_heads(row, space=space, people=80, by=world["grid"])
    services.count_heads(row, space=space, people=10, by=world["grid"], at=T0 + timedelta(minutes=5))
    assert queries.shelters_now(space, [row.pk])[row.pk].inside == 80
    assert queries.shelters_now(space, [row.pk], T0 + timedelta(minutes=30))[row.pk].people == 10
    with pytest.raises(Refused):
        services.count_heads(row, space=space, people=1, by=world["grid"], at=T0 + timedelta(hours=2))


def test_what_is_counted_in_an_exercise_stays_there(world: World) -> None:
    space, row = exercise(), shelter(world)
    services.count_heads(row, space=space, people=30, by=world["grid"])
    assert queries.people_in_shelters(space) == 30
    assert queries.people_in_shelters(Space.live()) == 0
    assert not queries.shelters_now(Space.live(), [row.pk])[row.pk].is_open


def test_opening_closing_and_reopening(world: World) -> None:
    space, row = exercise(), shelter(world)
    first = services.open_shelter(row, space=space, by=world["east"])
    assert services.open_shelter(row, space=space, by=world["east"]) == first
    services.count_heads(row, space=space, people=5, by=world["grid"])
    with pytest.raises(Refused, match="5"):
        services.close_shelter(row, space=space, by=world["east"])
    services.count_heads(row, space=space, people=0, by=world["grid"])
    at(space, 10)
    services.close_shelter(row, space=space, by=world["east"])
    with pytest.raises(Refused):
        services.close_shelter(row, space=space, by=world["east"])
    services.open_shelter(row, space=space, by=world["east"])
    assert ShelterState.objects.count() == 2
    row.archived_at = T0
    row.save()
    with pytest.raises(Refused):
        services.open_shelter(row, space=exercise(), by=world["east"])


def test_the_journal_tells_where_how_many_and_of_how_much_room(world: World) -> None:
    space, row = exercise(), shelter(world, capacity=100, name_zh="东港中学", name_en="Donggang School")
    services.count_heads(
        row, space=space, people=60, by=world["grid"], source="网格员清点", thread="incidents.incident:7"
    )
    services.count_heads(row, space=space, people=130, by=world["grid"])
    first, second = Entry.objects.filter(space=space, verb="resources.count_heads").order_by("seq")
    assert first.after["people"] == 60 and first.after["capacity"] == 100 and first.before["people"] is None
    assert first.thread == "incidents.incident:7" and first.place_path == row.place.path
    assert "60" in first.text_zh and "Donggang School" in first.text_en
    assert second.colour == "orange" and "超员" in second.text_zh and second.before["people"] == 60


@pytest.mark.parametrize("people", [-1, 100_001])
def test_a_count_that_cannot_be_is_refused(world: World, people: int) -> None:
    with pytest.raises(Refused):
        services.count_heads(shelter(world), space=exercise(), people=people, by=SYSTEM)


@pytest.mark.parametrize(
    ("name", "may"),
    [("grid", True), ("east", True), ("duty", True), ("west", False), ("enterprise", False), ("resident", False)],
)
def test_only_who_is_near_or_above_counts(world: World, name: str, may: bool) -> None:
    row = shelter(world)
    if may:
        services.count_heads(row, space=exercise(), people=1, by=world[name])
    else:
        with pytest.raises(Forbidden):
            services.count_heads(row, space=exercise(), people=1, by=world[name])
    assert HeadCount.objects.exists() == may


def test_people_are_summed_by_place(world: World) -> None:
    space = exercise()
    for side, people in (("east", 10), ("village", 5), ("west", 3)):
        services.count_heads(shelter(world, side), space=space, people=people, by=SYSTEM)
    assert queries.people_in_shelters(space, place=world.places["east"]) == 15
    assert queries.people_in_shelters(space) == 18


class TestSeries(TestCase):
    @settings(max_examples=15)
    @given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 300)), min_size=1, max_size=6))
    def test_the_newest_by_its_time_is_the_present(self, counts: list[tuple[int, int]]) -> None:
        world = factories.world()
        space, row = factories.exercise(T0 + timedelta(minutes=60)), factories.shelter(world)
        for minute, people in counts:
            services.count_heads(row, space=space, people=people, by=SYSTEM, at=T0 + timedelta(minutes=minute))
        newest = max(enumerate(counts), key=lambda pair: (pair[1][0], pair[0]))[1]
        assert queries.shelters_now(space, [row.pk])[row.pk].people == newest[1]
        assert HeadCount.objects.filter(space=space, is_newest=True).count() == 1
