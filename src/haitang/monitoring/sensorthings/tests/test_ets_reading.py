"""T6, issue 3: what OGC's own suite asks (opengeospatial/ets-sta10 1.6, levels 1 and 3: 14 of 22 cases), in our words.

Each test is named for the case it stands for (Capability1Tests, Capability3Tests; DataArrayTests of the fork at
FraunhoferIOSB). Numbers of entities are integers, as the suite reads them.
"""

from __future__ import annotations

import itertools
import json
import re

import pytest
from django.db import transaction
from django.test import Client

from haitang.accounts.roles import Role
from haitang.monitoring.sensorthings.tests.conftest import RIGHTS, Sta, datastream, location, thing
from haitang.monitoring.sensorthings.tests.ets import COLLECTIONS, check, counts, relations
from haitang.monitoring.tests import factories as make
from haitang.spaces.models import Space

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("sta world")]
JSON_PROPERTIES = {"location", "feature", "unitOfMeasurement"}
SAMPLES = {
    "Things": ("'thing 1'", "'thing 1'"),
    "HistoricalLocations": ("2015-10-14T21:30:00.104Z",),
    "Datastreams": ("'datastream 1'", "'datastream 1'", None, "'http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement'"),
    "Sensors": ("'sensor 1'", "'sensor 1'", "'text/plain'", "'Light flux sensor'"),
    "ObservedProperties": ("'Luminous Flux'", "'http://example.org/flux'", "'observedProperty 1'"),
    "Observations": ("2015-03-02T00:00:00.000Z", "'2'", "2015-03-02T00:00:00.000Z"),
    "FeaturesOfInterest": ("'thing 1'", "'thing 1'", "'application/geo+json'", None),
}  # fmt: skip


@pytest.fixture(scope="module")
def sta(django_db_setup, django_db_blocker):
    """The suite's own fixture, made once for this file and undone at its end."""
    with django_db_blocker.unblock():
        atomic = transaction.atomic()
        atomic.__enter__()
        try:
            keeper = make.user(Role.DEPARTMENT, make.organisation(make.place()))
            sta = Sta(Client(), make.token(Space.live(), rights=RIGHTS, user=keeper)[1])
            fill(sta)
            yield sta
        finally:
            transaction.set_rollback(True)
            atomic.__exit__(None, None, None)


def fill(sta):
    """Two Things that changed places, four Datastreams, three properties, twelve Observations."""
    made = []
    shared = None
    for number in (1, 2):
        streams = []
        for at in (2 * number - 1, 2 * number):
            stream = datastream(
                f"datastream {at}", description=f"datastream {at}",
                ObservedProperty={
                    "name": "Luminous Flux" if at == 1 else f"Property {at}", "definition": "http://example.org/flux",
                    "description": f"observedProperty {at}",
                },
                Sensor={"name": f"sensor {at}", "description": f"sensor {at}", "encodingType": "text/plain", "metadata": "Light flux sensor"},
            )  # fmt: skip
            if at == 4:
                stream["ObservedProperty"] = {"@iot.id": shared}
            streams.append(stream)
        body = thing(f"thing {number}", description=f"thing {number}", properties={"reference": number})
        body["Locations"] = [location(121.0 + number, 31.0)]
        body["Datastreams"] = streams
        made.append(sta.post("Things", body))
        ids = [each["@iot.id"] for each in sta.get(f"Things({made[-1]})/Datastreams")["value"]]
        shared = shared or sta.get(f"Datastreams({ids[1]})/ObservedProperty")["@iot.id"]
    places = [sta.get(f"Things({each})/Locations")["value"][0]["@iot.id"] for each in made]
    for each, place in zip(made, reversed(places), strict=True):
        sta.ask("patch", f"Things({each})", {"Locations": [{"@iot.id": place}]})
    for number, each in enumerate(sta.get("Datastreams")["value"]):
        for day in range(1, 4):
            at = f"2015-03-{3 * number + day:02d}T00:00:00Z"
            sta.post(
                f"Datastreams({each['@iot.id']})/Observations",
                {"phenomenonTime": at, "result": 3 * number + day, "resultTime": at},
            )


def first(sta, plural):
    return sta.get(plural)["value"][0]["@iot.id"]


# --- level 1: sensing core (Capability1Tests)


