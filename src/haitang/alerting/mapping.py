"""A warning's area as a page's own small map layer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import shapely
from django.utils.translation import gettext as _
from shapely.geometry.base import BaseGeometry

from haitang.alerting import composing
from haitang.alerting.composing import Where
from haitang.alerting.models import Warning
from haitang.geo.catalogue import fill

# Degrees around the area that the map shows besides.
MARGIN = 0.04


def picture(warning: Warning, area: Where | None = None) -> dict[str, Any] | None:
    """The map catalogue with the warning's places and what was drawn; None where no outline is known. At most two queries."""
    area = area or composing.where_of(warning)
    shapes = [
        (place.name, shape, area.levels.get(place.code) or warning.colour)
        for place, shape in composing.outlines_of(area.chosen)
    ]
    if warning.geometry is not None:
        shapes.append((_("Drawn area"), warning.geometry, warning.colour))
    if not shapes:
        return None
    layers = []
    for number, colour in enumerate(sorted({colour for _name, _shape, colour in shapes})):
        own = [(name, shape) for name, shape, found in shapes if found == colour]
        layers.append(shape_layer(own, colour, warning.headline, f"own.area{number or ''}"))
    return {"layers": layers, "bounds": bounds(shape for _name, shape, _colour in shapes)}


def shape_layer(
    shapes: Iterable[tuple[str, BaseGeometry]], colour: str, subtitle: str, name: str = "own.area"
) -> dict[str, Any]:
    """Named shapes as a layer of a page's own."""
    features = [
        {"type": "Feature", "geometry": json.loads(shapely.to_geojson(shape)), "properties": {"name": name, "subtitle": subtitle}}
        for name, shape in shapes
    ]  # fmt: skip
    return {
        "id": name, "label": _("Warned area"), "kind": "geojson", "data": {"type": "FeatureCollection", "features": features},
        "style": fill(colour, opacity=0.4, width=2, label=""),
    }  # fmt: skip


def bounds(shapes: Iterable[BaseGeometry]) -> list[float]:
    """West, south, east, north around shapes, with a margin."""
    west, south, east, north = shapely.total_bounds(list(shapes))
    return [float(west) - MARGIN, float(south) - MARGIN, float(east) + MARGIN, float(north) + MARGIN]
