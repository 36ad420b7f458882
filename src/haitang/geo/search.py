"""Finding places and things on the ground by name or code."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from haitang.geo.catalogue import Hit, Look, hits, search_source
from haitang.geo.models import Feature, Place


@search_source("geo.places", label=_("Place"), order=10, icon="map-pin", public=True)
def places(look: Look, text: str, limit: int) -> Iterable[Hit]:
    """Places by name or code, with the place above them."""
    rows = Place.objects.visible_to(look.user).select_related("parent", "shape").defer("shape__geometry")
    return hits(rows.order_by("path"), text, limit, names=("name_zh", "name_en", "code"), make=_place)


def _place(place: Place) -> Hit:
    shape = place._state.fields_cache.get("shape")
    level = str(place.get_level_display())
    above = place.parent.name if place.parent else ""
    return Hit(
        title=place.name,
        subtitle=" · ".join(part for part in (place.kind or level, above) if part),
        lon=place.lon,
        lat=place.lat,
        bounds=shape.box if shape else None,
    )


@search_source("geo.features", label=_("On the ground"), order=60, icon="route", public=True)
def features(look: Look, text: str, limit: int) -> Iterable[Hit]:
    """Rivers, sea walls, roads by name."""
    rows = Feature.objects.visible_to(look.user).defer("geometry").filter(west__isnull=False)
    return hits(rows, text, limit, names=("name_zh", "name_en", "code"), make=_feature)


def _feature(feature: Feature) -> Hit:
    return Hit(
        title=feature.name,
        subtitle=str(feature.get_kind_display()),
        bounds=feature.box,
    )
