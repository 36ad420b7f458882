"""P4, issue 3: stations, series and readings of the platform seen as SensorThings: scope, units, cost, protection of what others keep."""

from __future__ import annotations

import json

import pytest

from haitang.accounts.roles import Role
from haitang.journal.models import Entry
from haitang.monitoring import store
from haitang.monitoring.models import Alarm, IngestCount, Series, Station
from haitang.monitoring.sensorthings import intake, readings
from haitang.monitoring.sensorthings.errors import StaError
from haitang.monitoring.sensorthings.tests.conftest import RIGHTS, Sta, datastream, location, thing
from haitang.monitoring.tests import factories as make
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db
NEWEST = "Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))"


@pytest.fixture
def gauge(keeper):
    """A tide gauge of the keeper's district that sends centimetres, with a rule."""
    station = make.station(keeper.organisation.place, code="NM", name_zh="南门潮位站", operator=keeper.organisation)
    series = make.series(station, code="NM.level", unit="cm")
    make.rule(series, code="NM.warn")
    return series


def speak(client, space=None, *, rights=RIGHTS, **fields):
    return Sta(client, make.token(space or Space.live(), rights=rights, **fields)[1])


def test_a_station_of_the_pack_is_a_thing_with_its_place_series_and_readings(sta, gauge):
    made = sta.post(
        f"Datastreams({gauge.pk})/Observations", {"phenomenonTime": "2024-09-15T08:00:00+08:00", "result": 455}
    )
    # In the register the value stands in metres, and it was judged.
    assert store.read(Space.live().pk, gauge.pk)[1].tolist() == pytest.approx([4.55])
    assert Alarm.objects.get().colour == "blue"
    found = sta.get(
        f"Things({gauge.station_id})", expand="Locations,Datastreams($expand=ObservedProperty,Sensor,Observations)"
    )
    assert (found["name"], found["properties"]["code"]) == ("南门潮位站", "NM")
    assert found["Locations"][0]["location"] == {"type": "Point", "coordinates": [121.4, 31.6]}
    stream = found["Datastreams"][0]
    assert stream["unitOfMeasurement"] == {
        "name": "centimetre",
        "symbol": "cm",
        "definition": "http://unitsofmeasure.org/ucum#cm",
    }
    assert stream["ObservedProperty"]["name"] == "潮位"
    assert stream["Observations"] == [sta.get(f"Observations({made})")]
    assert (stream["Observations"][0]["result"], stream["Observations"][0]["phenomenonTime"]) == (
        455,
        "2024-09-15T00:00:00.000Z",
    )
    assert sta.get(f"Observations({made})/FeatureOfInterest")["feature"] == found["Locations"][0]["location"]
    assert dict(IngestCount.objects.values_list("source", "outcome")) == {"sta:sta": "accepted"}


def test_the_same_observation_again_is_the_same_and_another_value_is_refused(sta, gauge):
    body = {"phenomenonTime": "2024-09-15T08:00:00+08:00", "result": 455}
    path = f"Datastreams({gauge.pk})/Observations"
    first = sta.post(path, body)
    assert sta.post(path, body) == first
    told = sta.post(path, {**body, "result": 456}, 409)
    assert f"Observation({first})" in told["message"]
    sta.ask("patch", f"Observations({first})", {"result": 456})
    assert sta.get(f"Observations({first})")["result"] == 456
    # What came stays as it came; who corrected it is in the journal.
    assert store.read(Space.live().pk, gauge.pk)[1].tolist() == pytest.approx([4.55])
    assert Entry.objects.get(verb="monitoring.amend_reading").after["result"] == 456
    sta.ask("delete", f"Observations({first})")
    assert sta.get(path, count="true")["@iot.count"] == 0
    assert sta.post(path, {**body, "result": 457}) == first
    assert sta.get(f"Observations({first})")["result"] == 457


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"result": 99999}, "absurd"), ({"result": "high"}, "numbers"), ({"result": True}, "number"), ({"result": {"a": 1}}, "number"), ({}, "result"),
        ({"result": 1, "phenomenonTime": "2124-01-01T00:00:00Z"}, "ahead"), ({"result": 1, "phenomenonTime": "yesterday"}, "phenomenonTime"),
        ({"result": 1, "phenomenonTime": "2024-01-01T00:00:00"}, "phenomenonTime"), ({"result": 1, "parameters": 3}, "parameters"),
        ({"result": 1, "FeatureOfInterest": {"@iot.id": 77}}, "FeatureOfInterest(77)"), ({"result": 1, "resultTime": "x"}, "resultTime"),
    ],
)  # fmt: skip
def test_a_bad_observation_is_refused_with_its_reason(sta, gauge, body, said):
    told = sta.post(f"Datastreams({gauge.pk})/Observations", {"phenomenonTime": "2024-09-15T08:00:00Z", **body}, 400)
    if said == "absurd":
        said = "must lie between"
    assert said in told["message"]
    assert len(store.read(Space.live().pk, gauge.pk)[0]) == 0


