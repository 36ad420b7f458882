"""The mapping: stations, series, quantities and what came by SensorThings, as entities of the standard with their relations.

Everything begins with `visible_to`: what a user does not see has no number, no count and no relation here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import Q, QuerySet

from haitang.monitoring.models import Series, StaRecord, Station
from haitang.monitoring.quantities import QUANTITIES
from haitang.monitoring.sensorthings import ids
from haitang.monitoring.sensorthings.schema import KINDS, Kind
from haitang.monitoring.sensorthings.units import unit_of
from haitang.spaces.models import Space

GEOJSON = "application/geo+json"
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
BEGINNING = "1990-01-01T00:00:00.000Z"
"""Since when a station is held to stand where it stands: the door takes no reading from before."""


@dataclass(slots=True, eq=False)
class Node:
    """One entity: its number, its properties, the keys of our rows behind it, and related entities once they are loaded."""

    kind: Kind
    id: int
    row: dict[str, Any]
    keys: dict[str, Any]
    related: dict[str, list[Node]] = field(default_factory=dict)
    expanded: dict[str, Page] = field(default_factory=dict)


@dataclass(slots=True)
class Page:
    """Entities of one page, how many there are in all (if asked), and whether more follow."""

    nodes: list[Node]
    count: int | None = None
    more: bool = False


def _among(rows: QuerySet[Any], name: str, keys: Iterable[int] | None) -> QuerySet[Any]:
    return rows if keys is None else rows.filter(**{f"{name}__among": sorted(set(keys))})


class World:
    """What one user sees in one space, for the length of one request."""

    def __init__(self, space: Space, user: Any, root: str) -> None:
        self.space, self.user, self.root = space, user, root

    def stations(self) -> QuerySet[Station]:
        """Stations in use that the user sees."""
        return Station.objects.visible_to(self.user).filter(is_active=True)

    def series(self) -> QuerySet[Series]:
        """Series in use that the user sees."""
        return Series.objects.visible_to(self.user).filter(is_active=True, station__is_active=True)

    def records(self, kind: str) -> QuerySet[StaRecord]:
        """Records of a kind that are not gone; the caller sees to the scope."""
        return StaRecord.objects.filter(kind=kind, is_gone=False)

    # --- Things

    def things(self, keys: Iterable[int] | None = None, window: tuple[int, int] | None = None) -> list[Node]:
        """Things in order of number."""
        rows = _among(self.stations(), "pk", keys).order_by("pk").values_list(
            "pk", "code", "name_zh", "name_en", "kind", "place__code", "operator__code", "is_public", "is_demo", "source", "note"
        )  # fmt: skip
        found = list(rows[window[0] : window[0] + window[1]] if window else rows)
        bodies = self._bodies("Thing", "station_id", [row[0] for row in found] if keys is not None or window else None)
        return [_thing(row, bodies.get(row[0], _EMPTY)) for row in found]

    def _bodies(self, kind: str, key: str, keys: Sequence[int] | None) -> dict[int, dict[str, Any]]:
        rows = _among(self.records(kind), key, keys)
        return dict(rows.values_list(key, "body"))

    # --- Datastreams, Sensors, ObservedProperties

    def datastreams(
        self,
        keys: Iterable[int] | None = None,
        stations: Iterable[int] | None = None,
        window: tuple[int, int] | None = None,
    ) -> list[Node]:
        """Datastreams in order of number."""
        rows = _among(_among(self.series(), "pk", keys), "station_id", stations).order_by("pk").values_list(
            "pk", "code", "station_id", "quantity", "unit", "label_zh", "datum", "interval_s", "station__name_zh", "source", "is_demo"
        )  # fmt: skip
        found = list(rows[window[0] : window[0] + window[1]] if window else rows)
        overlays = {
            row[0]: row[1:]
            for row in self.records("Datastream").values_list("series_id", "body", "sensor_id", "observed_property_id")
        }
        return [_datastream(row, *overlays.get(row[0], (_EMPTY, None, None))) for row in found]

    def sensors(self, numbers: Iterable[int] | None = None) -> list[Node]:
        """Sensors: one for each series that names none of its own, and those that came by SensorThings."""
        owned, derived = _sorted_numbers(numbers)
        streams = self.datastreams(derived)
        found = [_sensor(each) for each in streams if each.keys["sensor"] == ids.derived(each.id)]
        return _ordered(found + self._own("Sensor", owned, self._named_by_series("sensor_id")))

    def observed_properties(self, numbers: Iterable[int] | None = None) -> list[Node]:
        """Observed properties: the quantities that are measured, and those that came by SensorThings."""
        owned, derived = _sorted_numbers(numbers)
        wanted = None if derived is None else set(derived)
        overlaid = self.records("Datastream").exclude(observed_property=None).values("series_id")
        codes = self.series().exclude(pk__in=overlaid).order_by().values_list("quantity", flat=True).distinct()
        found = [
            _quantity(code) for code in codes if wanted is None or ids.split(ids.quantity(code))[1] in wanted
        ]  # fmt: skip
        return _ordered(found + self._own("ObservedProperty", owned, self._named_by_series("observed_property_id")))

    def _named_by_series(self, key: str) -> Q:
        series = self.records("Datastream").filter(series__in=self.series().order_by().values("pk"))
        return Q(pk__in=series.exclude(**{key: None}).order_by().values(key))

    def _own(self, kind: str, keys: Iterable[int] | None, shown: Q | None = None) -> list[Node]:
        """Records of a kind that the user sees: by their own scope, or because something he sees names them."""
        rows = _among(self.records(kind), "pk", keys)
        condition = StaRecord.scope.condition(self.user)
        rows = rows.filter(condition if shown is None else condition | shown).order_by("pk").distinct()
        return [_own_node(kind, pk, body) for pk, body in rows.values_list("pk", "body")]

    # --- Locations, HistoricalLocations, FeaturesOfInterest

    @cached_property
    def _links(self) -> dict[int, list[int]]:
        """Locations of their own by station."""
        rows = StaRecord.things.through._default_manager.filter(starecord__is_gone=False)
        found: defaultdict[int, list[int]] = defaultdict(list)
        for station, record in rows.order_by("starecord_id").values_list("station_id", "starecord_id"):
            found[station].append(record)
        return found

    def _positions(self, stations: Iterable[int] | None = None) -> list[tuple[int, str, float, float]]:
        rows = _among(self.stations().filter(west__isnull=False), "pk", stations).order_by("pk")
        return list(rows.values_list("pk", "name_zh", "west", "south"))

    def locations(self, numbers: Iterable[int] | None = None, stations: Iterable[int] | None = None) -> list[Node]:
        """Locations: a station's position, or what SensorThings says of where it is."""
        owned, derived = _sorted_numbers(numbers)
        if stations is not None:
            stations = list(stations)
            owned = [record for station in stations for record in self._links.get(station, ())]
            derived = stations
        positions = [row for row in self._positions(derived) if row[0] not in self._links]
        told = self._bodies("Thing", "station_id", [row[0] for row in positions]) if positions else {}
        found = [_location(row, told.get(row[0], _EMPTY).get("location", _EMPTY)) for row in positions]
        seen = self.stations().order_by().values("pk")
        return _ordered(found + [self._placed(node) for node in self._own("Location", owned, Q(things__in=seen))])

    def _placed(self, node: Node) -> Node:
        key = node.keys["record"]
        node.keys["stations"] = [station for station, records in self._links.items() if key in records]
        return node

    def historical_locations(
        self, numbers: Iterable[int] | None = None, stations: Iterable[int] | None = None
    ) -> list[Node]:
        """Where a Thing has been since when."""
        owned, derived = _sorted_numbers(numbers)
        rows = self.records("HistoricalLocation").filter(station__in=self.stations().order_by().values("pk"))
        rows = _among(_among(rows, "pk", owned), "station_id", stations).order_by("pk")
        found = [
            Node(
                KINDS["HistoricalLocation"], ids.own(pk), {"time": body["time"]}, {"record": pk, "stations": [station]}
            )
            for pk, body, station in rows.values_list("pk", "body", "station_id")
        ]
        told = set(self.records("HistoricalLocation").values_list("station_id", flat=True))
        for pk, *_ in self._positions(derived if stations is None else stations):
            if pk not in told and pk not in self._links:
                row = {"time": BEGINNING}
                found.append(Node(KINDS["HistoricalLocation"], ids.derived(pk), row, {"stations": [pk]}))
        return _ordered(found)

    def features(
        self, numbers: Iterable[int] | None = None, stations: Iterable[int] | None = None, *, listed: bool = False
    ) -> list[Node]:
        """Features of interest: a station's place, and those that came by SensorThings.

        `listed`: of stations that came by SensorThings only where an observation made its feature.
        """
        owned, derived = _sorted_numbers(numbers)
        if stations is not None:
            owned, derived = [], list(stations)
        places: dict[int, Node] = {}
        if derived is None or derived:
            for node in self.locations(stations=derived) if derived is not None else self.locations():
                for station in node.keys["stations"]:
                    places.setdefault(station, node)
        bodies = self._bodies("Thing", "station_id", list(places)) if places else {}
        names = dict(_among(self.stations(), "pk", places).values_list("pk", "name_zh")) if places else {}
        found = []
        for station, node in places.items():
            body = bodies.get(station, _EMPTY)
            hidden = body.get("feature") is False or (listed and body.get("made") and not body.get("feature"))
            if not hidden and station in names and (derived is None or station in derived):
                found.append(_feature(station, names[station], node))
        return _ordered(found + self._own("FeatureOfInterest", owned))

    # --- along a relation

    def related(self, nodes: Sequence[Node], relation: str) -> list[list[Node]]:
        """Entities at the other end of a relation (all but Observations), for many entities at once."""
        if not nodes:
            return []
        return _RELATIONS[nodes[0].kind.name, relation](self, nodes)

    def by_number(self, kind: str, numbers: Iterable[int]) -> list[Node]:
        """Entities with these numbers, as far as the user sees them."""
        numbers = list(numbers)
        return _LOAD[kind](self, numbers)

    def all(self, kind: str, window: tuple[int, int] | None = None) -> list[Node]:
        """Every entity of a kind that the user sees; only Things and Datastreams know a window."""
        if kind == "Thing":
            return self.things(window=window)
        if kind == "Datastream":
            return self.datastreams(window=window)
        if kind == "FeatureOfInterest":
            return self.features(listed=True)
        return _LOAD[kind](self, None)

    def size(self, kind: str) -> int:
        """How many Things or Datastreams there are."""
        return (self.stations() if kind == "Thing" else self.series()).count()


