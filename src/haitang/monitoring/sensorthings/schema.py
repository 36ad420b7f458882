"""The entities of SensorThings 1.1: names, properties and relations (18-088, tables 6-15).

A later version of the standard (2.0, 23-019) is another table like this one; the rooms around it read the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

VERSION = "v1.1"


@dataclass(frozen=True)
class Kind:
    """One entity type. `required` must be given on creation; `times` are compared as times; `relations` name -> (kind, many)."""

    name: str
    plural: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    relations: Mapping[str, tuple[str, bool]] = field(hash=False)
    times: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    """Relations that must be given on creation."""

    @property
    def properties(self) -> tuple[str, ...]:
        """Every property, in the order in which it is written."""
        return self.required + self.optional


_NAMED = ("name", "description")
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind(
                "Thing", "Things", _NAMED, ("properties",),
                {
                    "Datastreams": ("Datastream", True), "Locations": ("Location", True),
                    "HistoricalLocations": ("HistoricalLocation", True),
                },
            ),
            Kind(
                "Location", "Locations", (*_NAMED, "encodingType", "location"), ("properties",),
                {"Things": ("Thing", True), "HistoricalLocations": ("HistoricalLocation", True)},
            ),
            Kind(
                "HistoricalLocation", "HistoricalLocations", ("time",), (),
                {"Thing": ("Thing", False), "Locations": ("Location", True)},
                frozenset({"time"}), ("Thing",),
            ),
            Kind(
                "Datastream", "Datastreams", (*_NAMED, "observationType", "unitOfMeasurement"), ("properties",),
                {
                    "Thing": ("Thing", False), "Sensor": ("Sensor", False),
                    "ObservedProperty": ("ObservedProperty", False), "Observations": ("Observation", True),
                },
                frozenset(), ("Thing", "Sensor", "ObservedProperty"),
            ),
            Kind(
                "Sensor", "Sensors", (*_NAMED, "encodingType", "metadata"), ("properties",),
                {"Datastreams": ("Datastream", True)},
            ),
            Kind(
                "ObservedProperty", "ObservedProperties", ("name", "definition", "description"), ("properties",),
                {"Datastreams": ("Datastream", True)},
            ),
            Kind(
                "Observation", "Observations", ("phenomenonTime", "result"),
                ("resultTime", "resultQuality", "validTime", "parameters"),
                {"Datastream": ("Datastream", False), "FeatureOfInterest": ("FeatureOfInterest", False)},
                frozenset({"phenomenonTime", "resultTime", "validTime"}), ("Datastream",),
            ),
            Kind(
                "FeatureOfInterest", "FeaturesOfInterest", (*_NAMED, "encodingType", "feature"), ("properties",),
                {"Observations": ("Observation", True)},
            ),
        )
    }
)  # fmt: skip
BY_PLURAL: Mapping[str, Kind] = MappingProxyType({kind.plural: kind for kind in KINDS.values()})

_REQ = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
CONFORMANCE: tuple[str, ...] = tuple(
    _REQ + name
    for name in (
        "datamodel", "resource-path/resource-path-to-entities", "request-data", "create-update-delete/create-entity",
        "create-update-delete/link-to-existing-entities", "create-update-delete/deep-insert",
        "create-update-delete/deep-insert-status-code", "create-update-delete/update-entity",
        "create-update-delete/update-entity-put", "create-update-delete/update-entity-jsonpatch",
        "create-update-delete/delete-entity", "data-array/data-array",
    )
)  # fmt: skip
"""What the root document claims. Not here, so not served: MultiDatastream, batch requests, Tasking."""
BY_MQTT = _REQ + "create-observations-via-mqtt/observations-creation"
"""Claimed where the platform's own MQTT endpoint is switched on."""