def test_rows_of_a_data_array_are_answered_one_by_one_however_many_are_wrong(sta, gauge):
    rows = [[f"2024-09-15T{n // 60:02d}:{n % 60:02d}:00Z", 99_999 if n % 2 else 100 + n] for n in range(400)]
    rows[0] = ["2024-09-15T00:00:00Z"]
    body = [{"Datastream": {"@iot.id": gauge.pk}, "components": ["phenomenonTime", "result"], "dataArray": rows}]
    told = json.loads(sta.ask("post", "CreateObservations", body, 201).content)
    assert [each.startswith("error: ") for each in told] == [n == 0 or n % 2 == 1 for n in range(400)]
    assert len(store.read(Space.live().pk, gauge.pk)[0]) == 199


def test_the_newest_of_every_datastream_costs_one_question_to_the_store(
    sta, gauge, django_assert_max_num_queries, monkeypatch
):
    """T6: FROST #287, #2323: a query per Datastream times out."""
    for number in range(30):
        series = make.series(make.station(gauge.station.place, code=f"S{number:02d}"), code=f"S{number:02d}.level")
        for minute in (0, 5):
            sta.post(
                f"Datastreams({series.pk})/Observations",
                {"phenomenonTime": f"2024-09-15T08:{minute:02d}:00Z", "result": number / 10 + minute},
            )
    asked, latest = [], store.latest
    monkeypatch.setattr(readings.store, "latest", lambda *args, **more: asked.append(1) or latest(*args, **more))
    monkeypatch.setattr(readings.store, "read", None)
    with django_assert_max_num_queries(16):
        told = sta.get("Things", expand=NEWEST, top="1000")
    assert len(asked) == 1
    results = [
        each["Datastreams"][0]["Observations"][0]["result"] for each in told["value"] if each["name"].startswith("S")
    ]
    assert results == [pytest.approx(n / 10 + 5) for n in range(30)]


def test_the_newest_observations_of_all_in_order_of_time(sta, keeper):
    streams = [make.series(make.station(keeper.organisation.place)) for _ in range(3)]
    for number in range(9):
        sta.post(
            f"Datastreams({streams[number % 3].pk})/Observations",
            {"phenomenonTime": f"2024-09-15T08:0{number}:00Z", "result": number},
        )
    told = sta.get("Observations", orderby="phenomenonTime desc", top="4", skip="1")
    assert [each["result"] for each in told["value"]] == [7, 6, 5, 4] and "@iot.nextLink" in told
    assert [each["result"] for each in sta.get("Observations", top="4")["value"]] == [0, 3, 6, 1]
    one = sta.get("Observations", filter=f"Datastream/id eq {streams[1].pk} and result gt 1", orderby="result desc")
    assert [each["result"] for each in one["value"]] == [7, 4]
    near = sta.get(
        "Things",
        filter="Datastreams/ObservedProperty/properties/code eq 'tide_level' and geo.distance(Locations/location,geography'POINT(121.4 31.6)') lt 0.01",
        count="true",
    )
    assert near["@iot.count"] == 3


def test_a_question_too_large_is_refused_with_a_remedy(sta, gauge, monkeypatch):
    for minute in range(3):
        sta.post(
            f"Datastreams({gauge.pk})/Observations", {"phenomenonTime": f"2024-09-15T08:0{minute}:00Z", "result": 100}
        )
    monkeypatch.setattr(readings, "MOST_SCANNED", 2)
    assert "narrow it by phenomenonTime" in sta.get("Observations", 400, filter="result gt 1")["message"]
    assert len(sta.get("Observations", filter="result gt 1 and phenomenonTime ge 2024-09-15T08:01:00Z")["value"]) == 2
    assert sta.get("Things", 414, filter="a" * 20_000)["code"] == 414


