"""What other slices and the frame may ask of the map: the catalogue, and one search over everything."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Max, Min
from django.urls import reverse
from django.utils.translation import gettext as _

from haitang.geo.catalogue import LAYERS, SEARCH_SOURCES, Group, Hit, Layer, Look
from haitang.geo.models import Feature, Level, Place, PlaceShape
from haitang.geo.shapes import GeometryError, parse
from haitang.journal.models import Entry

_PAST = timedelta(days=7)
_MARGIN = 0.02


def layers_for(user: Any) -> list[Layer]:
    """The layers in this user's catalogue, in the order in which they are listed and drawn."""
    groups = list(Group)
    mine = [layer for layer in LAYERS.values() if layer.open_to(user)]
    return sorted(mine, key=lambda layer: (groups.index(layer.group), layer.order, layer.id))


def layer_for(user: Any, id: str) -> Layer | None:
    """One layer, None if there is none of this name in the user's catalogue."""
    layer = LAYERS.get(id)
    return layer if layer and layer.open_to(user) else None


def catalogue(look: Look) -> dict[str, Any]:
    """What the map island reads (web/src/map/catalogue.ts): layers, first view, base map, search, slider, credits."""
    layers = layers_for(look.user)
    return {
        "layers": [_layer(layer) for layer in layers],
        "bounds": first_view(look.user),
        "basemap": _basemap(),
        "search": reverse("onemap:search"),
        "attribution": " · ".join(_sources()),
        "time": _span(look) if any(layer.time or layer.timed for layer in layers) else None,
    }


def _layer(layer: Layer) -> dict[str, Any]:
    # reverse() would escape the braces that the map fills in.
    tiles = reverse("onemap:tile", args=(layer.id, 0, 0, 0)).removesuffix("0/0/0.mvt") + "{z}/{x}/{y}.mvt"
    return {
        "id": layer.id,
        "label": str(layer.label),
        "group": str(layer.group.label),
        "icon": layer.icon,
        "kind": layer.kind,
        "url": tiles if layer.kind == "mvt" else reverse("onemap:features", args=(layer.id,)),
        "source_layer": layer.id,
        "style": dict(layer.style),
        "legend": [[colour, str(label)] for colour, label in layer.legend],
        "live": list(layer.live),
        "time": bool(layer.time or layer.timed),
        "min_zoom": layer.min_zoom,
        "visible": layer.visible,
        "note": str(layer.note),
    }


def first_view(user: Any) -> list[float] | None:
    """West, south, east, north of the viewer's own place, else of the district; None before any place has a shape."""
    own = getattr(getattr(user, "organisation", None), "place", None) if user.is_authenticated else None
    for shapes in (
        PlaceShape.objects.filter(place=own) if own else PlaceShape.objects.none(),
        PlaceShape.objects.filter(level=Level.DISTRICT),
        PlaceShape.objects.all(),
    ):
        found = shapes.aggregate(Min("west"), Min("south"), Max("east"), Max("north"))
        if found["west__min"] is not None:
            west, south = found["west__min"] - _MARGIN, found["south__min"] - _MARGIN
            return [west, south, found["east__max"] + _MARGIN, found["north__max"] + _MARGIN]
    points = Place.objects.aggregate(Min("lon"), Min("lat"), Max("lon"), Max("lat"))
    if points["lon__min"] is None:
        return None
    return [points["lon__min"] - 0.1, points["lat__min"] - 0.1, points["lon__max"] + 0.1, points["lat__max"] + 0.1]


def _basemap() -> dict[str, Any] | None:
    given = settings.BASEMAP
    if not given["url"]:
        return None
    return {"url": given["url"].replace("{key}", given["key"]), "crs": given["crs"]}


def _sources() -> list[str]:
    """Whose data the ground is drawn from; their licences ask that it be said."""
    shapes = PlaceShape.objects.order_by().exclude(source="").values_list("source", flat=True).distinct()
    ground = Feature.objects.order_by().exclude(source="").values_list("source", flat=True).distinct()
    return sorted({*shapes[:6], *ground[:6]})


def _span(look: Look) -> dict[str, str]:
    """From when until when the slider goes: an exercise from its beginning, the live space a week back."""
    first = Entry.objects.filter(space=look.space).order_by("seq").values_list("at", flat=True).first() or look.at
    since = first if look.space.is_exercise else max(first, look.at - _PAST)
    return {"from": min(since, look.at).isoformat(), "to": look.at.isoformat()}


def search(look: Look, text: str, limit: int = 20) -> list[dict[str, Any]]:
    """The best hits of all sources for the words, exact names first. A typed position is a hit too."""
    # Control characters are never part of a name, and PostgreSQL refuses a nought in a text.
    text = " ".join("".join(char for char in text if char.isprintable()).split())
    if not text:
        return []
    found: list[tuple[int, int, int, Hit, str]] = []
    sources = sorted(SEARCH_SOURCES.values(), key=lambda source: (source.order, source.id))
    for source in sources:
        if look.user.is_authenticated or source.public:
            for k, hit in enumerate(source.search(look, text, limit)):
                found.append((hit.rank, source.order, k, hit, str(source.label)))
    found.sort(key=lambda item: item[:3])
    return [*_position(text), *(_hit(hit, kind) for _rank, _order, _k, hit, kind in found)][:limit]


def _position(text: str) -> list[dict[str, Any]]:
    try:
        point = parse(text, kinds=("Point",))
    except GeometryError:
        return []
    lon, lat = point.bounds[:2]
    return [{"title": f"{lon:.6f}, {lat:.6f}", "kind": _("Position"), "lon": lon, "lat": lat}]


def _hit(hit: Hit, kind: str) -> dict[str, Any]:
    return {
        "title": hit.title,
        "subtitle": hit.subtitle,
        "kind": kind,
        "url": hit.url,
        "lon": hit.lon,
        "lat": hit.lat,
        "bounds": list(hit.bounds) if hit.bounds else None,
    }
