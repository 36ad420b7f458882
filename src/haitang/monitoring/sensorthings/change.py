"""Writing: entities that clients create, change and remove, onto our registers by their verbs.

A Thing becomes a station, a Datastream a series; what these have no column for, and the other entities, become records.
What our registers say themselves (a quantity, a station's feature) is changed there. Nothing is destroyed: what is
deleted is taken out of use, its readings and the journal keep their ground.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils import timezone

from haitang.accounts.models import ApiToken
from haitang.geo.models import Level, Place
from haitang.monitoring import edition, services
from haitang.monitoring.models import Series, StaRecord, Station, StationKind
from haitang.monitoring.quantities import QUANTITIES
from haitang.monitoring.sensorthings import arrays, ids, intake, moments
from haitang.monitoring.sensorthings.errors import StaError, bad
from haitang.monitoring.sensorthings.schema import KINDS, Kind
from haitang.monitoring.sensorthings.serve import Server
from haitang.monitoring.sensorthings.units import known
from haitang.monitoring.sensorthings.world import Node

OTHER, UNSTATED = "other", "unstated"
_TEXTS = {"name": 500, "description": 4000, "encodingType": 200, "definition": 1000, "observationType": 300, "time": 80}
# A client that sends back what it read may send these; they are ours to say.
_DERIVED = {"observedArea", "phenomenonTime", "resultTime"}
MOST_INSIDE = 500
"""Entities that one deep insert may hold."""


class Writer:
    """Changes what one token may change. The caller opens the transaction."""

    def __init__(self, server: Server, token: ApiToken) -> None:
        self.server, self.world, self.token, self.by = server, server.world, token, token.user
        self._inside = 0

    # --- creating

    def create(self, kind: Kind, body: object, links: Mapping[str, int] | None = None) -> int:
        """Create an entity, with those inside it; returns its number."""
        self._inside += 1
        if self._inside > MOST_INSIDE:
            raise StaError(413, f"More than {MOST_INSIDE} entities in one request; send them one by one", "body")
        given = self._given(kind, body, links or {})
        number: int = getattr(self, f"_create_{_snake(kind.name)}")(given)
        return number

    def _given(self, kind: Kind, body: object, links: Mapping[str, int]) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise bad(f"A {kind.name} is an object", kind.name)
        given = {**body, **{name: {"@iot.id": number} for name, number in links.items()}}
        for name in kind.required:
            if given.get(name) is None and not (kind.name == "Observation" and name == "phenomenonTime"):
                raise bad(f"{kind.name}.{name} is missing", name)
        for name in kind.needs:
            if given.get(name) is None:
                raise bad(f"{kind.name}.{name} is missing: link to one or give one inside", name)
        return self.checked(kind, given)

    def checked(self, kind: Kind, given: dict[str, Any]) -> dict[str, Any]:
        """Properties of the right sort and size; StaError names the one that is not."""
        for name, value in list(given.items()):
            if (
                name.startswith("@iot.")
                or "@iot." in name
                or name in ("id", "selfLink")
                or (name in _DERIVED and kind.name == "Datastream")
            ):
                del given[name]
            elif name not in kind.properties and name not in kind.relations:
                raise bad(f"{kind.name} has neither a property nor a relation {name[:60]!r}", name[:60])
            elif name in _TEXTS and (not isinstance(value, str) or len(value) > _TEXTS[name]):
                raise bad(f"{kind.name}.{name} must be a text of at most {_TEXTS[name]} characters", name)
            elif name in ("properties", "unitOfMeasurement", "parameters") and not isinstance(value, dict):
                raise bad(f"{kind.name}.{name} must be an object", name)
            elif name in ("location", "feature") and not isinstance(value, dict | str):
                raise bad(f"{kind.name}.{name} must be GeoJSON", name)
        for name in ("properties", "unitOfMeasurement", "location", "feature", "metadata", "definition"):
            arrays.modest(given.get(name), name)
        if "time" in given and kind.name == "HistoricalLocation":
            given["time"] = _instant(given["time"])
        return given

    def _create_thing(self, given: dict[str, Any]) -> int:
        properties = given.get("properties", {})
        body = {**_only(given, ("name", "description", "properties")), "made": True}
        record = services.add_sta_record(kind="Thing", body=body, by=self.by)
        sort = properties.get("kind")
        station = services.register_station(
            code=f"STA-{record.pk}", name_zh=given["name"][:80] or f"STA-{record.pk}", by=self.by,
            kind=sort if sort in StationKind.values else StationKind.OTHER, operator=self.by.organisation,
            place=self.by.organisation.place if self.by.organisation else None, source="SensorThings",
        )  # fmt: skip
        record.station = station
        record.save(update_fields=["station"])
        if given.get("Locations"):
            self.place(station, self._several("Location", given["Locations"]))
        for each in _list(given.get("Datastreams", []), "Datastreams"):
            self.create(KINDS["Datastream"], each, {"Thing": station.pk})
        for each in _list(given.get("HistoricalLocations", []), "HistoricalLocations"):
            self.create(KINDS["HistoricalLocation"], each, {"Thing": station.pk})
        return int(station.pk)

    def _create_location(self, given: dict[str, Any]) -> int:
        record = services.add_sta_record(kind="Location", body=_only(given, KINDS["Location"].properties), by=self.by)
        for each in _list(given.get("Things", []), "Things"):
            self.place(self._station(self._linked("Thing", each)), [ids.own(record.pk)])
        return ids.own(record.pk)

    def _create_historical_location(self, given: dict[str, Any]) -> int:
        station = self._station(self._linked("Thing", given["Thing"]))
        places = self._records("Location", self._several("Location", given.get("Locations", [])))
        record = services.add_sta_record(
            kind="HistoricalLocation", body={"time": given["time"]}, station=station, locations=places, by=self.by
        )
        return ids.own(record.pk)

    def _create_sensor(self, given: dict[str, Any]) -> int:
        return self._create_record("Sensor", given)

    def _create_observed_property(self, given: dict[str, Any]) -> int:
        return self._create_record("ObservedProperty", given)

    def _create_feature_of_interest(self, given: dict[str, Any]) -> int:
        if given.get("Observations"):
            raise StaError(
                501,
                "Observations inside a FeatureOfInterest are not served; send them to their Datastream",
                "Observations",
            )
        return self._create_record("FeatureOfInterest", given)

    def _create_record(self, kind: str, given: dict[str, Any]) -> int:
        record = services.add_sta_record(kind=kind, body=_only(given, KINDS[kind].properties), by=self.by)
        for each in _list(given.get("Datastreams", []), "Datastreams"):
            self.create(KINDS["Datastream"], each, {kind: ids.own(record.pk)})
        return ids.own(record.pk)

    def _create_datastream(self, given: dict[str, Any]) -> int:
        station = self._station(self._linked("Thing", given["Thing"]))
        sensor = self._linked("Sensor", given["Sensor"])
        observed = self._linked("ObservedProperty", given["ObservedProperty"])
        quantity, unit = self._measured(observed, given["unitOfMeasurement"])
        body = {**_only(given, KINDS["Datastream"].properties), "made": True}
        record = services.add_sta_record(
            kind="Datastream", body=body, station=station, by=self.by, sensor=self._record("Sensor", sensor),
            observed_property=self._record("ObservedProperty", observed),
        )  # fmt: skip
        interval = given.get("properties", {}).get("intervalSeconds")
        series = services.register_series(
            code=f"{self.token.prefix}STA-{record.pk}", station=station, quantity=quantity, unit=unit,
            label_zh=given["name"][:60], source="SensorThings", by=self.by,
            interval_s=interval if type(interval) is int and 0 < interval < 2**31 else 300,
        )  # fmt: skip
        record.series = series
        record.save(update_fields=["series"])
        for each in _list(given.get("Observations", []), "Observations"):
            self.create(KINDS["Observation"], each, {"Datastream": series.pk})
        return int(series.pk)

    def _measured(self, observed: int, unit: Mapping[str, Any]) -> tuple[str, str]:
        """Our quantity and unit for an observed property and a unit of measurement: ours where they are ours, else other."""
        own, key = ids.split(observed)
        symbol = known(unit)
        if own:
            body = StaRecord.objects.get(pk=key).body
            words = {str(body.get(name, "")).strip().lower() for name in ("name", "definition")}
            quantity = next(
                (
                    q.code
                    for q in QUANTITIES.values()
                    if words & {q.code, q.name_en.lower(), q.name_zh, f"urn:haitang:quantity:{q.code}"}
                ),
                OTHER,
            )
            if quantity == OTHER or symbol not in QUANTITIES[quantity].accepted:
                return OTHER, UNSTATED
            return quantity, str(symbol)
        quantity = next(code for code in QUANTITIES if ids.quantity(code) == observed)
        if quantity == OTHER:
            return OTHER, UNSTATED
        if symbol not in QUANTITIES[quantity].accepted:
            accepted = ", ".join(QUANTITIES[quantity].accepted)
            raise bad(
                f"unitOfMeasurement does not fit {quantity}; its symbol may be one of {accepted}", "unitOfMeasurement"
            )
        return quantity, str(symbol)

    def _create_observation(self, given: dict[str, Any]) -> int:
        series = self._linked("Datastream", given["Datastream"])
        feature = given.get("FeatureOfInterest")
        if isinstance(feature, dict) and "@iot.id" not in feature:
            given["FeatureOfInterest"] = {"@iot.id": self.create(KINDS["FeatureOfInterest"], feature)}
        return observe(self.server, self.token, given, series)

    # --- links

    def _linked(self, kind: str, given: object) -> int:
        """The number of an entity that is linked to, or made inside."""
        if isinstance(given, dict) and not ("@iot.id" in given or set(given) == {"id"}):
            return self.create(KINDS[kind], given)
        number = arrays.reference(given, kind)
        if kind == "ObservedProperty" and any(ids.quantity(code) == number for code in QUANTITIES):
            return number
        if not self.world.by_number(kind, [number]):
            raise bad(f"There is no {kind} with the number {number}, or not in your reach", kind)
        return number

    def _several(self, kind: str, given: object) -> list[int]:
        return [self._linked(kind, each) for each in _list(given, f"{kind}s")]

    def _record(self, kind: str, number: int) -> StaRecord | None:
        own, key = ids.split(number)
        return StaRecord.objects.filter(kind=kind, is_gone=False).get(pk=key) if own else None

    def _records(self, kind: str, numbers: Iterable[int]) -> list[int]:
        """Keys of records; what is derived from a station gets a record of its own."""
        keys = []
        for number in numbers:
            own, key = ids.split(number)
            if not own:
                node = self.world.by_number(kind, [number])[0]
                key = services.add_sta_record(kind=kind, body=node.row, by=self.by).pk
            keys.append(key)
        return keys

    def _station(self, number: int) -> Station:
        """A station that this user may change: in reach, and not only because it is public."""
        found = Station.objects.filter(
            dataclasses.replace(Station.scope, public=None).condition(self.by), pk=number
        ).first()
        if found is None:
            raise StaError(403, f"Thing({number}) is kept by others", "Thing")
        return found

    def _series(self, number: int) -> Series:
        scope = dataclasses.replace(Series.scope, public=None)
        found = Series.objects.filter(scope.condition(self.by), pk=number).select_related("station").first()
        if found is None or not found.code.startswith(self.token.prefix):
            raise StaError(403, f"Datastream({number}) is kept by others", "Datastream")
        return found

    def _kept(self, node: Node) -> StaRecord:
        """A record that this user may change."""
        scope = dataclasses.replace(StaRecord.scope, public=None)
        found = StaRecord.objects.filter(scope.condition(self.by), pk=node.keys["record"]).first()
        if found is None:
            raise StaError(403, f"{node.kind.name}({node.id}) is kept by others", node.kind.name)
        return found

    def place(self, station: Station, numbers: list[int], *, told: bool = True) -> None:
        """Let a station stand at Locations from now on; where it stood is remembered."""
        keys = self._records("Location", numbers)
        rows = {row.pk: row for row in StaRecord.objects.filter(pk__in=keys, is_gone=False)}
        for row in StaRecord.objects.filter(kind="Location", things=station).exclude(pk__in=keys):
            row.things.remove(station)
        for row in rows.values():
            row.things.add(station)
        point = next((found for key in keys if (found := _point(rows[key].body.get("location")))), None)
        fields: dict[str, Any] = {"geometry": point}
        if point is not None:
            levels = (Level.DISTRICT, Level.TOWNSHIP)
            here = list(Place.objects.holding(point.x, point.y).filter(level__in=levels))
            fields["place"] = max(here, key=lambda each: len(each.path)) if here else station.place
        services.register_station(code=station.code, by=self.by, **fields)
        if told:
            body = {"time": moments.iso(round(timezone.now().timestamp() * 1000))}
            services.add_sta_record(kind="HistoricalLocation", body=body, station=station, locations=keys, by=self.by)

    # --- changing

    def change(self, node: Node, body: dict[str, Any], *, whole: bool) -> None:
        """Change an entity; `whole` (PUT): what is left out goes back to nothing."""
        kind = node.kind
        given = self.checked(kind, dict(body))
        if whole:
            for name in kind.required:
                if given.get(name) is None:
                    raise bad(f"{kind.name}.{name} is missing", name)
            given = {**dict.fromkeys(set(kind.optional) & set(node.row)), **given}
        many = [name for name in given if name in kind.relations and kind.relations[name][1] and name != "Locations"]
        if many:
            raise bad(f"{many[0]} cannot be changed with their {kind.name}; change them one by one", many[0])
        getattr(self, f"_change_{_snake(kind.name)}")(node, given)

    def _overlay(self, kind: str, changes: Mapping[str, Any], **links: Any) -> StaRecord:
        """What SensorThings says of a station or series, changed."""
        row = StaRecord.objects.filter(kind=kind, **links).first()
        body = {**(row.body if row else {}), **changes}
        body = {name: value for name, value in body.items() if value is not None}
        if row is None:
            return services.add_sta_record(kind=kind, body=body, by=self.by, **links)
        return services.change_sta_record(row, body=body, by=self.by)

    def _change_thing(self, node: Node, given: dict[str, Any]) -> None:
        station = self._station(node.id)
        if "name" in given:
            services.register_station(code=station.code, name_zh=given["name"][:80], by=self.by)
        self._overlay("Thing", _only(given, ("name", "description", "properties")), station=station)
        if "Locations" in given:
            self.place(station, self._several("Location", given["Locations"]))

    def _change_location(self, node: Node, given: dict[str, Any]) -> None:
        changes = _only(given, KINDS["Location"].properties)
        if "record" not in node.keys:
            station = self._station(node.keys["station"])
            if "location" in changes:
                point = _point(changes.pop("location"))
                if point is None:
                    raise bad("location must be a GeoJSON Point: the position of a station", "location")
                services.register_station(code=station.code, geometry=point, by=self.by)
            changes.pop("encodingType", None)
            before = StaRecord.objects.filter(kind="Thing", station=station).first()
            told = {**(before.body.get("location", {}) if before else {}), **changes}
            self._overlay("Thing", {"location": told}, station=station)
            return
        row = self._kept(node)
        services.change_sta_record(row, body=_changed(row.body, changes), by=self.by)
        if "location" in changes:
            for station in row.things.all():
                others = StaRecord.objects.filter(kind="Location", things=station, is_gone=False).values_list(
                    "pk", flat=True
                )
                self.place(self._station(station.pk), [ids.own(pk) for pk in others])

    def _change_historical_location(self, node: Node, given: dict[str, Any]) -> None:
        row = self._kept(self._ours(node))
        links: dict[str, Any] = {}
        if "Thing" in given:
            links["station"] = self._station(self._linked("Thing", given["Thing"]))
        if "Locations" in given:
            links["locations"] = self._records("Location", self._several("Location", given["Locations"]))
        services.change_sta_record(row, body=_changed(row.body, _only(given, ("time",))), by=self.by, **links)

    def _change_datastream(self, node: Node, given: dict[str, Any]) -> None:
        series = self._series(node.id)
        fields: dict[str, Any] = {}
        if "unitOfMeasurement" in given and series.quantity != OTHER:
            symbol, accepted = known(given["unitOfMeasurement"]), QUANTITIES[series.quantity].accepted
            if symbol not in accepted:
                raise bad(
                    f"unitOfMeasurement does not fit {series.quantity}; its symbol may be one of {', '.join(accepted)}",
                    "unitOfMeasurement",
                )
            fields["unit"] = symbol
        if "Thing" in given:
            fields["station"] = self._station(self._linked("Thing", given["Thing"]))
        if fields:
            services.register_series(code=series.code, by=self.by, **fields)
        row = self._overlay("Datastream", _only(given, KINDS["Datastream"].properties), series=series)
        links: dict[str, Any] = {}
        if "Sensor" in given:
            links["sensor"] = self._record("Sensor", self._linked("Sensor", given["Sensor"]))
        if "ObservedProperty" in given:
            number = self._linked("ObservedProperty", given["ObservedProperty"])
            if series.quantity != OTHER and number != node.keys["property"]:
                raise StaError(
                    409,
                    "What a Datastream with readings measures cannot change; make another Datastream",
                    "ObservedProperty",
                )
            links["observed_property"] = self._record("ObservedProperty", number)
        if links:
            services.change_sta_record(row, by=self.by, **links)

    def _change_sensor(self, node: Node, given: dict[str, Any]) -> None:
        changes = _only(given, KINDS["Sensor"].properties)
        if "record" in node.keys:
            row = self._kept(node)
            services.change_sta_record(row, body=_changed(row.body, changes), by=self.by)
            return
        series = self._series(node.keys["series"])
        before = StaRecord.objects.filter(kind="Datastream", series=series).first()
        told = _changed(before.body.get("sensor", {}) if before else {}, changes)
        self._overlay("Datastream", {"sensor": told}, series=series)

    def _change_observed_property(self, node: Node, given: dict[str, Any]) -> None:
        row = self._kept(self._ours(node))
        services.change_sta_record(
            row, body=_changed(row.body, _only(given, row_names("ObservedProperty"))), by=self.by
        )

    def _change_feature_of_interest(self, node: Node, given: dict[str, Any]) -> None:
        row = self._kept(self._ours(node))
        services.change_sta_record(
            row, body=_changed(row.body, _only(given, row_names("FeatureOfInterest"))), by=self.by
        )

    def _ours(self, node: Node) -> Node:
        """Only what came by SensorThings; what is derived from our registers is changed there."""
        if "record" not in node.keys:
            where = {"FeatureOfInterest": "its Thing's Location", "HistoricalLocation": "its Thing's Location"}
            raise StaError(
                409, f"{node.kind.name}({node.id}) is derived from the platform's registers; change {where.get(node.kind.name, 'them')}",
                node.kind.name,
            )  # fmt: skip
        return node

    def _change_observation(self, node: Node, given: dict[str, Any]) -> None:
        series = self._series(node.keys["series"])
        time_ms = node.keys["time"]
        found = self.server.readings.amendments([series.pk]).get(series.pk, {}).get(time_ms)
        body = dict(found.body) if found else {}
        if given.get("phenomenonTime") is not None:
            end, told = arrays.time_of(given["phenomenonTime"])
            body["phenomenonTime"] = told.get("phenomenonTime", moments.iso(end))
        if given.get("result") is not None:
            value = arrays.result(given["result"])
            body["result"] = int(value) if value.is_integer() and abs(value) < 2**53 else value
        body |= arrays.extras(given)
        for name in arrays.EXTRAS:
            if name in given and given[name] is None:
                body.pop(name, None)
        feature = node.keys["feature"]
        if "Datastream" in given and arrays.reference(given["Datastream"], "Datastream") != series.pk:
            raise StaError(409, "An Observation stays with its Datastream", "Datastream")
        if "FeatureOfInterest" in given:
            own, key = ids.split(self._linked("FeatureOfInterest", given["FeatureOfInterest"]))
            feature = key if own else None
        record = StaRecord.objects.filter(pk=feature).first() if feature else None
        services.amend_reading(self.world.space, series, time_ms, body=body, feature=record, by=self.by)

    # --- removing

    def remove(self, node: Node) -> None:
        """Take an entity out of use."""
        name = node.kind.name
        if name == "Thing":
            self._retire(self._station(node.id))
        elif name == "Datastream":
            services.register_series(code=self._series(node.id).code, is_active=False, by=self.by)
        elif name == "Observation":
            series = self._series(node.keys["series"])
            services.amend_reading(self.world.space, series, node.keys["time"], body={}, is_gone=True, by=self.by)
        elif name == "FeatureOfInterest" and "record" not in node.keys:
            station = self._station(node.keys["station"])
            if not StaRecord.objects.filter(kind="Thing", station=station, body__made=True).exists():
                self._ours(node)
            self._overlay("Thing", {"feature": False}, station=station)
            edition.bump()
        else:
            self._remove_record(self._kept(self._ours(node)))

    def _retire(self, station: Station) -> None:
        for series in station.series.filter(is_active=True):
            services.register_series(code=series.code, is_active=False, by=self.by)
        services.register_station(code=station.code, is_active=False, by=self.by)

    def _remove_record(self, row: StaRecord) -> None:
        stations = list(row.things.all())
        if row.kind in ("Sensor", "ObservedProperty"):
            key = "sensor" if row.kind == "Sensor" else "observed_property"
            for stream in StaRecord.objects.filter(kind="Datastream", series__is_active=True, **{key: row}):
                services.register_series(code=self._series(stream.series_id or 0).code, is_active=False, by=self.by)
        services.remove_sta_record(row, by=self.by)
        for station in stations:
            left = StaRecord.objects.filter(kind="Location", things=station, is_gone=False).values_list("pk", flat=True)
            self.place(self._station(station.pk), [ids.own(pk) for pk in left], told=False)


def observe(server: Server, token: ApiToken, body: dict[str, Any], series: int) -> int:
    """Take in one observation; returns its number. What is there already with the same value is the same observation."""
    space = server.world.space
    rows = intake.single(body, series, server.now_ms)
    (found,) = intake.take_in(space, rows, token)
    if isinstance(found, str):
        raise bad(found, "Observation")
    if intake.revive(space, rows):
        return found
    kept, stream = intake.standing(space, series, rows.time_ms[0]), intake.remembered(series)
    if kept is not None and stream is not None:
        wanted = intake.inward(stream, rows.value[0])
        if abs(kept - wanted) > 1e-9 * max(1.0, abs(kept)):
            raise StaError(
                409, f"Datastream({series}) has another observation at that time, Observation({found}); PATCH it to correct it",
                "phenomenonTime",
            )  # fmt: skip
    return found


def row_names(kind: str) -> tuple[str, ...]:
    """The properties of a kind."""
    return KINDS[kind].properties


def _only(given: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _changed(body: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def _list(given: object, part: str) -> list[Any]:
    if not isinstance(given, list):
        raise bad(f"{part} must be a list", part)
    return given


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _instant(text: str) -> str:
    try:
        return moments.iso(moments.instant_ms(text))
    except (ValueError, OverflowError):
        raise bad(f"time is {text!r}; write for example 2024-09-15T08:00:00+08:00", "time") from None


def _point(location: object) -> Any:
    """The position that GeoJSON means: the point, or the middle of another shape; None where there is none."""
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    if isinstance(location, dict) and location.get("type") == "Feature":
        location = location.get("geometry")
    if not isinstance(location, dict):
        return None
    try:
        found = shape(location)
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None
    if found.is_empty:
        return None
    point: Any = found if found.geom_type == "Point" else found.representative_point()
    return point if -180 <= point.x <= 180 and -90 <= point.y <= 90 else None