def test_what_others_keep_is_not_seen_or_not_changed(client, sta, gauge):
    """Scope: a township's own stations stay its own; what is public is read by all and changed by nobody else."""
    elsewhere = make.place()
    private = make.series(make.station(elsewhere, code="FAR", operator=make.organisation(elsewhere)))
    public = make.series(make.station(elsewhere, code="OPEN", is_public=True))
    for path in (f"Things({private.station_id})", f"Datastreams({private.pk})", f"Datastreams({private.pk})/Observations", f"Locations({2 * private.station_id})", f"FeaturesOfInterest({2 * private.station_id})", f"Sensors({2 * private.pk})", f"HistoricalLocations({2 * private.station_id})"):  # fmt: skip
        sta.get(path, 404)
    assert {each["properties"]["code"] for each in sta.get("Things")["value"]} == {"NM", "OPEN"}
    assert sta.get("Datastreams", count="true")["@iot.count"] == 2
    for method, path, body in (
        ("patch", f"Things({public.station_id})", {"name": "mine"}), ("delete", f"Things({public.station_id})", None),
        ("patch", f"Datastreams({public.pk})", {"name": "mine"}), ("delete", f"Datastreams({public.pk})", None),
        ("patch", f"Locations({2 * public.station_id})", {"location": {"type": "Point", "coordinates": [1, 1]}}),
        ("post", f"Things({public.station_id})/Datastreams", datastream()),
        ("post", f"Things({public.station_id})/Locations", location()),
    ):  # fmt: skip
        sta.ask(method, path, body, 403)
    assert Station.objects.get(code="OPEN").name_zh == "OPEN站"
    assert sta.ask("delete", f"ObservedProperties({sta.get('ObservedProperties')['value'][0]['@iot.id']})", status=409)
    gauge.station.refresh_from_db()
    sta.ask(
        "patch", f"Things({gauge.station_id})", {"name": "南门潮位站（新）", "properties": {"owner": "water bureau"}}
    )
    gauge.station.refresh_from_db()
    assert gauge.station.name_zh == "南门潮位站（新）"
    assert Entry.objects.filter(verb="monitoring.register_station", subject_id=str(gauge.station_id)).exists()
    sta.ask("delete", f"Things({gauge.station_id})")
    gauge.station.refresh_from_db()
    assert not gauge.station.is_active  # taken out of use; its readings and alarms keep their ground


def test_rights_roles_and_worlds(client, sta, gauge, keeper):
    body = {"phenomenonTime": "2024-09-15T08:00:00Z", "result": 100}
    path = f"Datastreams({gauge.pk})/Observations"
    nobody = Sta(client, {})
    for answer in (
        nobody.ask("post", path, body, 401),
        Sta(client, {"Authorization": "Bearer ht_x"}).ask("post", path, body, 401),
    ):
        assert answer["WWW-Authenticate"]
    assert nobody.get("Things", 401)["code"] == 401
    assert nobody.client.get("/sta/v1.1").status_code == 200
    assert speak(client, rights=("read",), user=keeper).post(path, body, 403)["part"] == "Authorization"
    assert (
        speak(client, rights=("readings:write",), user=keeper).post("Things", thing(), 403)["part"] == "Authorization"
    )
    grid = make.user(Role.GRID, keeper.organisation)
    assert "monitoring.add_sta_record" in speak(client, user=grid).post("Things", thing(), 403)["message"]
    # A gateway writes what its prefix allows, as by the other doors.
    gateway = speak(client, rights=("readings:write",), prefix="NM.")
    assert gateway.post(path, body)
    assert "may not write" in speak(client, rights=("readings:write",), prefix="XX.").post(path, body, 400)["message"]
    assert "may not write" in gateway.post("Observations", {**body, "Datastream": {"@iot.id": 10**6}}, 400)["message"]
    # An exercise has readings of its own, and leaves the stations alone.
    drill = speak(client, make.exercise(), user=keeper)
    assert drill.get(path)["value"] == []
    assert "exercise" in drill.post("Things", thing(), 403)["message"]
    drill.post(path, {**body, "result": 200, "phenomenonTime": "2024-09-15T00:00:00Z"})
    assert [each["result"] for each in sta.get(path)["value"]] == [100]


