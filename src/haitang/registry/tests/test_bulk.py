"""Many rows are changed at once: chosen, looked at, confirmed. Nothing happens before. 3.4.4."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from haitang.journal.models import Entry
from haitang.registry.tests.factories import World, shelter
from haitang.resources.models import Shelter

SignIn = Callable[[str], Client]
BULK = "/registers/shelters/bulk"


def test_a_preview_says_what_would_change_and_changes_nothing(world: World, sign_in: SignIn) -> None:
    rows = [shelter(world, name_zh=f"第{k}中学", capacity=100 + k) for k in range(3)]
    picks = [row.pk for row in rows]
    client = sign_in("east")
    first = client.post(BULK, {"pick": picks, "do": "edit"})
    assert (
        first.status_code == 200
        and "set_capacity" in first.content.decode()
        and 'name="set_code"' not in first.content.decode()
    )
    page = client.post(BULK, {"pick": picks, "set_capacity": "1", "capacity": "101", "preview": "1"}).content.decode()
    assert "第0中学" in page and "第1中学" not in page.split("<tbody")[1].split("</tbody")[0]
    assert sorted(Shelter.objects.values_list("capacity", flat=True)) == [100, 101, 102]


def test_confirming_changes_all_with_one_entry_each(world: World, sign_in: SignIn) -> None:
    rows = [shelter(world, capacity=100 + k) for k in range(3)]
    response = sign_in("east").post(
        BULK,
        {
            "pick": [row.pk for row in rows],
            "set_capacity": "1",
            "capacity": "101",
            "set_source": "1",
            "source": "普查",
            "confirm": "1",
        },
    )
    assert response.status_code == 302
    assert set(Shelter.objects.values_list("capacity", "source")) == {(101, "普查")}
    entries = Entry.objects.filter(verb="registry.resources.shelter.edit")
    assert entries.count() == 3 and sorted(len(entry.after) for entry in entries) == [1, 2, 2]


def test_a_value_that_does_not_do_is_refused_for_all(world: World, sign_in: SignIn) -> None:
    rows = [shelter(world) for _ in range(2)]
    response = sign_in("east").post(
        BULK, {"pick": [row.pk for row in rows], "set_capacity": "1", "capacity": "-1", "confirm": "1"}
    )
    assert response.status_code == 422 and "errorlist" in response.content.decode()
    assert set(Shelter.objects.values_list("capacity", flat=True)) == {200}


def test_rows_out_of_reach_stop_it(world: World, sign_in: SignIn) -> None:
    mine, other = shelter(world), shelter(world, "west")
    form = {"pick": [mine.pk, other.pk], "set_capacity": "1", "capacity": "1", "confirm": "1"}
    sign_in("east").post(BULK, form)
    other.refresh_from_db()
    assert other.capacity == 200
    mine.refresh_from_db()
    assert mine.capacity == 200


def test_a_grid_worker_changes_nothing(world: World, sign_in: SignIn) -> None:
    row = shelter(world)
    response = sign_in("grid").post(BULK, {"pick": [row.pk], "set_capacity": "1", "capacity": "1", "confirm": "1"})
    row.refresh_from_db()
    assert row.capacity == 200 and response.status_code == 403


def test_all_that_were_found_can_be_chosen(world: World, sign_in: SignIn) -> None:
    for k in range(30):
        shelter(world, kind="sports" if k < 27 else "school")
    response = sign_in("east").post(
        BULK, {"all": "1", "query": "kind=sports&page=2", "set_note": "1", "note": "已核", "confirm": "1"}
    )
    assert response.status_code == 302
    assert Shelter.objects.filter(note="已核").count() == 27


def test_the_chosen_are_archived_together(world: World, sign_in: SignIn) -> None:
    rows = [shelter(world) for _ in range(3)]
    sign_in("east").post(BULK, {"pick": [rows[0].pk, rows[1].pk], "do": "archive"})
    assert Shelter.objects.current().get() == rows[2]
    assert Entry.objects.filter(verb="registry.resources.shelter.archive").count() == 2


def test_choosing_nothing_says_so(world: World, sign_in: SignIn) -> None:
    response = sign_in("east").post(BULK, {"do": "edit"}, follow=True)
    assert [str(message) for message in response.context["messages"]]
