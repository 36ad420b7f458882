"""A register's list: search, filter, order, pages, saved views, and what a list may cost. 3.4.4, P1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from haitang.geo.models import Feature, Place
from haitang.registry.models import SavedView
from haitang.registry.tests import factories
from haitang.registry.tests.factories import World, shelter, team
from haitang.resources.models import Shelter, Skill, Supply, Team

SignIn = Callable[[str], Client]
LIST = "/registers/shelters/"


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response.content[:500]
    return response.content.decode()


def test_every_word_of_the_search_must_occur(world: World, sign_in: SignIn) -> None:
    shelter(world, name_zh="东港中学", address="学府路 8 号")
    shelter(world, name_zh="东港小学", address="农园路 1 号")
    page = text_of(sign_in("duty"), f"{LIST}?q=东港 学府")
    assert "东港中学" in page and "东港小学" not in page


def test_a_place_finds_all_below_it(world: World, sign_in: SignIn) -> None:
    shelter(world, "village", name_zh="东一村礼堂")
    shelter(world, "west", name_zh="西港礼堂")
    page = text_of(sign_in("duty"), f"{LIST}?place=900001")
    assert "东一村礼堂" in page and "西港礼堂" not in page
    assert "西港礼堂" not in text_of(sign_in("duty"), f"{LIST}?place=nowhere")


def test_choices_numbers_and_words_filter(world: World, sign_in: SignIn) -> None:
    shelter(world, name_zh="小体育馆", kind="sports", capacity=50)
    shelter(world, name_zh="大体育馆", kind="sports", capacity=900)
    shelter(world, name_zh="大学校", kind="school", capacity=900)
    page = text_of(sign_in("duty"), f"{LIST}?kind=sports&capacity_from=100")
    assert "大体育馆" in page and "小体育馆" not in page and "大学校" not in page
    team(world, name_zh="水上救援队", skills=[Skill.WATER, Skill.MEDICAL])
    team(world, name_zh="森林扑火队", skills=[Skill.FOREST])
    page = text_of(sign_in("duty"), "/registers/teams/?skills=medical")
    assert "水上救援队" in page and "森林扑火队" not in page


def test_columns_sort_both_ways(world: World, sign_in: SignIn) -> None:
    for capacity in (300, 100, 200):
        shelter(world, name_zh=f"容{capacity}", capacity=capacity)
    up, down = (text_of(sign_in("duty"), f"{LIST}?sort={sign}capacity") for sign in ("", "-"))
    assert up.index("容100") < up.index("容200") < up.index("容300")
    assert down.index("容300") < down.index("容200") < down.index("容100")
    assert 'aria-sort="descending"' in down


def test_what_an_address_asks_amiss_is_passed_over(world: World, sign_in: SignIn) -> None:
    shelter(world, name_zh="东港中学")
    for query in ("sort=phone", "sort=nothing", "kind=castle", "capacity_from=many", "page=x", "page=999", "per=7", "shown=maybe",
                  "q=%00%ED%A0%80", "capacity_to=1e999", "place=%27%22"):  # fmt: skip
        assert sign_in("duty").get(f"{LIST}?{query}").status_code == 200, query
    assert "东港中学" in text_of(sign_in("duty"), f"{LIST}?kind=castle&capacity_from=nan&sort=manager")


def test_archived_rows_are_shown_only_when_asked_for(world: World, sign_in: SignIn) -> None:
    shelter(world, name_zh="旧礼堂", archived_at=factories.T0)
    shelter(world, name_zh="新礼堂")
    assert "旧礼堂" not in text_of(sign_in("duty"), LIST)
    assert "新礼堂" not in text_of(sign_in("duty"), f"{LIST}?shown=archived")
    everything = text_of(sign_in("duty"), f"{LIST}?shown=all")
    assert "旧礼堂" in everything and "新礼堂" in everything


def test_values_are_escaped(world: World, sign_in: SignIn) -> None:
    shelter(world, name_zh="<script>alert(1)</script>", address='"><img src=x>')
    page = text_of(sign_in("duty"), LIST)
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert '"><img' not in text_of(sign_in("duty"), f'{LIST}?q="><img src=x>')


def test_demonstration_rows_are_marked(world: World, sign_in: SignIn) -> None:
    shelter(world, is_demo=True)
    assert "mark-simulated" in text_of(sign_in("duty"), LIST)


@pytest.mark.parametrize(
    ("url", "model", "fields"),
    [(LIST, Shelter, {"kind": "school", "capacity": 10}), ("/registers/teams/", Team, {"kind": "fire", "members": 3}),
     ("/registers/supplies/", Supply, {"kind": "food", "stock": 1, "unit": "箱"})],
)  # fmt: skip
def test_a_thousand_rows_cost_as_many_queries_as_ten(
    world: World, sign_in: SignIn, url: str, model: type[Model], fields: dict[str, Any]
) -> None:
    common = {"place": world.places["east"], "owner": world.bodies["east"], **fields}
    counts = []
    for more in (10, 990):
        model._default_manager.bulk_create(
            [model(code=f"{more}-{k:04}", name_zh=f"第{k}", **common) for k in range(more)]
        )
        client = sign_in("duty")
        client.get(f"{url}?per=100")
        with CaptureQueriesContext(connection) as seen:
            assert client.get(f"{url}?per=100").status_code == 200
        counts.append(len(seen))
    assert counts[1] <= counts[0]


def test_a_list_does_not_read_shapes(world: World, sign_in: SignIn) -> None:
    shelter(world)
    client = sign_in("duty")
    with CaptureQueriesContext(connection) as seen:
        client.get(LIST)
    assert not [query["sql"] for query in seen if '"resources_shelter"."geometry"' in query["sql"]]


def test_pages_follow_each_other(world: World, sign_in: SignIn) -> None:
    Shelter.objects.bulk_create([
        Shelter(code=f"P-{k:03}", name_zh=f"第{k}", kind="school", place=world.places["east"], owner=world.bodies["east"], capacity=1)
        for k in range(60)
    ])  # fmt: skip
    client = sign_in("duty")
    first, third = text_of(client, LIST), text_of(client, f"{LIST}?page=3")
    assert "P-000" in first and "P-025" not in first and "P-050" in third and "P-059" in third
    assert "1–25" in first and "60" in first


def test_a_saved_view_is_one_persons_own(world: World, sign_in: SignIn) -> None:
    client = sign_in("duty")
    client.post(f"{LIST}views", {"name": "大的", "query": "capacity_from=500&page=4"})
    view = SavedView.objects.get()
    assert view.query == "capacity_from=500" and view.user == world["duty"]
    assert "大的" in text_of(client, LIST)
    other = sign_in("east")
    assert "大的" not in text_of(other, LIST)
    assert other.post(f"{LIST}views/{view.pk}/delete").status_code == 404
    sign_in("duty").post(f"{LIST}views/{view.pk}/delete")
    assert not SavedView.objects.exists()


def test_the_live_part_comes_without_the_frame(world: World, sign_in: SignIn) -> None:
    shelter(world, name_zh="东港中学")
    part = sign_in("duty").get(LIST, headers={"HX-Request": "true", "HX-Target": "rows"}).content.decode()
    assert "东港中学" in part and "<html" not in part


def test_the_ground_is_registered_too(world: World, sign_in: SignIn) -> None:
    Feature.objects.create(code="R1", kind="river", name_zh="南横引河", geometry="LINESTRING(121.3 31.6, 121.5 31.6)")
    client = sign_in("admin")
    assert "东港镇" in text_of(client, "/registers/places/?level=township")
    assert "南横引河" in text_of(client, "/registers/features/")
    assert client.get("/registers/outlines/").status_code == 200
    assert str(Place._meta.verbose_name_plural) in text_of(client, "/registers/")


def test_who_has_no_business_here_finds_nothing(world: World, sign_in: SignIn, client: Client) -> None:
    assert client.get(LIST).status_code == 302
    assert sign_in("resident").get(LIST).status_code == 404
    assert sign_in("social").get("/registers/places/").status_code == 404
    assert sign_in("duty").get("/registers/castles/").status_code == 404
