"""The response on the map, at the moment of the slider; incidents found by name (3.4.4)."""

from __future__ import annotations

from datetime import timedelta

from haitang.geo.catalogue import LAYERS, SEARCH_SOURCES, Look
from haitang.incidents import services
from haitang.incidents.models import Incident
from haitang.incidents.tests.factories import T0, Loop
from haitang.plans.models import Plan


def shown(loop: Loop, user, minutes: float, *, is_past: bool = True) -> list[str]:
    look = Look(user=user, space=loop.space, at=T0 + timedelta(minutes=minutes), is_past=is_past)
    return [row.place.code for row in LAYERS["incidents.responses"].at(look).order_by("place__path")]


def test_places_show_while_the_response_runs(loop: Loop, flood: Plan) -> None:
    loop.publish("orange", [loop.east, loop.west])
    loop.step(10)
    incident = services.decide(loop.proposal(), accept=True, by=loop.commander)
    assert incident is not None
    loop.step(60)
    assert shown(loop, loop.commander, 70, is_past=False) == ["900001", "900002"]
    services.end(incident, by=loop.commander, reason_zh="险情解除")
    assert shown(loop, loop.commander, 70, is_past=False) == []
    assert shown(loop, loop.commander, 5) == []
    assert shown(loop, loop.commander, 30) == ["900001", "900002"]
    assert shown(loop, loop.heads[2], 30) == [], "a township outside does not see it"


def test_an_incident_is_found_by_name(loop: Loop, flood: Plan) -> None:
    loop.start(2)
    look = Look(user=loop.commander, space=loop.space, at=T0)
    [hit] = SEARCH_SOURCES["incidents.incidents"].search(look, "台风应急", 5)
    assert hit.title == "试验区台风应急响应" and hit.url == Incident.objects.get().get_absolute_url()
    other = Look(user=loop.commander, space=loop.exercise(), at=T0)
    assert list(SEARCH_SOURCES["incidents.incidents"].search(other, "台风应急", 5)) == []


def test_the_layer_is_served(enter, loop: Loop, flood: Plan) -> None:
    loop.start(2)
    answer = enter(loop.commander).get("/map/layers.json")
    if answer.status_code == 200:
        assert "incidents.responses" in answer.content.decode()
