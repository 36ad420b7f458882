"""The ground as registers: places, their outlines, and what lies between. Declared here, because geo knows no registers.

Official outlines of townships come in as GeoJSON through the import of the register `outlines`; they replace the
approximate ones, matched by the place's code.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import OFFICIALS, Role
from haitang.accounts.scope import Scope
from haitang.frame import Menu
from haitang.geo.models import Feature, Place, PlaceShape
from haitang.registry.declare import Column, Register, register

# The ground is the same for everybody; who changes it changes everybody's map.
_KEEPERS = frozenset({Role.ADMIN})


def _level(shape: Any) -> None:
    """An outline is of the level its place is of."""
    if shape.place_id:
        shape.level = shape.place.level


PLACES = register(
    Register(
        model=Place,
        slug="places",
        icon="map-pins",
        menu=Menu.SYSTEM,
        order=40,
        about=_("The district, its townships, villages and grid cells"),
        columns=(Column("code"), Column("name"), Column("level"), Column("kind"), Column("parent"), Column("population")),
        filters=("level", "parent"),
        search=("code", "name_zh", "name_en"),
        searched=False,
        form=("code", "name_zh", "name_en", "level", "kind", "parent", "population", "population_note", "area_km2", "lon",
              "lat", "is_approximate", "confidence", "source", "is_demo"),
        bulk=("kind", "is_approximate", "confidence", "source", "is_demo"),
        readers=OFFICIALS,
        editors=_KEEPERS,
        reach=Scope(place="path"),
    )
)  # fmt: skip

OUTLINES = register(
    Register(
        model=PlaceShape,
        slug="outlines",
        icon="polygon",
        menu=Menu.SYSTEM,
        order=41,
        about=_("Outlines of places; import official ones as GeoJSON, matched by the place's code"),
        key="place",
        columns=(Column("place__code"), Column("place"), Column("level"), Column("is_approximate"), Column("source")),
        filters=("level", "is_approximate", "place"),
        search=("place__code", "place__name_zh", "place__name_en"),
        searched=False,
        form=("place", "is_approximate", "source", "geometry"),
        readers=OFFICIALS,
        editors=_KEEPERS,
        reach=Scope(place="place__path"),
        derive=_level,
    )
)

FEATURES = register(
    Register(
        model=Feature,
        slug="features",
        icon="route",
        menu=Menu.SYSTEM,
        order=42,
        about=_("Rivers, sea walls, roads and what else the map shows of the ground"),
        columns=(Column("code"), Column("name"), Column("kind"), Column("is_approximate"), Column("source")),
        filters=("kind", "is_approximate"),
        search=("code", "name_zh", "name_en"),
        searched=False,
        form=("code", "name_zh", "name_en", "kind", "is_approximate", "source", "is_demo", "geometry"),
        readers=OFFICIALS,
        editors=_KEEPERS,
        reach=Scope(roles=_KEEPERS),
    )
)
