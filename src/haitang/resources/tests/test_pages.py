"""The page of all resources, the panels of one, the layers at the slider's time, and the packs. P1, 3.4.4."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client

from haitang.accounts.actors import SYSTEM
from haitang.geo.catalogue import LAYERS, SEARCH_SOURCES, Look
from haitang.onemap import features
from haitang.packs import Pack, PackError
from haitang.registry.tests.factories import T0, World, exercise, shelter, supply, team
from haitang.resources import pack, services
from haitang.resources.models import Shelter, StockMove, Supply, Team
from haitang.spaces.models import Space

SignIn = Callable[[str], Client]


def test_the_overview_shows_what_is_full_busy_and_short(world: World, sign_in: SignIn) -> None:
    live = Space.live()
    services.count_heads(shelter(world, name_zh="东港中学", capacity=100), space=live, people=90, by=SYSTEM)
    services.set_team_status(team(world), space=live, status="assigned", by=SYSTEM)
    supply(world, name_zh="编织袋", stock=10)
    page = sign_in("duty").get("/resources/").content.decode()
    assert "东港中学" in page and 'aria-valuenow="90"' in page and "编织袋" in page
    elsewhere = sign_in("west").get("/resources/").content.decode()
    assert "东港中学" not in elsewhere and "编织袋" not in elsewhere
    assert sign_in("resident").get("/resources/").status_code == 403


def test_the_overview_costs_the_same_for_many(world: World, sign_in: SignIn) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    for more in (3, 40):
        for _ in range(more):
            shelter(world), team(world), supply(world, stock=1)
        client = sign_in("duty")
        client.get("/resources/")
        with CaptureQueriesContext(connection) as seen:
            client.get("/resources/")
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_a_shelters_page_counts_opens_and_closes(world: World, sign_in: SignIn) -> None:
    row = shelter(world, code="S1", capacity=100)
    client = sign_in("east")
    assert client.post(f"/resources/shelters/{row.pk}/open").status_code == 302
    page = client.post(f"/resources/shelters/{row.pk}/heads", {"people": "42"}, follow=True).content.decode()
    assert "42" in page and f"/resources/shelters/{row.pk}/close" in page
    client.post(
        f"/resources/shelters/{row.pk}/heads",
        {"people": "lots"},
        headers={"Referer": "http://testserver/registers/shelters/row/S1"},
    )
    assert row.head_counts.count() == 1
    assert sign_in("west").post(f"/resources/shelters/{row.pk}/heads", {"people": "1"}).status_code == 404


def test_a_teams_page_offers_what_may_follow(world: World, sign_in: SignIn) -> None:
    row = team(world, code="T1")
    client = sign_in("east")
    page = client.get("/registers/teams/row/T1").content.decode()
    assert 'value="assigned"' in page and 'value="on_scene"' not in page
    client.post(f"/resources/teams/{row.pk}/status", {"status": "assigned", "task": "排涝"})
    assert "排涝" in client.get("/registers/teams/row/T1").content.decode()
    assert 'value="assigned"' not in sign_in("grid").get("/registers/teams/row/T1").content.decode()


def test_a_supplys_page_takes_and_brings_back(world: World, sign_in: SignIn) -> None:
    row = supply(world, code="P1", stock=100)
    client = sign_in("east")
    client.post(f"/resources/supplies/{row.pk}/take", {"quantity": "30", "to": "抢险"})
    client.post(f"/resources/supplies/{row.pk}/return", {"quantity": "5"})
    row.refresh_from_db()
    assert row.stock == 75 and "抢险" in client.get("/registers/supplies/row/P1").content.decode()


def test_the_layers_show_the_moment_looked_at(world: World) -> None:
    space = exercise()
    row = shelter(world, name_zh="东港中学", capacity=100)
    shelter(world, "west")
    sent = team(world, geometry="POINT(121.4 31.6)")
    services.count_heads(row, space=space, people=85, by=SYSTEM)
    services.set_team_status(sent, space=space, status="assigned", by=SYSTEM)

    def look(minute: float) -> Look:
        return Look(user=world["east"], space=space, at=T0 + timedelta(minutes=minute), is_past=minute < 0)

    layer = LAYERS["resources.shelters"]
    (now,) = features.read(layer, look(0), layer.at(look(0))).properties
    assert (now["level"], now["people"], now["code"]) == ("filling", 85, row.code) and now[
        "url"
    ] == row.get_absolute_url()
    (before,) = features.read(layer, look(-1), layer.at(look(-1))).properties
    assert before["level"] == "closed"
    (moving,) = features.read(LAYERS["resources.teams"], look(0), LAYERS["resources.teams"].at(look(0))).properties
    assert moving["status"] == "assigned"
    assert {"registry.resources.shelter.", "resources.count_heads"} <= set(layer.live)


def test_resources_are_found_within_reach(world: World) -> None:
    shelter(world, name_zh="东港中学", code="SH-77")
    for name, found in (("east", 1), ("west", 0), ("resident", 0)):
        look = Look(user=world[name], space=Space.live(), at=T0)
        assert len(list(SEARCH_SOURCES["resources.shelters"].search(look, "东港", 5))) == found


def pack_of(tmp_path: Path, **files: str) -> Pack:
    (tmp_path / "pack.toml").write_text('name = "试验"\n')
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return Pack(tmp_path)


SHELTERS = "code,name_zh,kind,place,owner,capacity,lon,lat,is_demo\nS1,东港中学,school,900001,EAST,300,121.5,31.5,1\n"
TEAMS = "code,name_zh,kind,skills,place,owner,members,vehicles\nT1,东港队,grassroots,flood|water,900001,EAST,20,\n"
SUPPLIES = (
    "code,name_zh,kind,place,owner,unit,stock,minimum,expires_on\nP1,编织袋,flood,900001,EAST,条,1000,500,2027-05-31\n"
)


def test_a_pack_is_loaded_and_loading_it_again_changes_nothing(world: World, tmp_path: Path) -> None:
    from haitang.journal.models import Entry

    brought = pack_of(tmp_path, shelters=SHELTERS, teams=TEAMS, supplies=SUPPLIES)
    for take in (pack.shelters, pack.teams, pack.supplies):
        assert take(brought, SYSTEM) == 1
    row = Shelter.objects.get()
    assert (row.capacity, row.west, row.is_demo, row.setting) == (300, 121.5, True, "indoor")
    assert Team.objects.get().skills == ["flood", "water"] and Team.objects.get().vehicles == 0
    assert Supply.objects.get().stock == 1000 and StockMove.objects.get().balance == 1000
    entries = Entry.objects.count()
    for take in (pack.shelters, pack.teams, pack.supplies):
        take(brought, SYSTEM)
    assert Entry.objects.count() == entries
    pack.shelters(pack_of(tmp_path, shelters=SHELTERS.replace(",300,", ",350,")), SYSTEM)
    assert Entry.objects.latest("pk").after == {"capacity": 350}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (SHELTERS.replace("school", "castle"), "kind"),
        (SHELTERS.replace("900001", "1"), "place"),
        (SHELTERS.replace("EAST", "NOBODY"), "owner"),
        (SHELTERS.replace(",300,", ",many,"), "capacity"),
        (SHELTERS.replace(",300,", ",0,"), "capacity"),
        (SHELTERS.replace("31.5", ""), "lat"),
        (SHELTERS.replace("东港中学", ""), "name_zh"),
    ],
)
def test_a_bad_pack_is_refused_with_line_and_field(world: World, tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(PackError) as refused:
        pack.shelters(pack_of(tmp_path, shelters=text), SYSTEM)
    assert (refused.value.row, refused.value.field) == (2, field)
    assert not Shelter.objects.exists()