_EMPTY: dict[str, Any] = {}


def _sorted_numbers(numbers: Iterable[int] | None) -> tuple[list[int] | None, list[int] | None]:
    """(keys of own rows, keys of derived ones); (None, None) for all."""
    if numbers is None:
        return None, None
    pairs = [ids.split(number) for number in numbers]
    return [key for own, key in pairs if own], [key for own, key in pairs if not own]


def _ordered(nodes: list[Node]) -> list[Node]:
    return sorted(nodes, key=lambda node: node.id)


def _own_node(kind: str, pk: int, body: dict[str, Any]) -> Node:
    return Node(KINDS[kind], ids.own(pk), dict(body), {"record": pk, "stations": []})


def _with(row: dict[str, Any], body: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    for name in names:
        if name in body:
            row[name] = body[name]
    return row


def _thing(values: tuple[Any, ...], body: Mapping[str, Any]) -> Node:
    pk, code, name_zh, name_en, kind, place, operator, public, demo, source, note = values
    row: dict[str, Any] = {"name": name_zh, "description": note or name_en or code}
    row["properties"] = {
        "code": code, "nameEn": name_en, "kind": kind, "place": place, "operator": operator, "public": public,
        "demonstration": demo, "source": source,
    }  # fmt: skip
    if body.get("made"):
        del row["properties"]
    return Node(KINDS["Thing"], pk, _with(row, body, ("description", "properties")), {"station": pk})


def _datastream(values: tuple[Any, ...], body: Mapping[str, Any], sensor: int | None, observed: int | None) -> Node:
    pk, code, station, quantity, unit, label, datum, interval, station_name, source, demo = values
    label = label or QUANTITIES[quantity].name_zh
    row: dict[str, Any] = {
        "name": f"{station_name} {label}",
        "description": code,
        "observationType": MEASUREMENT,
        "unitOfMeasurement": unit_of(unit),
        "properties": {
            "code": code, "quantity": quantity, "intervalSeconds": interval, "datum": datum, "demonstration": demo,
            "source": source,
        },
    }  # fmt: skip
    if body.get("made"):
        del row["properties"]
    keys = {
        "station": station, "series": pk, "quantity": quantity, "unit": unit, "code": code,
        "sensor": ids.own(sensor) if sensor else ids.derived(pk),
        "property": ids.own(observed) if observed else ids.quantity(quantity), "told": body.get("sensor", _EMPTY),
    }  # fmt: skip
    names = ("name", "description", "observationType", "unitOfMeasurement", "properties")
    return Node(KINDS["Datastream"], pk, _with(row, body, names), keys)


def _sensor(stream: Node) -> Node:
    quantity = QUANTITIES[stream.keys["quantity"]]
    row = {
        "name": f"{stream.keys['code']}", "description": f"{quantity.name_zh} {quantity.name_en}",
        "encodingType": "text/plain", "metadata": stream.row.get("properties", _EMPTY).get("source") or stream.keys["code"],
    }  # fmt: skip
    row = _with(row, stream.keys["told"], KINDS["Sensor"].properties)
    return Node(KINDS["Sensor"], ids.derived(stream.id), row, {"series": stream.id})


def _quantity(code: str) -> Node:
    kind = QUANTITIES[code]
    row = {
        "name": kind.name_zh, "definition": f"urn:haitang:quantity:{code}", "description": kind.name_en,
        "properties": {"code": code, "unit": kind.unit, "lowest": kind.low, "highest": kind.high},
    }  # fmt: skip
    return Node(KINDS["ObservedProperty"], ids.quantity(code), row, {"quantity": code})


def _location(values: tuple[int, str, float, float], body: Mapping[str, Any]) -> Node:
    pk, name, lon, lat = values
    row = {
        "name": name, "description": name, "encodingType": GEOJSON,
        "location": {"type": "Point", "coordinates": [lon, lat]},
    }  # fmt: skip
    row = _with(row, body, ("name", "description", "properties"))
    return Node(KINDS["Location"], ids.derived(pk), row, {"stations": [pk], "station": pk})


def _feature(station: int, name: str, location: Node) -> Node:
    row = {
        "name": name, "description": name, "encodingType": location.row.get("encodingType", GEOJSON),
        "feature": location.row["location"],
    }  # fmt: skip
    return Node(KINDS["FeatureOfInterest"], ids.derived(station), row, {"station": station})


# --- relations: (kind, relation) -> for each of the nodes, the entities at the other end


def _by(nodes: Iterable[Node], key: str) -> dict[int, list[Node]]:
    found: defaultdict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        value = node.keys[key]
        for each in value if isinstance(value, list) else (value,):
            found[each].append(node)
    return found


def _one(found: Iterable[Node], wanted: Iterable[int]) -> list[list[Node]]:
    table = {node.id: node for node in found}
    return [[table[key]] if key in table else [] for key in wanted]


def _stations_of(nodes: Sequence[Node]) -> list[list[int]]:
    return [
        node.keys.get("stations") or [node.keys["station"]] if node.keys.get("stations") != [] else [] for node in nodes
    ]


def _thing_datastreams(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    table = _by(world.datastreams(stations=[node.id for node in nodes]), "station")
    return [table.get(node.id, []) for node in nodes]


def _thing_locations(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    table = _by(world.locations(stations=[node.id for node in nodes]), "stations")
    return [table.get(node.id, []) for node in nodes]


def _thing_histories(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    table = _by(world.historical_locations(stations=[node.id for node in nodes]), "stations")
    return [table.get(node.id, []) for node in nodes]


def _datastream_thing(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    keys = [node.keys["station"] for node in nodes]
    return _one(world.things(keys), keys)


def _datastream_sensor(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    wanted = [node.keys["sensor"] for node in nodes]
    found = {ids.derived(node.id): _sensor(node) for node in nodes if node.keys["sensor"] == ids.derived(node.id)}
    owned = [key for own, key in map(ids.split, wanted) if own]
    named = _named(world, "Sensor", owned)
    return _one([*found.values(), *named], wanted)


def _datastream_property(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    wanted = [node.keys["property"] for node in nodes]
    codes = {node.keys["quantity"] for node in nodes}
    owned = [key for own, key in map(ids.split, wanted) if own]
    return _one([*map(_quantity, codes), *_named(world, "ObservedProperty", owned)], wanted)


def _named(world: World, kind: str, keys: Sequence[int]) -> list[Node]:
    """Records named by something the user sees."""
    if not keys:
        return []
    rows = _among(world.records(kind), "pk", keys)
    return [_own_node(kind, pk, body) for pk, body in rows.values_list("pk", "body")]


def _location_things(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    wanted = [node.keys["stations"] for node in nodes]
    table = {node.id: node for node in world.things({key for keys in wanted for key in keys})}
    return [[table[key] for key in keys if key in table] for keys in wanted]


def _location_histories(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    through = StaRecord.locations.through._default_manager
    pairs = list(through.filter(from_starecord__is_gone=False).values_list("to_starecord_id", "from_starecord_id"))
    owned = {node.keys["record"] for node in nodes if "record" in node.keys}
    mine = [(to, frm) for to, frm in pairs if to in owned]
    stations = [node.keys["station"] for node in nodes if "record" not in node.keys]
    table = {node.id: node for node in world.historical_locations([ids.own(frm) for _to, frm in mine])}
    here = _by(world.historical_locations(stations=stations), "stations") if stations else {}
    return [
        [table[ids.own(frm)] for to, frm in mine if to == node.keys["record"] and ids.own(frm) in table]
        if "record" in node.keys
        else here.get(node.keys["station"], [])
        for node in nodes
    ]


def _history_thing(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    keys = [node.keys["stations"][0] for node in nodes]
    return _one(world.things(keys), keys)


def _history_locations(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    owned = [node.keys["record"] for node in nodes if "record" in node.keys]
    through = StaRecord.locations.through._default_manager.filter(to_starecord__is_gone=False)
    links: defaultdict[int, list[int]] = defaultdict(list)
    for frm, to in _among(through, "from_starecord_id", owned).values_list("from_starecord_id", "to_starecord_id"):
        links[frm].append(to)
    table = {
        node.keys["record"]: world._placed(node)
        for node in _named(world, "Location", [to for tos in links.values() for to in tos])
    }
    loose = [node.keys["stations"][0] for node in nodes if not links.get(node.keys.get("record", 0))]
    here = _by(world.locations(stations=loose), "stations") if loose else {}
    return [
        [table[to] for to in links[node.keys["record"]] if to in table]
        if links.get(node.keys.get("record", 0))
        else here.get(node.keys["stations"][0], [])
        for node in nodes
    ]


def _sensor_datastreams(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    table = _by(_with_reference(world, "sensor", nodes), "sensor")
    return [table.get(node.id, []) for node in nodes]


def _property_datastreams(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    table = _by(_with_reference(world, "observed_property", nodes), "property")
    return [table.get(node.id, []) for node in nodes]


def _with_reference(world: World, name: str, nodes: Sequence[Node]) -> list[Node]:
    owned = [node.keys["record"] for node in nodes if "record" in node.keys]
    keys = set(_among(world.records("Datastream"), f"{name}_id", owned).values_list("series_id", flat=True))
    if name == "sensor":
        keys |= {node.keys["series"] for node in nodes if "series" in node.keys}
    else:
        codes = [node.keys["quantity"] for node in nodes if "quantity" in node.keys]
        keys |= set(world.series().filter(quantity__in=codes).values_list("pk", flat=True))
    return world.datastreams(keys)


def _observation_datastream(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    keys = [node.keys["series"] for node in nodes]
    return _one(world.datastreams(keys), keys)


def _observation_feature(world: World, nodes: Sequence[Node]) -> list[list[Node]]:
    owned = [node.keys["feature"] for node in nodes if node.keys["feature"]]
    table = {node.keys["record"]: node for node in _named(world, "FeatureOfInterest", owned)}
    series = {node.keys["series"] for node in nodes}
    station_of = dict(_among(world.series(), "pk", series).values_list("pk", "station_id"))
    derived = {node.keys["station"]: node for node in world.features(stations=set(station_of.values()))}
    found = []
    for node in nodes:
        one = table.get(node.keys["feature"]) or derived.get(station_of.get(node.keys["series"], 0))
        found.append([one] if one else [])
    return found


_RELATIONS: Mapping[tuple[str, str], Any] = {
    ("Thing", "Datastreams"): _thing_datastreams,
    ("Thing", "Locations"): _thing_locations,
    ("Thing", "HistoricalLocations"): _thing_histories,
    ("Datastream", "Thing"): _datastream_thing,
    ("Datastream", "Sensor"): _datastream_sensor,
    ("Datastream", "ObservedProperty"): _datastream_property,
    ("Location", "Things"): _location_things,
    ("Location", "HistoricalLocations"): _location_histories,
    ("HistoricalLocation", "Thing"): _history_thing,
    ("HistoricalLocation", "Locations"): _history_locations,
    ("Sensor", "Datastreams"): _sensor_datastreams,
    ("ObservedProperty", "Datastreams"): _property_datastreams,
    ("Observation", "Datastream"): _observation_datastream,
    ("Observation", "FeatureOfInterest"): _observation_feature,
}
_LOAD: Mapping[str, Any] = {
    "Thing": World.things,
    "Datastream": World.datastreams,
    "Location": World.locations,
    "HistoricalLocation": World.historical_locations,
    "Sensor": World.sensors,
    "ObservedProperty": World.observed_properties,
    "FeatureOfInterest": World.features,
}
