"""T6, issue 3: what OGC's own suite asks (opengeospatial/ets-sta10 1.6, level 2: 8 of 22 cases), in our words.

Each test is named for the case it stands for (Capability2Tests). An Observation without a feature takes its Thing's
Location, an invalid deep insert leaves nothing behind, what is deleted answers 404.
"""

from __future__ import annotations

import pytest

from haitang.monitoring.sensorthings.tests.conftest import datastream, location, thing
from haitang.monitoring.sensorthings.tests.ets import COLLECTIONS, check, counts

pytestmark = pytest.mark.django_db


@pytest.fixture
def single(sta):
    """One of each, created one by one."""
    made = {"Things": sta.post("Things", thing()), "Locations": sta.post("Locations", location())}
    stream = datastream()
    made["Sensors"] = sta.post("Sensors", stream["Sensor"])
    made["ObservedProperties"] = sta.post("ObservedProperties", stream["ObservedProperty"])
    feature = {**location(10, 10), "feature": location(10, 10)["location"]}
    del feature["location"]
    made["FeaturesOfInterest"] = sta.post("FeaturesOfInterest", feature)
    stream |= {
        "Thing": {"@iot.id": made["Things"]}, "Sensor": {"@iot.id": made["Sensors"]},
        "ObservedProperty": {"@iot.id": made["ObservedProperties"]},
    }  # fmt: skip
    made["Datastreams"] = sta.post("Datastreams", stream)
    made["Observations"] = sta.post("Observations", {
        "phenomenonTime": "2015-03-01T00:40:00.000Z", "result": 8, "Datastream": {"@iot.id": made["Datastreams"]},
        "FeatureOfInterest": {"@iot.id": made["FeaturesOfInterest"]},
    })  # fmt: skip
    made["HistoricalLocations"] = sta.post("HistoricalLocations", {
        "time": "2015-03-01T00:40:00.000Z", "Thing": {"@iot.id": made["Things"]},
        "Locations": [{"@iot.id": made["Locations"]}],
    })  # fmt: skip
    return made


def test_create_entities(sta, single):
    for plural, number in single.items():
        check(plural, sta.get(f"{plural}({number})"))
    # Without a feature of its own an Observation takes its Thing's Location; the next one takes the same.
    sta.ask("patch", f"Things({single['Things']})", {"Locations": [{"@iot.id": single["Locations"]}]})
    features = set()
    for at, told in (("2015-03-01T00:00:00.000Z", "2015-03-01T01:00:00.000Z"), ("2015-05-01T00:00:00.000Z", None)):
        body = {"phenomenonTime": at, "result": 100, "Datastream": {"@iot.id": single["Datastreams"]}}
        number = sta.post("Observations", body | ({"resultTime": told} if told else {}))
        assert sta.get(f"Observations({number})")["resultTime"] == told
        feature = sta.get(f"Observations({number})/FeatureOfInterest")
        assert feature["feature"] == location()["location"]
        features.add(feature["@iot.id"])
    assert len(features) == 1 and features != {single["FeaturesOfInterest"]}


def test_create_entities_with_deep_insert(sta):
    number = sta.post("Things", thing(Locations=[location()], Datastreams=[datastream()]))
    stream = sta.get(f"Things({number})/Datastreams")["value"][0]
    assert stream["unitOfMeasurement"] == datastream()["unitOfMeasurement"]
    assert sta.get(f"Things({number})/Locations")["value"][0]["location"] == location()["location"]
    assert sta.get(f"Datastreams({stream['@iot.id']})/Sensor")["name"] == "Fluxomatic"
    assert sta.get(f"Datastreams({stream['@iot.id']})/ObservedProperty")["name"] == "Luminous Flux"
    more = datastream("More", Thing={"@iot.id": number})
    more["Observations"] = [{"phenomenonTime": "2015-03-01T00:10:00Z", "result": 10}]
    made = sta.post("Datastreams", more)
    assert [each["result"] for each in sta.get(f"Datastreams({made})/Observations")["value"]] == [10]
    feature = {
        "name": "A weather station.",
        "description": "x",
        "encodingType": "application/geo+json",
        "feature": {"type": "Point", "coordinates": [-114.05, 51.05]},
    }
    body = {
        "phenomenonTime": "2015-03-01T00:00:00Z",
        "result": 100,
        "Datastream": {"@iot.id": made},
        "FeatureOfInterest": feature,
    }
    observation = sta.post("Observations", body)
    assert sta.get(f"Observations({observation})/FeatureOfInterest")["feature"] == feature["feature"]