def test_read_entities_and_check_response(sta):
    for plural in COLLECTIONS:
        for entity in sta.get(plural)["value"]:
            check(plural, entity)


def test_read_nonexistent_entity(sta):
    for plural in COLLECTIONS:
        for number in (2**62, 9_999_999, 0):
            told = sta.get(f"{plural}({number})", 404)
            assert told["code"] == 404 and told["part"] == plural


def test_read_entity_and_check_response(sta):
    for plural in COLLECTIONS:
        check(plural, sta.get(f"{plural}({first(sta, plural)})"))


def test_read_property_of_entity_and_check_response(sta):
    for plural, names in COLLECTIONS.items():
        entity = sta.get(f"{plural}({first(sta, plural)})")
        for name in names:
            path = f"{plural}({entity['@iot.id']})/{name}"
            assert sta.get(path) == {name: entity[name]}
            raw = sta.client.get(f"/sta/v1.1/{path}/$value", headers=sta.header)
            assert raw.status_code == 200 and raw["Content-Type"].startswith("text/plain")
            assert raw.content.decode().startswith("{") == (name in JSON_PROPERTIES)


def test_check_resource_paths(sta):
    def follow(path, plural, depth):
        entities = sta.get(path)["value"]
        assert entities, path
        for link in sta.get(f"{path}/$ref")["value"]:
            assert set(link) == {"@iot.selfLink"} and f"/{plural}(" in link["@iot.selfLink"]
        if depth == 3:
            return
        one = f"{path}({entities[0]['@iot.id']})"
        for name, (to, many) in relations(plural).items():
            if many:
                follow(f"{one}/{name}", to, depth + 1)
            else:
                check(to, sta.get(f"{one}/{name}"))

    for plural in COLLECTIONS:
        follow(plural, plural, 1)


def test_check_service_root_uri(client):
    told = client.get("/sta/v1.1").json()
    assert {each["name"]: each["url"] for each in told["value"]} == {
        plural: f"http://testserver/sta/v1.1/{plural}" for plural in COLLECTIONS
    }
    assert all(
        uri.startswith("http://www.opengis.net/spec/iot_sensing/1.1/req/")
        for uri in told["serverSettings"]["conformance"]
    )


# --- level 3: filtering (Capability3Tests)


def sets(sta):
    """Every collection, and every one below a first entity: (path, plural)."""
    for plural in COLLECTIONS:
        yield plural, plural
        number = first(sta, plural)
        for name, (to, many) in relations(plural).items():
            if many:
                yield f"{plural}({number})/{name}", to


def test_read_entities_with_select(sta):
    for path, plural in sets(sta):
        for chosen in [*[(name,) for name in COLLECTIONS[plural]], COLLECTIONS[plural], tuple(relations(plural))]:
            for entity in sta.get(path, select=",".join(chosen))["value"][:2]:
                check(plural, entity, chosen=chosen)


def test_read_entities_with_expand(sta):
    for path, plural in sets(sta):
        names = list(relations(plural))
        for chosen in [*[[name] for name in names], names]:
            for entity in sta.get(path, expand=",".join(chosen))["value"][:2]:
                check(plural, entity, expanded=chosen)
        deep = [f"{name}/{inner}" for name in names for inner in relations(relations(plural)[name][0])]
        for one, entity in itertools.product(deep, sta.get(path, expand=",".join(deep))["value"][:1]):
            name, inner = one.split("/")
            child = entity[name][0] if isinstance(entity[name], list) else entity[name]
            to, many = relations(relations(plural)[name][0])[inner]
            assert isinstance(child[inner], list if many else dict)
            check(to, child[inner][0] if many else child[inner])


def test_read_entities_with_top(sta):
    for path, _plural in sets(sta):
        every = sta.get(path)["value"]
        for top in (1, 2, 3, 5, 12):
            told = sta.get(path, top=str(top))
            assert told["value"] == every[:top]
            assert ("@iot.nextLink" in told) == (len(every) > top)


def test_read_entities_with_skip(sta):
    for path, _plural in sets(sta):
        every = sta.get(path)["value"]
        for skip in (1, 2, 3, 4, 12):
            assert sta.get(path, skip=str(skip))["value"] == every[skip:]


