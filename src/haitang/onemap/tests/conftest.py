"""A small district with two townships, people of several roles, and a layer of people under test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import shapely
from django.core.cache import cache
from django.db.models import QuerySet

from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.geo.catalogue import LAYERS, NAME, SEARCH_SOURCES, Hit, Look, circle, hits, layer, search_source
from haitang.geo.models import Level, Place, PlaceShape
from haitang.onemap import versions


@pytest.fixture(autouse=True)
def _fresh_tiles() -> Iterator[None]:
    cache.clear()
    # What an earlier test journalled was rolled back; the process still remembers it.
    versions._known = versions._Known()
    yield
    cache.clear()


@pytest.fixture
def places(db: None) -> dict[str, Place]:
    district = Place.objects.create(code="900000", name_zh="试验区", name_en="Test District", level=Level.DISTRICT)
    east = Place.objects.create(code="900001", name_zh="东港镇", name_en="Donggang", level=Level.TOWNSHIP, parent=district,
                                lon=121.6, lat=31.5, population=31_000)  # fmt: skip
    west = Place.objects.create(code="900002", name_zh="西港镇", name_en="Xigang", level=Level.TOWNSHIP, parent=district,
                                lon=121.2, lat=31.5)  # fmt: skip
    for place, box in ((district, (121, 31, 122, 32)), (east, (121.5, 31, 122, 32)), (west, (121, 31, 121.5, 32))):
        PlaceShape.objects.create(place=place, level=place.level, geometry=shapely.box(*box), is_approximate=True,
                                  source="Invented for tests")  # fmt: skip
    return {"district": district, "east": east, "west": west}


@pytest.fixture
def people(places: dict[str, Place]) -> dict[str, User]:
    """One person each of the bureau, both townships and an enterprise in the east."""
    bureau = Organisation.objects.create(
        code="B", name_zh="应急局", kind=OrganisationKind.DEPARTMENT, place=places["district"]
    )
    bodies = {
        "bureau": (bureau, Role.DEPARTMENT),
        "east": (_body("E", OrganisationKind.TOWNSHIP, bureau, places["east"]), Role.TOWNSHIP),
        "west": (_body("W", OrganisationKind.TOWNSHIP, bureau, places["west"]), Role.TOWNSHIP),
        "works": (_body("F", OrganisationKind.ENTERPRISE, None, places["east"]), Role.ENTERPRISE),
    }
    return {
        name: User.objects.create_user(
            username=name, email=f"{name}@example.org", name_zh=f"{name}同志", role=role, organisation=body
        )
        for name, (body, role) in bodies.items()
    }


def _body(code: str, kind: str, parent: Organisation | None, place: Place) -> Organisation:
    body: Organisation = Organisation.objects.create(code=code, name_zh=code, kind=kind, parent=parent, place=place)
    return body


@pytest.fixture
def people_layer() -> Iterator[str]:
    """A layer and a search over people, who are scoped by the place of their organisation."""

    @layer(
        "test.people",
        label="People",
        point=("organisation__place__lon", "organisation__place__lat"),
        properties={"name": NAME, "login": "username", "joined": "date_joined"},
        style=circle("#ff0000"),
        live=("accounts.",),
        public=True,
    )
    def rows(look: Look) -> QuerySet[User]:
        return User.objects.visible_to(look.user)

    @search_source("test.people", label="Person", public=True)
    def search(look: Look, text: str, limit: int) -> list[Hit]:
        rows = User.objects.visible_to(look.user)
        return hits(rows, text, limit, names=("name_zh", "username"), make=lambda user: Hit(title=user.username))

    yield "test.people"
    del LAYERS["test.people"], SEARCH_SOURCES["test.people"]


@pytest.fixture
def signed_in(client: Any, people: dict[str, User]) -> Any:
    """Sign in as one of the people, by name."""

    def sign_in(name: str) -> Any:
        client.force_login(people[name])
        return client

    return sign_in
