"""A task is given from the desk to those in one's reach, and confirmed by who gave it or by the duty room. 3.2.1, 3.2.3."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from haitang.accounts.verbs import Forbidden, Refused
from haitang.obligations import services
from haitang.obligations.models import Obligation
from haitang.obligations.tests import factories as make


def give(
    house: SimpleNamespace,
    by: str,
    *owners: str,
    kind: str = "obligations.task",
    due: float = 60,
    title: str = "巡查海塘",
) -> list[Obligation]:
    bodies = [getattr(house, name) for name in owners]
    return services.order(
        space=house.space, kind=kind, owners=bodies, title_zh=title, due_at=make.at(due), by=getattr(house, by)
    )


def test_the_district_gives_tasks_to_townships_who_are_told_at_once(house: SimpleNamespace) -> None:
    east, west = give(house, "duty", "east", "west")
    assert (east.owner, west.owner, east.issued_by, east.next_at) == (house.east, house.west, house.duty, make.T0)
    assert services.run_due(house.space) == 2


def test_a_township_gives_tasks_to_its_villages_and_enterprises_and_to_nobody_else(house: SimpleNamespace) -> None:
    assert len(give(house, "mayor", "village", "works", "east")) == 3
    for outside in ("west", "water", "bureau"):
        with pytest.raises(Forbidden):
            give(house, "mayor", "village", outside)
    assert Obligation.objects.count() == 3


@pytest.mark.parametrize("name", ["grid", "safety", "resident", "admin"])
def test_others_give_no_tasks(house: SimpleNamespace, name: str) -> None:
    with pytest.raises(Forbidden):
        give(house, name, "east")


def test_nobody_gives_a_task_to_a_body_above_the_own(house: SimpleNamespace) -> None:
    with pytest.raises(Forbidden):
        give(house, "officer", "bureau")
    assert give(house, "officer", "east", "works")


def test_a_task_needs_words_somebody_and_time(house: SimpleNamespace) -> None:
    for wrong in ({"title": " "}, {"due": 0}):
        with pytest.raises(Refused):
            give(house, "duty", "east", **wrong)
    with pytest.raises(Refused):
        give(house, "duty")


def test_one_under_supervision_is_confirmed_by_who_gave_it(house: SimpleNamespace, signed_in: Any) -> None:
    [row] = give(house, "officer", "east", kind="obligations.supervised")
    services.complete(row, by=house.mayor)
    page = signed_in("officer").get("/obligations/")
    assert f"/obligations/{row.pk}/confirm/" in page.content.decode()
    with pytest.raises(Forbidden):
        services.confirm(row, by=house.head)
    assert services.confirm(row, by=house.officer).state == "confirmed"


def test_the_form_gives_it_and_says_what_is_wrong(house: SimpleNamespace, signed_in: Any) -> None:
    client = signed_in("duty")
    filled = {
        "title_zh": "巡查海塘", "due_at": "2024-09-15T12:00", "kind": "obligations.supervised", "owners": [house.east.pk, house.west.pk], "colour": "red",
    }  # fmt: skip
    assert "东港镇" in client.get("/obligations/new/").content.decode()
    assert client.post("/obligations/new/", filled).url == "/obligations/?tab=all"
    assert set(Obligation.objects.values_list("owner__code", "colour", "due_at")) == {
        ("E", "red", make.at(240)),
        ("W", "red", make.at(240)),
    }
    assert client.post("/obligations/new/", {**filled, "owners": []}).status_code == 400
    assert signed_in("mayor").post("/obligations/new/", {**filled, "owners": [house.west.pk]}).status_code == 400
    assert signed_in("grid").get("/obligations/new/").status_code == 403