def test_create_invalid_entities_with_deep_insert(sta):
    before = counts(sta)
    stream = datastream()
    for missing in ("Sensor", "ObservedProperty"):
        body = {name: value for name, value in stream.items() if name != missing}
        told = sta.post("Things", thing(Locations=[location()], Datastreams=[body]), 400)
        assert told["part"] == missing
        assert counts(sta) == before
    made = sta.post("Things", thing())
    before = counts(sta)
    observations = [{"phenomenonTime": "2015-03-01T00:10:00Z", "result": 10}]
    for missing in ("Sensor", "ObservedProperty", "Thing"):
        body = {**datastream(Thing={"@iot.id": made}), "Observations": observations}
        del body[missing]
        sta.post("Datastreams", body, 400)
    # Everything is there, but the Thing stands nowhere: its Observation has no feature, and nothing is kept.
    sta.post("Datastreams", {**datastream(Thing={"@iot.id": made}), "Observations": observations}, 400)
    assert counts(sta) == before
    number = sta.post("Datastreams", datastream(Thing={"@iot.id": made}))
    before = counts(sta)
    body = {"phenomenonTime": "2015-03-01T00:00:00Z", "result": 100, "Datastream": {"@iot.id": number}}
    sta.post("Observations", body, 400)
    half = {"name": "x", "description": "x", "feature": {"type": "Point", "coordinates": [1, 2]}}
    assert sta.post("Observations", {**body, "FeatureOfInterest": half}, 400)["part"] == "encodingType"
    assert counts(sta) == before


def test_create_invalid_entities(sta, single):
    links = {
        name: {"@iot.id": single[plural]}
        for name, plural in (("Thing", "Things"), ("Sensor", "Sensors"), ("ObservedProperty", "ObservedProperties"))
    }
    for missing in links:
        body = datastream(**links)
        del body[missing]
        assert sta.post("Datastreams", body, 400)["part"] == missing
    body = {"phenomenonTime": "2015-03-01T00:40:00.000Z", "result": 8}
    sta.post("Observations", {**body, "FeatureOfInterest": {"@iot.id": single["FeaturesOfInterest"]}}, 400)
    sta.post("Observations", {**body, "Datastream": {"@iot.id": single["Datastreams"]}}, 400)
    for plural in COLLECTIONS:
        sta.post(plural, {}, 400)


PATCHES = {
    "Things": {"description": "PATCHED"},
    "Locations": {"location": {"type": "Point", "coordinates": [114.05, -50]}},
    "HistoricalLocations": {"time": "2015-07-01T00:00:00.000Z"},
    "Sensors": {"metadata": "PATCHED"},
    "ObservedProperties": {"description": "PATCHED"},
    "FeaturesOfInterest": {"feature": {"type": "Point", "coordinates": [114.05, -51.05]}},
    "Datastreams": {"unitOfMeasurement": {"name": "Entropy2", "symbol": "S2", "definition": "http://qudt.org/vocab/unit#Entropy2"}},
    "Observations": {"phenomenonTime": "2015-07-01T00:40:00.000Z"},
}  # fmt: skip


def test_patch_entities(sta, single):
    for plural, changes in PATCHES.items():
        path = f"{plural}({single[plural]})"
        before = sta.get(path)
        sta.ask("patch", path, changes)
        assert sta.get(path) == {**before, **changes}


PUTS = {
    "Things": {"name": "UPDATED", "description": "UPDATED"},
    "Locations": {"name": "N", "description": "D", "encodingType": "application/geo+json", "location": {"type": "Point", "coordinates": [-114.05, 50]}},
    "HistoricalLocations": {"time": "2015-08-01T00:00:00.000Z"},
    "Sensors": {"name": "U", "description": "U", "encodingType": "application/pdf", "metadata": "U"},
    "ObservedProperties": {"name": "POIUYTREW", "definition": "ZXCVB", "description": "POIUYTREW"},
    "FeaturesOfInterest": {"name": "P", "description": "P", "encodingType": "application/geo+json", "feature": {"type": "Point", "coordinates": [-114.05, 51.05]}},
    "Datastreams": {
        "name": "Data", "description": "Data from ISS", "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation",
        "unitOfMeasurement": {"name": "Entropy", "symbol": "S", "definition": "http://qudt.org/vocab/unit#Entropy"},
    },
    "Observations": {"result": "99", "phenomenonTime": "2015-08-01T00:40:00.000Z"},
}  # fmt: skip


def test_put_entities(sta, single):
    sta.ask("patch", f"Things({single['Things']})", {"properties": {"a": 1}})
    for plural, changes in PUTS.items():
        path = f"{plural}({single[plural]})"
        sta.ask("put", path, changes)
        found = sta.get(path)
        assert {name: str(found[name]) if name == "result" else found[name] for name in changes} == changes
        assert "properties" not in found  # what was left out went back to nothing


def test_delete_entities(sta, single):
    order = (
        "Observations",
        "FeaturesOfInterest",
        "Datastreams",
        "ObservedProperties",
        "Sensors",
        "HistoricalLocations",
        "Locations",
        "Things",
    )
    for plural in order:
        sta.ask("delete", f"{plural}({single[plural]})")
        sta.get(f"{plural}({single[plural]})", 404)
    assert set(counts(sta).values()) == {0}


def test_delete_nonexistent_entities(sta):
    for plural in COLLECTIONS:
        sta.ask("delete", f"{plural}({2**40})", status=404)
