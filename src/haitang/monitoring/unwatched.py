"""What no station watches: people and key targets by their distance to the nearest live station of a kind. 3.4.1."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from haitang.geo.catalogue import LAYERS, Look, Pair, circle, fill
from haitang.geo.models import Level, Place, PlaceShape
from haitang.geo.names import localised
from haitang.monitoring import blind_spots, queries
from haitang.monitoring.blind_spots import Sites
from haitang.monitoring.models import Series, Station, StationKind
from haitang.monitoring.surroundings import GROUPS
from haitang.spaces.models import Space

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# How far a station is taken to speak for, in km. Expert estimates for flat ground; the page lets anybody try others.
REACH_KM: Mapping[str, float] = {
    StationKind.TIDE: 15, StationKind.RIVER: 6, StationKind.RAIN: 5, StationKind.WEATHER: 8, StationKind.WATERLOGGING: 2,
    StationKind.SLUICE: 6, StationKind.SALINITY: 15, StationKind.GROUND: 8, StationKind.SEISMIC: 30, StationKind.FOREST: 5,
    StationKind.FIRE: 1, StationKind.GAS: 1, StationKind.STRUCTURE: 2, StationKind.AIR: 8, StationKind.OTHER: 5,
}  # fmt: skip
STEP_M, MOST = 1000.0, 20_000


@dataclass(frozen=True)
class Ground:
    """People as points: degrees, number, and the number of the township in `places`."""

    lon: Floats
    lat: Floats
    people: Floats
    of: Ints
    places: Sequence[Place]
    shapes: Mapping[int, Any]


@dataclass(frozen=True)
class Township:
    """One township: its people, those beyond reach, its distance to the nearest live station and which that is."""

    place: Place
    people: int
    unwatched: int
    km: float | None
    station: Station | None

    @property
    def percent(self) -> int:
        """The share of people beyond reach."""
        return round(100 * self.unwatched / self.people) if self.people else 0


@dataclass(frozen=True)
class Kind:
    """One kind of station in the whole district."""

    kind: StationKind
    km: float
    stations: int
    live: int
    people: int
    percent: int


@dataclass(frozen=True)
class Targets:
    """Key targets of one layer: how many, how many beyond reach, and the farthest of them (name, km)."""

    label: Any
    number: int
    unwatched: int
    farthest: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Site:
    """A proposed place for a further station: in which township, how many people it brings under watch."""

    order: int
    lon: float
    lat: float
    place: Place | None
    people: int


@dataclass(frozen=True)
class Survey:
    """What is not watched by one kind of station, and where further ones would help."""

    kind: StationKind
    km: float
    people: int
    watched: int
    townships: Sequence[Township]
    targets: Sequence[Targets]
    silent: Sequence[Station]
    live: Sequence[Station]
    sites: Sequence[Site]
    result: Sites
    own: Mapping[str, Any]

    @property
    def percent(self) -> int:
        """The share of people under watch."""
        return round(100 * self.watched / self.people) if self.people else 0

    @property
    def at_least(self) -> int:
        """How good the proposed places surely are, in percent of the best possible choice."""
        return int(100 * self.result.share)


def ground() -> Ground:
    """Where the people are: villages with position and population, else spread evenly over the township's outline."""
    places = list(Place.objects.filter(level=Level.TOWNSHIP, population__gt=0).order_by("path")[:MOST])
    shapes = {row.place_id: row.geometry for row in PlaceShape.objects.filter(place__in=[place.pk for place in places])}
    villages: defaultdict[int, list[tuple[float, float, int]]] = defaultdict(list)
    for parent, lon, lat, people in Place.objects.filter(
        level=Level.VILLAGE, population__gt=0, lon__isnull=False, lat__isnull=False
    ).values_list("parent_id", "lon", "lat", "population"):
        if parent and lon is not None and lat is not None and people:
            villages[parent].append((lon, lat, people))
    west, south, east, north = _box(places, shapes)
    x, y = blind_spots.grid_between(west, south, east, north, STEP_M) if shapes else (np.empty(0), np.empty(0))
    parts: list[tuple[Floats, Floats, Floats, int]] = []
    for number, place in enumerate(places):
        known = villages.get(place.pk)
        shape = shapes.get(place.pk)
        total = float(place.population or 0)
        if known:
            points = np.array(known, np.float64)
            parts.append((points[:, 0], points[:, 1], points[:, 2] * total / points[:, 2].sum(), number))
            continue
        inside = shapely.contains_xy(shape, x, y) if shape is not None else np.zeros(len(x), np.bool_)
        if inside.any():
            parts.append((x[inside], y[inside], np.full(int(inside.sum()), total / int(inside.sum())), number))
        elif shape is not None or (place.lon is not None and place.lat is not None):
            middle = (
                shape.representative_point() if shape is not None else shapely.Point(place.lon or 0.0, place.lat or 0.0)
            )
            parts.append((np.array([middle.x]), np.array([middle.y]), np.array([total]), number))
    if not parts:
        return Ground(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.int64), places, shapes)
    of = np.concatenate([np.full(len(part[0]), part[3], np.int64) for part in parts])
    east_of, north_of, people_at = (np.concatenate([part[i] for part in parts]) for i in (0, 1, 2))
    return Ground(east_of, north_of, people_at, of, places, shapes)


