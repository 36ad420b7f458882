"""Who and what lies around an alarm: people by township, and the rows of every layer that upper slices have declared.

The map's catalogue is the list of providers: a register that stands there under resources or risks is counted here, by
the rows its reader may see. Nothing above is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely

from haitang.geo.catalogue import LAYERS, Group, Layer, Look, Pair, circle, fill
from haitang.geo.models import Level, Place, PlaceShape
from haitang.geo.names import localised
from haitang.geo.shapes import around, buffer_m, to_metres
from haitang.monitoring import impact
from haitang.monitoring.blind_spots import distances_m
from haitang.monitoring.models import Alarm, Chain
from haitang.monitoring.services.events import hazard

GROUPS = (Group.RISK, Group.RESOURCE)
MOST, NAMED = 5000, 8


@dataclass(frozen=True)
class Thing:
    """One row of a layer that lies inside: its name, how far away, and where."""

    name: str
    km: float
    lon: float
    lat: float


@dataclass(frozen=True)
class Kind:
    """What a layer has inside: how many, and the nearest by name."""

    label: Any
    icon: str
    number: int
    nearest: Sequence[Thing]


@dataclass(frozen=True)
class Around:
    """What lies within `km` of a station: people, by township, and things by layer."""

    hazard: str
    lon: float
    lat: float
    km: float
    people: int
    places: Sequence[tuple[str, int]]
    # Townships inside whose population is not known.
    unknown: Sequence[str]
    kinds: Sequence[Kind]


def of(alarm: Alarm, look: Look) -> Around | None:
    """What lies around this alarm's station, as this reader may know it; None for a station without a position."""
    station = alarm.station
    if station.west is None or station.south is None:
        return None
    kind = hazard(alarm)
    given = (
        Chain.objects.filter(is_active=True)
        .exclude(reach_km={})
        .order_by("code")
        .values_list("reach_km", flat=True)
        .first()
    )
    km = impact.reach_km(kind, given)
    people, places, unknown = _people(station.west, station.south, km * 1000)
    return Around(
        kind,
        station.west,
        station.south,
        km,
        people,
        places,
        unknown,
        _things(look, station.west, station.south, km * 1000),
    )


def _people(lon: float, lat: float, reach_m: float) -> tuple[int, list[tuple[str, int]], list[str]]:
    """People within reach by township: by the share of its outline inside, or of a disc of its area where it has no outline."""
    disc = buffer_m(shapely.Point(lon, lat), reach_m)
    metres = to_metres(disc, lon, lat)
    shapes = {
        shape.place_id: shape.geometry
        for shape in PlaceShape.objects.intersecting(disc).filter(place__level=Level.TOWNSHIP)
    }  # fmt: skip
    rows = list(Place.objects.filter(level=Level.TOWNSHIP).order_by("path")[:MOST])
    shaped = set(PlaceShape.objects.filter(place__level=Level.TOWNSHIP).values_list("place_id", flat=True))
    told: list[tuple[str, int]] = []
    unknown: list[str] = []
    for place in rows:
        if place.pk in shaped:
            shape = shapes.get(place.pk)
            if shape is None:
                continue
            ground = to_metres(shape, lon, lat)
            share = float(ground.intersection(metres).area / ground.area) if ground.area else 0.0
        elif place.lon is not None and place.lat is not None:
            far = distances_m(np.array([place.lon]), np.array([place.lat]), np.array([lon]), np.array([lat]))[:, 0]
            share = float(impact.disc_share(far, reach_m, np.array([place.area_km2 or 0.0]))[0])
        else:
            continue
        if share <= 0.001:
            continue
        if place.population is None:
            unknown.append(place.name)
        elif number := round(place.population * share):
            told.append((place.name, number))
    return sum(number for _, number in told), sorted(told, key=lambda each: -each[1]), unknown


def _things(look: Look, lon: float, lat: float, reach_m: float) -> list[Kind]:
    box = replace(look, bbox=around(lon, lat, reach_m))
    found = []
    for layer in sorted(
        LAYERS.values(), key=lambda each: (GROUPS.index(each.group) if each.group in GROUPS else 9, each.order)
    ):
        if layer.group in GROUPS and layer.open_to(look.user):
            things = _inside(layer, box, lon, lat, reach_m)
            if things:
                found.append(Kind(layer.label, layer.icon, len(things), things[:NAMED]))
    return found


def _inside(layer: Layer, look: Look, lon: float, lat: float, reach_m: float) -> list[Thing]:
    """Rows of a layer within reach, the nearest first. A row with an extent counts by the middle of its box."""
    west, south, east, north = layer.envelope
    name = layer.properties.get("name") or layer.properties.get("title")
    names = [name.zh, name.en] if isinstance(name, Pair) else [name, name] if name else []
    rows = np.array(list(layer.at(look).order_by().values_list(west, south, east, north, *names)[:MOST]), dtype=object)
    if not len(rows):
        return []
    x, y = (rows[:, 0] + rows[:, 2]).astype(float) / 2, (rows[:, 1] + rows[:, 3]).astype(float) / 2
    far = distances_m(x, y, np.array([lon]), np.array([lat]))[:, 0]
    return [
        Thing(localised(str(rows[i][4] or ""), str(rows[i][5] or "")) if names else "", float(far[i]) / 1000, float(x[i]), float(y[i]))
        for i in np.argsort(far, kind="stable").tolist() if far[i] <= reach_m
    ]  # fmt: skip


def drawn(found: Around | None) -> Mapping[str, Any] | None:
    """The reach and what lies in it as the page's own layers of the map."""
    if found is None:
        return None
    from django.utils.translation import gettext as _

    disc = buffer_m(shapely.Point(found.lon, found.lat), found.km * 1000)
    reach = {"type": "Feature", "geometry": shapely.geometry.mapping(disc), "properties": {"name": _("Reach")}}
    things = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [thing.lon, thing.lat]},
         "properties": {"name": thing.name, "subtitle": f"{kind.label} · {thing.km:.1f} km"}}
        for kind in found.kinds for thing in kind.nearest
    ]  # fmt: skip
    return {
        "layers": [
            {"id": "reach", "label": _("Reach"), "kind": "geojson", "visible": True, "style": fill("#f76707", opacity=0.1, label=""),
             "data": {"type": "FeatureCollection", "features": [reach]}},
            {"id": "inside", "label": _("Inside"), "kind": "geojson", "visible": True, "style": circle("#5f3dc4", radius=5),
             "data": {"type": "FeatureCollection", "features": things}},
        ]
    }  # fmt: skip