def test_a_datastream_that_measures_one_of_our_quantities_is_one_of_our_series(sta, keeper):
    """Then its unit is converted, its values are checked, and rules can watch it."""
    number = sta.post("Things", thing(Locations=[location()]))
    level = {"name": "Tide level", "definition": "x", "description": "x"}
    unit = {"name": "centimetre", "symbol": "cm", "definition": "x"}
    made = sta.post(
        "Datastreams", datastream(Thing={"@iot.id": number}, ObservedProperty=level, unitOfMeasurement=unit)
    )
    series = Series.objects.get(pk=made)
    assert (series.quantity, series.unit) == ("tide_level", "cm")
    assert sta.get(f"Datastreams({made})")["unitOfMeasurement"] == unit
    ours = next(each["@iot.id"] for each in sta.get("ObservedProperties")["value"])
    assert ours
    assert (
        "must lie between"
        in sta.post(
            f"Datastreams({made})/Observations", {"result": 9000, "phenomenonTime": "2024-01-01T00:00:00Z"}, 400
        )["message"]
    )
    wrong = {"name": "hour", "symbol": "h", "definition": "x"}
    assert sta.ask("patch", f"Datastreams({made})", {"unitOfMeasurement": wrong}, 400)
    place = make.place(parent=keeper.organisation.place)
    assert Station.objects.get(pk=number).place != place  # no outline holds it: the keeper's own place


def test_what_could_not_be_written_out_again_is_not_taken(sta):
    """P1: nothing that one client sends breaks the answers of the others."""
    deep: object = 1
    for _ in range(100):
        deep = [deep]
    assert sta.post("Things", thing(properties={"deep": deep}), 400)["part"] == "properties"
    assert sta.post("Things", thing(properties={"long": "x" * 70_000}), 413)["part"] == "properties"
    assert sta.post("Things", thing("a\0b"), 400)["part"] == "body"
    assert sta.post("Things", thing(Datastreams={"a": 1}), 400)["part"] == "Datastreams"
    assert sta.post("Things", thing(colour="red"), 400)["part"] == "colour"
    assert sta.post("Things", [1], 400)["code"] == 400
    for body in (b"", b"{", b"[" * 2000, b"\xff"):
        sta.ask("post", "Things", body, 400)
    sta.ask("post", "Things", b" " * 5_000_000, 413)
    sta.ask("post", "Things(1)", {}, 405)
    sta.ask("patch", "Things", {}, 405)
    assert sta.get("Things")["value"] == []


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("v1.1/Datastreams(5)/Observations", {"phenomenonTime": "2024-09-15T08:00:00Z", "result": 3}),
        ("haitang/v1/7/sta/Observations", {"phenomenonTime": "2024-09-15T08:00:00Z", "result": 3, "Datastream": {"@iot.id": 5}}),
        ("v1.1/CreateObservations", [{"Datastream": {"@iot.id": 5}, "components": ["phenomenonTime", "result"], "dataArray": [["2024-09-15T08:00:00Z", 3]]}]),
    ],
)  # fmt: skip
def test_a_message_becomes_a_body_for_the_door(topic, payload):
    from haitang.monitoring import wire

    columns = wire.parse(intake.observations_from(topic, json.dumps(payload).encode(), 0))
    assert (columns.series.tolist(), columns.time.tolist(), columns.value.tolist()) == ([5], [1726387200000], [3.0])


@pytest.mark.parametrize(
    "topic", ["v1.1/Things", "v1.1/Datastreams(x)/Observations", "Observations", "v1.1/Datastreams(5)/Observations"]
)
def test_a_message_that_cannot_be_read_says_why(topic):
    with pytest.raises(StaError):
        intake.observations_from(topic, b'{"result": "x"}', 0)


def test_a_newcomer_finds_the_address_on_the_page_that_makes_tokens(client, keeper):
    client.force_login(keeper)
    page = client.get("/monitoring/intake/connect/").content.decode()
    assert "http://testserver/sta/v1.1" in page and "frost_sta_client" in page