def _box(places: Sequence[Place], shapes: Mapping[int, Any]) -> tuple[float, float, float, float]:
    bounds = [shape.bounds for shape in shapes.values()]
    bounds += [(p.lon, p.lat, p.lon, p.lat) for p in places if p.lon is not None and p.lat is not None]
    if not bounds:
        return 0.0, 0.0, 0.0, 0.0
    table = np.array(bounds, np.float64)
    return float(table[:, 0].min()), float(table[:, 1].min()), float(table[:, 2].max()), float(table[:, 3].max())


def stations(space: Space, user: Any, kind: str = "") -> tuple[list[Station], list[Station]]:
    """Live and silent stations in reach. Live: at least one series has reported within three of its intervals."""
    rows = (
        Station.objects.visible_to(user)
        .filter(is_active=True, west__isnull=False)
        .select_related("place")
        .order_by("code")
    )
    if kind:
        rows = rows.filter(kind=kind)
    found = list(rows.defer("geometry")[:MOST])
    series = list(Series.objects.filter(station__in=rows.values("pk"), is_active=True).select_related("station"))
    fresh = {each.series.station_id for each in queries.series_now(space, series) if not each.is_stale}
    return [each for each in found if each.pk in fresh], [each for each in found if each.pk not in fresh]


def kinds(space: Space, user: Any, people: Ground) -> list[Kind]:
    """Every kind that there is a station of, with the people under its watch."""
    live, silent = stations(space, user)
    found = []
    total = float(people.people.sum())
    for kind in StationKind:
        up, down = [s for s in live if s.kind == kind], [s for s in silent if s.kind == kind]
        if not up and not down:
            continue
        far, _which = blind_spots.nearest(people.lon, people.lat, *_positions(up))
        watched = float(people.people[far <= REACH_KM[kind] * 1000].sum())
        found.append(
            Kind(
                kind,
                REACH_KM[kind],
                len(up) + len(down),
                len(up),
                round(watched),
                round(100 * watched / total) if total else 0,
            )
        )
    return found


def survey(look: Look, people: Ground, kind: StationKind, *, km: float, k: int) -> Survey:
    """What one kind of station does not watch, and the best places for k further ones."""
    live, silent = stations(look.space, look.user, kind)
    x, y = _positions(live)
    far, which = blind_spots.nearest(people.lon, people.lat, x, y)
    watched = far <= km * 1000
    townships = []
    for number, place in enumerate(people.places):
        mine = np.flatnonzero(people.of == number)
        if not len(mine):
            continue
        weights = people.people[mine]
        middle = float(np.average(far[mine], weights=weights)) if live else None
        near = np.bincount(which[mine], weights=weights).argmax() if live else None
        townships.append(
            Township(place, round(float(weights.sum())), round(float(weights[~watched[mine]].sum())),
                     None if middle is None else middle / 1000, None if near is None else live[int(near)])
        )  # fmt: skip
    townships.sort(key=lambda each: (-each.unwatched, -(each.km or 1e9), each.place.path))
    reached = blind_spots.distances_m(people.lon, people.lat, people.lon, people.lat) <= km * 1000 if k and len(people.lon) <= 4000 else np.zeros((0, len(people.lon)), np.bool_)  # fmt: skip
    result = blind_spots.best_sites(reached, people.people, k, watched=watched)
    sites = [
        Site(number, float(people.lon[i]), float(people.lat[i]), people.places[int(people.of[i])], round(gain))
        for number, (i, gain) in enumerate(zip(result.chosen, result.gains, strict=True), start=1)
    ]  # fmt: skip
    return Survey(
        kind, km, round(float(people.people.sum())), round(float(people.people[watched].sum())), townships, _targets(look, x, y, km),
        silent, live, sites, result, _drawn(people, townships, live, silent, sites),
    )  # fmt: skip