def test_read_entities_with_orderby(sta):
    for path, plural in sets(sta):
        names = [name for name in COLLECTIONS[plural] if name not in JSON_PROPERTIES]
        for name, turn in itertools.product(names, (" asc", " desc")):
            found = [each[name] for each in sta.get(path, orderby=name + turn)["value"]]
            assert found == sorted(found, reverse=turn == " desc")
        found = [
            [each[name] for name in names]
            for each in sta.get(path, orderby=",".join(f"{name} desc" for name in names))["value"]
        ]
        assert found == sorted(found, reverse=True)


def test_read_entities_with_count(sta):
    expected = {
        "Things": 2,
        "Locations": 2,
        "FeaturesOfInterest": 2,
        "ObservedProperties": 3,
        "HistoricalLocations": 4,
        "Sensors": 4,
        "Datastreams": 4,
        "Observations": 12,
    }
    assert counts(sta) == expected
    for path, _plural in sets(sta):
        assert "@iot.count" not in sta.get(path, count="false")
        told = sta.get(path, count="true", top="1")
        assert told["@iot.count"] == len(sta.get(path)["value"])


def test_read_entities_with_filter(sta):
    for path, plural in sets(sta):
        every = sta.get(path)["value"]
        for name, sample in zip(COLLECTIONS[plural], SAMPLES.get(plural, ()), strict=False):
            if sample is None:
                continue
            value = sample.strip("'")
            for operator, test in {
                "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "eq": lambda a, b: a == b, "ge": lambda a, b: a >= b,
                "gt": lambda a, b: a > b,
            }.items():  # fmt: skip
                found = sta.get(path, filter=f"{name} {operator} {sample}")["value"]
                wanted = int(value) if name == "result" else value
                assert found == [each for each in every if test(each[name], wanted)], (path, name, operator)


def test_the_order_of_evaluation(sta):
    """checkQueriesPriorityOrdering: filter, count, orderby, skip, top, then expand and select."""
    told = sta.get(
        "Observations", count="true", top="1", skip="2", orderby="phenomenonTime desc",
        filter="phenomenonTime gt 2015-03-04T00:00:00.000Z", expand="Datastream", select="id,result",
    )  # fmt: skip
    assert told["@iot.count"] == 8
    assert [each["result"] for each in told["value"]] == [10]
    assert set(told["value"][0]) == {"@iot.id", "result", "Datastream"}


# --- data arrays (level 6 of the fork: testGetDataArray, testPostDataArray)


def test_get_data_array(sta):
    told = sta.get("Observations", count="true", top="3", resultFormat="dataArray")
    assert told["@iot.count"] == 12 and told["@iot.nextLink"]
    (block,) = told["value"]
    assert set(block["components"]) >= {
        "id",
        "phenomenonTime",
        "result",
        "resultTime",
        "resultQuality",
        "validTime",
        "parameters",
    }
    assert block["dataArray@iot.count"] == len(block["dataArray"]) == 3
    assert all(len(row) == len(block["components"]) for row in block["dataArray"])
    assert "Datastream@iot.navigationLink" in block


def test_post_data_array(sta):
    streams = [each["@iot.id"] for each in sta.get("Datastreams")["value"]]
    feature = first(sta, "FeaturesOfInterest")
    body = [
        {
            "Datastream": {"@iot.id": streams[0]}, "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
            "dataArray@iot.count": 2,
            "dataArray": [["2010-12-23T10:20:00-0700", 20, feature], ["2010-12-23T10:21:00-0700", 30, "probablyNotAValidId"]],
        },
        {
            "Datastream": {"@iot.id": streams[1]}, "components": ["phenomenonTime", "result"], "dataArray@iot.count": 2,
            "dataArray": [["2010-12-23T10:20:00-0700", 65], ["2010-12-23T10:21:00-0700", 60]],
        },
    ]  # fmt: skip
    told = json.loads(sta.ask("post", "CreateObservations", body, 201).content)
    assert [each.startswith("error") for each in told] == [False, True, False, False]
    for link, value in zip(told, (20, None, 65, 60), strict=True):
        if value is not None:
            number = re.search(r"Observations\((\d+)\)$", link)[1]
            found = sta.get(f"Observations({number})")
            assert (found["result"], found["phenomenonTime"][:13]) == (value, "2010-12-23T17")
