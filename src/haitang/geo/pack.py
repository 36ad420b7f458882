"""Places, their outlines and the ground in a data pack. Sections `geo.places`, `geo.outlines`, `geo.ground`.

`places.csv` and `villages.csv` have the same columns; the second is for the many. A column marked * must stand in the
file and be filled, the others may be left out or empty.

    code*         stays for ever: 310151, 310151101, 310151101001; no slash
    name_zh*      name_en
    level         district, township, village or grid; needed in places.csv, village if left out in villages.csv
    parent        code of the place it belongs to; empty only for the district
    kind          what it is called in its own administration: 镇, 乡, 农场, 村, 居
    population    people                     population_note   when counted, or how estimated
    area_km2      square kilometres
    lon  lat      the seat or label point, WGS-84 degrees, both or neither
    is_approximate  1 where the position is
    confidence    cited, estimate, memory, demo ...
    source        where the row comes from, with date
    is_demo       1 for a place that is made up

`outlines.geojson` (and any `outlines.*.geojson`, later names winning): a FeatureCollection of polygons.

    code*         code of the place; of 12 digits the last three are dropped where only the nine-digit place is known
    is_approximate  1 where the outline is a drawing     source

`pack.toml` may say how outlines are read and which are drawn:

    [outlines]
    code = "XZQDM"            # the property that holds the code, where it is not called code
    coordinates = "cgcs2000"  # wgs84 (the default), gcj02, bd09 or cgcs2000
    draw = ["township"]       # levels whose missing outlines are drawn around their seats, in proportion to area_km2

A drawn outline never takes the place of one that was brought. `ground.geojson`: water, sea walls, roads and the like.

    code*  kind*  coast river lake seawall sluice road bridge ferry other
    name_zh*  name_en  is_approximate  source  is_demo
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from haitang.geo import coordinates, shapes
from haitang.geo.changes import tell
from haitang.geo.drawing import draw
from haitang.geo.merging import Merged, merge
from haitang.geo.models import Feature, Level, Place, PlaceShape
from haitang.geo.power_diagram import PowerDiagramError
from haitang.packs import Member, Pack, PackError, Row, section

PLACES, VILLAGES, GROUND = "places.csv", "villages.csv", "ground.geojson"
_TEXTS = ("name_en", "kind", "population_note", "confidence", "source")
_OPTIONAL = (*_TEXTS, "level", "parent", "population", "area_km2", "lon", "lat", "is_approximate", "is_demo")
_FIELDS = ("name_zh", "name_en", "level", "kind", "parent_id", "population", "population_note", "area_km2", "lon", "lat",
           "is_approximate", "confidence", "source", "is_demo")  # fmt: skip
_DEPTH = {level: depth for depth, level in enumerate(Level)}
AREAS = ("Polygon", "MultiPolygon")
DRAWN = "按驻地和面积推绘，非勘界成果 (drawn from seats and areas, not surveyed)"


# Places.


@section("geo.places")
def places(pack: Pack, by: Any) -> int:
    """The tree of jurisdictions."""
    rows = [*_rows(pack, PLACES, None), *_rows(pack, VILLAGES, Level.VILLAGE)]
    there = {place.code: place for place in Place.objects.all()}
    given: dict[str, tuple[Row, Place]] = {}
    for row, place in rows:
        if place.code in given:
            raise row.error("code", f"stands twice; the other is in {given[place.code][0].file}, line {given[place.code][0].line}",
                            "Keep one row")  # fmt: skip
        given[place.code] = (row, place)
    done = Merged()
    for level in Level:
        batch = []
        for row, place in given.values():
            if place.level != level:
                continue
            place.parent = _parent(row, place, given, there)
            place.path = f"{place.parent.path if place.parent else ''}{place.code}/"
            row.cleaned(place, exclude=("parent",))
            batch.append(place)
        done += merge(batch, fields=_FIELDS, slowly=("parent_id",), among=there.values())
    tell("geo.load_places", done, by)
    return len(rows)


def _rows(pack: Pack, file: str, level: Level | None) -> Iterator[tuple[Row, Place]]:
    for row in pack.table(file, needed=("code", "name_zh"), optional=_OPTIONAL):
        text = row["level"] or (level.value if level else "")
        if text not in Level.values:
            raise row.error("level", "is not a level", f"Use one of {', '.join(Level.values)}")
        lon, lat = position(row)
        place = Place(
            code=row.needed("code"),
            name_zh=row.needed("name_zh"),
            level=Level(text),
            population=row.integer("population"),
            area_km2=row.number("area_km2"),
            lon=lon,
            lat=lat,
            is_approximate=row.flag("is_approximate"),
            is_demo=row.flag("is_demo"),
            **{name: row[name] for name in _TEXTS},
        )
        if "/" in place.code:
            raise row.error("code", "a code has no slash")
        if place.area_km2 is not None and place.area_km2 <= 0:
            raise row.error("area_km2", "is not an area", "Write square kilometres, or leave it empty")
        yield row, place


def position(row: Row) -> tuple[float | None, float | None]:
    """Longitude and latitude of a row, both or neither; PackError where they are no place on Earth."""
    lon, lat = row.number("lon"), row.number("lat")
    if (lon is None) != (lat is None):
        raise row.error("lat" if lat is None else "lon", "a position has both lon and lat", "Give both or neither")
    if lon is not None and lat is not None and not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise row.error(
            "lat" if -180 <= lon <= 180 else "lon", "is no place on Earth", "Write degrees WGS-84: lon 121.4, lat 31.6"
        )
    return lon, lat


def _parent(row: Row, place: Place, given: Mapping[str, tuple[Row, Place]], there: Mapping[str, Place]) -> Place | None:
    code = row["parent"]
    if not code:
        if place.level != Level.DISTRICT:
            raise row.error("parent", "only a district stands by itself", "Write the code of the place it belongs to")
        return None
    parent = given[code][1] if code in given else there.get(code)
    if parent is None:
        raise row.error("parent", "no place has this code", f"Add it to {PLACES}")
    if _DEPTH[Level(parent.level)] >= _DEPTH[Level(place.level)]:
        raise row.error("parent", f"a {place.level} cannot stand under a {parent.level}")
    return parent


# Outlines.


@section("geo.outlines", after=("geo.places",))
def outlines(pack: Pack, by: Any) -> int:
    """The outlines that the pack brings, and those that are drawn where none is known."""
    known = {place.code: place for place in Place.objects.all()}
    there = {shape.place_id: shape for shape in PlaceShape.objects.all()}
    wanted = {shape.place_id: shape for shape in _brought(pack, known)}
    sure = {pk: shape for pk, shape in there.items() if not shape.is_approximate} | wanted
    for level in _levels_to_draw(pack):
        for shape in _drawn(list(known.values()), level, sure, there):
            wanted[shape.place_id] = there[shape.place_id] = shape
    fields = ("geometry", "level", "is_approximate", "source")
    done = merge(list(wanted.values()), key="place_id", fields=fields, among=list(PlaceShape.objects.all()))
    codes = {str(place.pk): place.code for place in known.values()}
    tell("geo.load_outlines", Merged([codes[pk] for pk in done.created], [codes[pk] for pk in done.changed]), by)
    return len(wanted)


def _brought(pack: Pack, known: Mapping[str, Place]) -> Iterator[PlaceShape]:
    about = pack.about.get("outlines", {})
    column, system = about.get("code", "code"), about.get("coordinates", "wgs84")
    if system not in coordinates.SYSTEMS:
        raise PackError("pack.toml", "is no coordinate system known here", f"Use {', '.join(coordinates.SYSTEMS)}",
                        field="outlines.coordinates", value=system)  # fmt: skip
    for file in pack.files("outlines*.geojson"):
        for member in pack.members(file, optional=("is_approximate", "source")):
            code = member.needed(column)
            place = known.get(code) or (known.get(code[:-3]) if len(code) == 12 and code.endswith("000") else None)
            if place is None:
                raise member.error(column, "no place has this code", f"Add it to {PLACES}")
            shape = PlaceShape(
                place=place,
                level=place.level,
                geometry=coordinates.convert_shapes(_geometry(member, AREAS), system, "wgs84"),
                is_approximate=member.flag("is_approximate"),
                source=member["source"],
            )
            member.cleaned(shape, exclude=("place", "geometry"))
            yield shape


def _geometry(member: Member, kinds: tuple[str, ...] = ()) -> BaseGeometry:
    try:
        return shapes.parse(member.geometry, kinds)
    except shapes.GeometryError as error:
        raise member.error("geometry", str(error)) from error


def _levels_to_draw(pack: Pack) -> list[Level]:
    levels = pack.about.get("outlines", {}).get("draw", [])
    for level in levels:
        if level not in Level.values or level == Level.DISTRICT:
            raise PackError("pack.toml", "is not a level that can be drawn", "Use township, village or grid",
                            field="outlines.draw", value=level)  # fmt: skip
    return [level for level in Level if level in levels]


def _drawn(
    places: Collection[Place], level: Level, sure: Mapping[int, PlaceShape], there: Mapping[int, PlaceShape]
) -> Iterator[PlaceShape]:
    """Outlines for the places of a level that have a seat and an area and no outline that somebody brought."""
    below: dict[int, list[Place]] = defaultdict(list)
    for place in places:
        if place.level == level and place.parent_id is not None:
            below[place.parent_id].append(place)
    for parent in places:
        frame = sure.get(parent.pk) or there.get(parent.pk)
        children = below[parent.pk]
        open_ones = [child for child in children if child.pk not in sure and child.lon is not None and child.area_km2]
        if frame is None or frame.geometry is None or not open_ones:
            continue
        taken = [sure[child.pk].geometry for child in children if child.pk in sure]
        land = shapely.difference(frame.geometry, shapely.union_all(taken)) if taken else frame.geometry
        seats = np.array([(child.lon, child.lat) for child in open_ones], dtype=np.float64)
        areas = np.array([child.area_km2 for child in open_ones], dtype=np.float64)
        try:
            cells = draw(land, seats, areas)
        except PowerDiagramError as error:
            raise PackError(PLACES, f"the {level}s of {parent.code} cannot be drawn: {error}", "Check lon, lat, area_km2",
                            field="lon, lat, area_km2") from error  # fmt: skip
        for child, cell in zip(open_ones, cells, strict=True):
            yield PlaceShape(place=child, level=level, geometry=cell, is_approximate=True, source=DRAWN)


# The ground.


@section("geo.ground", after=("geo.places",))
def ground(pack: Pack, by: Any) -> int:
    """Water, sea walls, roads, bridges and ferry lines."""
    rows: dict[str, Feature] = {}
    for member in pack.members(GROUND, optional=("name_en", "source", "is_approximate", "is_demo")):
        feature = Feature(
            code=member.needed("code"),
            kind=member.needed("kind"),
            name_zh=member.needed("name_zh"),
            geometry=_geometry(member),
            name_en=member["name_en"],
            source=member["source"],
            is_approximate=member.flag("is_approximate"),
            is_demo=member.flag("is_demo"),
        )
        if feature.code in rows:
            raise member.error("code", "stands twice", "Keep one")
        member.cleaned(feature, exclude=("geometry",))
        rows[feature.code] = feature
    fields = ("kind", "name_zh", "name_en", "geometry", "is_approximate", "source", "is_demo")
    tell("geo.load_ground", merge(list(rows.values()), fields=fields), by)
    return len(rows)