def _positions(rows: Sequence[Station]) -> tuple[Floats, Floats]:
    return np.array([row.west for row in rows], np.float64), np.array([row.south for row in rows], np.float64)


def _targets(look: Look, x: Floats, y: Floats, km: float) -> list[Targets]:
    """Rows of the layers under risks and resources: their distance to the nearest live station."""
    found = []
    for layer in sorted(
        LAYERS.values(), key=lambda each: (GROUPS.index(each.group) if each.group in GROUPS else 9, each.order)
    ):
        if layer.group not in GROUPS or not layer.open_to(look.user):
            continue
        west, south, east, north = layer.envelope
        name = layer.properties.get("name") or layer.properties.get("title")
        names = [name.zh, name.en] if isinstance(name, Pair) else [name, name] if name else []
        rows = np.array(list(layer.at(look).order_by().filter(**{f"{west}__isnull": False}).values_list(west, south, east, north, *names)[:MOST]), dtype=object)  # fmt: skip
        if not len(rows):
            continue
        lon, lat = (rows[:, 0] + rows[:, 2]).astype(float) / 2, (rows[:, 1] + rows[:, 3]).astype(float) / 2
        far, _which = blind_spots.nearest(lon, lat, x, y)
        beyond = np.flatnonzero(far > km * 1000)
        farthest = [
            (localised(str(rows[i][4] or ""), str(rows[i][5] or "")) if names else "", float(far[i]) / 1000)
            for i in beyond[np.argsort(-far[beyond], kind="stable")][:5].tolist() if np.isfinite(far[i])
        ]  # fmt: skip
        found.append(Targets(layer.label, len(rows), len(beyond), farthest))
    return found


def _drawn(people: Ground, townships: Sequence[Township], live: Sequence[Station], silent: Sequence[Station],
           sites: Sequence[Site]) -> Mapping[str, Any]:  # fmt: skip
    areas = [
        {"type": "Feature", "geometry": shapely.geometry.mapping(people.shapes[each.place.pk]),
         "properties": {"name": each.place.name, "share": shade(each.percent), "subtitle": _("%(n)s people beyond reach") % {"n": f"{each.unwatched:,}"}}}
        for each in townships if each.place.pk in people.shapes
    ]  # fmt: skip
    points = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [each.west, each.south]},
         "properties": {"name": each.name, "state": state, "subtitle": label, "url": each.get_absolute_url()}}
        for rows, state, label in ((live, "live", _("reporting")), (silent, "silent", _("silent"))) for each in rows
    ]  # fmt: skip
    proposed = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [each.lon, each.lat]},
         "properties": {"name": _("Proposed place %(n)s") % {"n": each.order}, "subtitle": _("+ %(n)s people") % {"n": f"{each.people:,}"}, "size": 1.2}}
        for each in sites
    ]  # fmt: skip

    def collection(id: str, label: str, features: list[Any], style: Mapping[str, Any]) -> dict[str, Any]:
        return {"id": id, "label": label, "kind": "geojson", "visible": True, "style": style,
                "data": {"type": "FeatureCollection", "features": features}}  # fmt: skip

    return {
        "layers": [
            collection("unwatched", _("People beyond reach"), areas, fill("#2f9e44", opacity=0.35, by="share", colours=SHADES)),
            collection("stations", _("Stations"), points, circle("#2b8a3e", radius=5, by="state", colours={"live": "#2b8a3e", "silent": "#868e96"}, label="")),
            collection("proposed", _("Proposed places"), proposed, circle("#9c36b5", radius=8)),
        ]
    }  # fmt: skip


SHADES = {"none": "#2f9e44", "some": "#ffd43b", "many": "#fd7e14", "all": "#e8590c"}


def shade(percent: int) -> str:
    """How a township is shaded by its share of people beyond reach."""
    return "none" if percent < 10 else "some" if percent < 50 else "many" if percent < 90 else "all"
