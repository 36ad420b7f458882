"""P4, issue 3: the official FROST client (frost_sta_client, unmodified) against the running service: every step it can take."""

from __future__ import annotations

import datetime

import frost_sta_client as fsc
import jsonpatch
import pytest
from frost_sta_client.model.ext.data_array_document import DataArrayDocument
from frost_sta_client.model.ext.data_array_value import DataArrayValue
from frost_sta_client.model.ext.unitofmeasurement import UnitOfMeasurement
from geojson import Point

from haitang.accounts.roles import Role
from haitang.monitoring.sensorthings.tests.conftest import RIGHTS
from haitang.monitoring.tests import factories as make
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def service(live_server):
    organisation = make.organisation(make.place())
    _token, header = make.token(Space.live(), rights=RIGHTS, user=make.user(Role.DEPARTMENT, organisation))
    secret = header["Authorization"].removeprefix("Bearer ")
    auth = fsc.service.auth_handler.AuthHandler(username="token", password=secret)
    return fsc.SensorThingsService(f"{live_server.url}/sta/v1.1", auth_handler=auth)


def at(minute):
    return datetime.datetime(2024, 9, 15, 8, minute, tzinfo=datetime.UTC)


def test_the_client_creates_reads_changes_pages_and_deletes(service):
    """One story, as a newcomer would try it: P4 and the sentence "Done when" of issue 3."""
    # Deep insert: a Thing with its place, and a Datastream with property and sensor.
    thing = fsc.Thing(name="Town hall", description="Roof", properties={"floor": 3})
    thing.locations = [fsc.Location("West", "West side", "application/geo+json", location=Point((121.4, 31.6)))]
    stream = fsc.Datastream(
        name="Light",
        description="Light on the roof",
        observation_type="http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        unit_of_measurement=UnitOfMeasurement("Lumen", "lm", "http://example.org/lm"),
        sensor=fsc.Sensor("Fluxomatic", "1000", encoding_type="text/plain", metadata="light"),
        observed_property=fsc.ObservedProperty("Luminous Flux", definition="http://example.org/f", description="Flux"),
    )
    thing.datastreams = [stream]
    service.create(thing)
    assert isinstance(thing.id, int)
    found = service.things().find(thing.id)
    assert (found.name, found.properties) == ("Town hall", {"floor": 3})
    # What lies at the other end of its relations.
    (stream,) = found.get_datastreams().query().list().entities
    assert stream.unit_of_measurement.symbol == "lm"
    (place,) = found.get_locations().query().list().entities
    assert place.location["coordinates"] == [121.4, 31.6]
    expanded = service.things().query().expand("Datastreams($expand=Sensor,ObservedProperty)").list().get(0)
    inner = expanded.datastreams.entities[0]
    assert (inner.sensor.name, inner.observed_property.name) == ("Fluxomatic", "Luminous Flux")

    # Entities one by one, linked by their numbers.
    sensor = fsc.Sensor("Thermometer", "Pt100", encoding_type="text/plain", metadata="heat")
    observed = fsc.ObservedProperty("Warmth", definition="http://example.org/w", description="Warmth")
    feature = fsc.FeatureOfInterest("Roof", "The roof", "application/geo+json", Point((121.4, 31.6)))
    for entity in (sensor, observed, feature):
        service.create(entity)
    second = fsc.Datastream(
        "Warmth", "Warmth of the roof",
        observation_type="http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        unit_of_measurement=UnitOfMeasurement("degree", "deg", "http://example.org/deg"),
        thing=thing, sensor=sensor, observed_property=observed,
    )  # fmt: skip
    service.create(second)

    # Observations one by one, and as a data array.
    for minute in range(5):
        observation = fsc.Observation(phenomenon_time=at(minute).isoformat(), result=minute * 1.5, datastream=stream)
        service.create(observation)
        assert service.observations().find(observation.id).result == minute * 1.5
    values = DataArrayValue()
    values.datastream = second
    properties = DataArrayValue.Property
    values.components = {properties.PHENOMENON_TIME, properties.RESULT, properties.FEATURE_OF_INTEREST}
    for minute in range(12):
        values.add_observation(
            fsc.Observation(phenomenon_time=at(minute).isoformat(), result=20 + minute, feature_of_interest=feature)
        )
    document = DataArrayDocument()
    document.add_data_array_value(values)
    made = service.observations().create(document)
    assert len(made) == 12 and all("error" not in each.self_link for each in made)

    # Filter, order, top, skip, count, and pages without end.
    query = stream.get_observations().query()
    hot = query.filter("result ge 3 and phenomenonTime lt 2024-09-15T08:04:00Z").orderby("result", "asc").list()
    assert [each.result for each in hot.entities] == [3, 4.5]
    second = service.datastreams().find(second.id)
    newest = second.get_observations().query().orderby("phenomenonTime").top(2).skip(1).count().list()
    assert ([each.result for each in newest.entities], newest.count) == ([30, 29], 12)
    pages = second.get_observations().query().orderby("phenomenonTime", "asc").top(5).list()
    assert pages.next_link
    assert [each.result for each in pages] == list(range(20, 32))
    names = (
        service.datastreams().query().filter("Thing/name eq 'Town hall' and startswith(name,'L')").select("name").list()
    )
    assert [each.name for each in names.entities] == ["Light"]

    # PUT, JSON Patch, DELETE.
    found.name = "Town hall, east"
    service.update(found)
    service.patch(found, jsonpatch.JsonPatch([{"op": "add", "path": "/properties/owner", "value": "water bureau"}]))
    found = service.things().find(thing.id)
    assert (found.name, found.properties) == ("Town hall, east", {"floor": 3, "owner": "water bureau"})
    observation.result = 99
    observation.datastream = None
    service.update(observation)
    assert service.observations().find(observation.id).result == 99
    for entity in (observation, second, sensor, found):
        service.delete(entity)
        with pytest.raises(Exception, match="404"):
            entity.get_dao(service).find(entity.id)
    assert service.things().query().list().entities == []
