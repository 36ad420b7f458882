"""The ground on the map: the district, its townships and villages, water, sea walls and roads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from haitang.geo.catalogue import NAME, Group, Layer, Look, Property, add_layer, circle, fill, layer, line
from haitang.geo.models import Feature, FeatureKind, Level, Place

_PLACE: dict[str, Property] = {
    "name": NAME,
    "code": "code",
    "population": "population",
    "area_km2": "area_km2",
    "approximate": "is_approximate",
    "demo": "is_demo",
}
_LIVE = ("geo.", "config.", "registry.geo")
_WATER = (FeatureKind.COAST, FeatureKind.RIVER, FeatureKind.LAKE)
_LINES = (FeatureKind.SEAWALL, FeatureKind.ROAD, FeatureKind.BRIDGE, FeatureKind.FERRY)
_LINE_COLOURS = {"seawall": "#7048e8", "road": "#adb5bd", "bridge": "#495057", "ferry": "#74a9cf"}


def _describe(properties: dict[str, Any]) -> Mapping[str, Any]:
    parts = []
    if properties.get("population"):
        parts.append(gettext("Population %(count)s") % {"count": f"{properties['population']:,}"})
    if properties.get("area_km2"):
        parts.append(gettext("%(area)s km²") % {"area": f"{properties['area_km2']:g}"})
    properties["subtitle"] = " · ".join(parts)
    if properties.pop("outline_approximate", False) or properties.get("approximate"):
        properties["text"] = gettext("The outline or position is approximate.")
    return properties


@layer(
    "geo.district",
    label=_("District"),
    group=Group.BASE,
    order=10,
    geometry="shape__geometry",
    properties={**_PLACE, "outline_approximate": "shape__is_approximate"},
    finish=_describe,
    style=fill("#9aa77a", opacity=0.28, outline="#66734a", width=1.6, label=""),
    live=_LIVE,
    visible=True,
    public=True,
)
def district(look: Look) -> QuerySet[Place]:
    """The district as a whole."""
    return Place.objects.visible_to(look.user).filter(level=Level.DISTRICT, shape__geometry__isnull=False)


@layer(
    "geo.townships",
    label=_("Townships"),
    group=Group.BASE,
    order=30,
    geometry="shape__geometry",
    properties={**_PLACE, "kind": "kind", "outline_approximate": "shape__is_approximate"},
    finish=_describe,
    style=fill("#9aa77a", opacity=0.05, outline="#7d8a5f", width=1),
    live=_LIVE,
    visible=True,
    public=True,
    note=_("Outlines are approximate until official ones are imported."),
)
def townships(look: Look) -> QuerySet[Place]:
    """The townships, farms and parks."""
    return Place.objects.visible_to(look.user).filter(level=Level.TOWNSHIP, shape__geometry__isnull=False)


@layer(
    "geo.villages",
    label=_("Villages and neighbourhoods"),
    group=Group.BASE,
    order=40,
    point=("lon", "lat"),
    properties={**_PLACE, "kind": "kind"},
    finish=_describe,
    style=circle("#868e96", radius=3),
    live=_LIVE,
    public=True,
    min_zoom=10,
)
def villages(look: Look) -> QuerySet[Place]:
    """Villages and neighbourhoods whose position is known."""
    return Place.objects.visible_to(look.user).filter(level=Level.VILLAGE, lon__isnull=False, lat__isnull=False)


@layer(
    "geo.grid",
    label=_("Grid cells"),
    group=Group.BASE,
    order=50,
    geometry="shape__geometry",
    properties=_PLACE,
    finish=_describe,
    style=fill("#4dabf7", opacity=0.04, outline="#4dabf7", width=0.8),
    live=_LIVE,
    kind="mvt",
    min_zoom=10,
)
def grid(look: Look) -> QuerySet[Place]:
    """The cells of grid management 网格."""
    return Place.objects.visible_to(look.user).filter(level=Level.GRID, shape__geometry__isnull=False)


def _features(*kinds: FeatureKind) -> Any:
    def rows(look: Look) -> QuerySet[Feature]:
        return Feature.objects.visible_to(look.user).filter(kind__in=kinds, geometry__isnull=False)

    return rows


def _kind(properties: dict[str, Any]) -> Mapping[str, Any]:
    properties["subtitle"] = str(FeatureKind(properties["kind"]).label)
    if properties.get("approximate"):
        properties["text"] = gettext("The outline or position is approximate.")
    return properties


_FEATURE: dict[str, Property] = {
    "name": NAME,
    "code": "code",
    "kind": "kind",
    "approximate": "is_approximate",
    "demo": "is_demo",
}

add_layer(
    Layer(
        id="geo.water",
        label=_("Water"),
        group=Group.BASE,
        order=20,
        rows=_features(*_WATER),
        properties=_FEATURE,
        finish=_kind,
        style=fill("#74a9cf", opacity=0.55, outline="#5b93bd", width=0.8),
        live=_LIVE,
        visible=True,
        public=True,
    )
)
add_layer(
    Layer(
        id="geo.lines",
        label=pgettext_lazy("layer", "Sea walls, roads and ferries"),
        group=Group.BASE,
        order=60,
        rows=_features(*_LINES),
        properties=_FEATURE,
        finish=_kind,
        style=line("#868e96", width=1.8, by="kind", colours=_LINE_COLOURS, label="name"),
        legend=tuple((_LINE_COLOURS[kind.value], kind.label) for kind in _LINES),
        live=_LIVE,
        visible=True,
        public=True,
    )
)
