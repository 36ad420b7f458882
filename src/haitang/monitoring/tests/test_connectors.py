"""P4: readings that are fetched from other systems, against a real HTTP server; nobody makes us call our own network."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.accounts.actors import SYSTEM
from haitang.accounts.roles import Role
from haitang.journal.models import Entry
from haitang.monitoring import services, store
from haitang.monitoring.connectors import fetch, mapping, pull, sensorthings
from haitang.monitoring.connectors.fetch import FetchError
from haitang.monitoring.connectors.mapping import MappingError
from haitang.monitoring.models import Connector, IngestCount
from haitang.monitoring.tests import factories as make
from haitang.monitoring.wire import BatchError
from haitang.spaces.models import Space

EIGHT = mapping.offset("+08:00")


# -- the mapping ------------------------------------------------------------------------------------------------


def test_paths_find_rows_times_series_and_values():
    document = {
        "data": {"at": "2024/09/15 08:00:00", "stations": [
            {"id": "NM", "t": "2024-09-15T00:00:00Z", "level": 320, "rain": {"h1": "0.5"}},
            {"id": "CQ", "t": "2024-09-15 08:05", "level": None, "rain": {}},
            {"id": "XS", "t": 1726358400, "level": "", "rain": {"h1": 2}},
        ]},
    }  # fmt: skip
    rules = mapping.read_rules("# two\nlevel = {id}-TIDE cm  # water\n\nrain.h1 = {id}-RAIN")
    found = mapping.readings(document, "data.stations", "t", rules, EIGHT)
    assert found.series == ["NM-TIDE", "NM-RAIN", "XS-RAIN"]
    assert found.value == [320, 0.5, 2]
    assert found.unit == ["cm", None, None]
    assert found.time[0] == "2024-09-15T00:00:00+00:00" and found.time[2] == 1726358400
    one = mapping.readings(document, "data.stations.1", "/data.at", mapping.read_rules("t = A"), EIGHT)
    assert one.time == ["2024-09-15T08:00:00+08:00"]


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 0), ("level", 1), ("a = b\nlevel = A B C", 2), ("a = {b", 1), ("a = }b{", 1), ("a = b\n" * 501, 501)],
)
def test_a_mapping_that_says_nothing_is_refused_with_its_line(text, line):
    with pytest.raises(MappingError) as caught:
        mapping.read_rules(text)
    assert caught.value.line == line


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "value"]), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=100)
@given(anything, st.sampled_from(["", "a", "a.0", "a.b", "value"]), st.sampled_from(["a", "/a", "/", ""]))
def test_no_answer_breaks_the_mapping(document, rows, moment):
    rules = mapping.read_rules("a = {b}\nb = X m\n = Y")
    try:
        found = mapping.readings(document, rows, moment, rules, EIGHT)
    except BatchError:
        return
    assert len(found.series) == len(found.time) == len(found.value) == len(found.unit)
    with pytest.raises(BatchError):
        sensorthings.readings([document], rules[0])


def test_another_platforms_next_page_does_not_lead_elsewhere():
    url = "https://sta.example/v1.1/Datastreams(1)/Observations"
    assert sensorthings.next_page({"@iot.nextLink": "/v1.1/x?$skip=1"}, url) == "https://sta.example/v1.1/x?$skip=1"
    assert sensorthings.next_page({}, url) == ""
    with pytest.raises(BatchError):
        sensorthings.next_page({"@iot.nextLink": "https://inner.example/x"}, url)


# -- the guard --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "fe80::1%eth0",
     "fd00::1", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_addresses_of_inner_networks_are_not_called(address):
    with pytest.raises(FetchError, match="inner network"):
        fetch.guarded("http://weather.example/x", (), lambda _h, _p: [address])
    with pytest.raises(FetchError, match="inner network"):
        fetch.guarded("http://weather.example/x", (), lambda _h, _p: ["93.184.216.34", address])


@pytest.mark.parametrize("url", ["ftp://x.example/", "file:///etc/passwd", "http://", "//x", "http://u:p@x.example/", "http://x:99999/"])  # fmt: skip
def test_only_plain_web_addresses_are_called(url):
    with pytest.raises(FetchError):
        fetch.guarded(url, (), lambda _h, _p: ["93.184.216.34"])


def test_an_inner_network_can_be_allowed():
    assert fetch.guarded("http://w.example:81/", ["10.0.0.0/8"], lambda _h, _p: ["10.1.2.3"]) == ("10.1.2.3", "w.example", 81)  # fmt: skip
    assert fetch.guarded("https://w.example/", (), lambda _h, _p: ["93.184.216.34"])[2] == 443


# -- against a server -------------------------------------------------------------------------------------------


class Other(BaseHTTPRequestHandler):
    """Another system."""

    answers: ClassVar[dict[str, Any]] = {}
    asked: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization", "")))
        found = self.answers.get(self.path.split("?")[0], 404)
        if callable(found):
            found = found(self.path)
        status, body, headers = 200, b"", {}
        if isinstance(found, int):
            status = found
        elif isinstance(found, str):
            status, headers = 302, {"Location": found}
        else:
            body = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def other(monkeypatch) -> Iterator[str]:
    monkeypatch.setenv("HAITANG_CONNECTOR_NETWORKS", "127.0.0.0/8")
    Other.answers, Other.asked = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def connector(url_: str, **fields: Any) -> Connector:
    given = {"code": "W", "name_zh": "气象", "url": url_, "rows_path": "rows", "time_path": "t", "mapping": "v = {id}", "interval_s": 60}  # fmt: skip
    return services.save_connector(Connector(**{**given, **fields}), by=SYSTEM)


@pytest.mark.django_db
def test_what_another_system_offers_is_stored(other):
    series, moment = make.series(), int(time.time()) - 60
    made = connector(f"{other}/now", secret="Bearer abc")
    Other.answers["/now"] = {
        "rows": [{"id": series.code, "t": moment, "v": 1.5}, {"id": "NOBODY", "t": moment, "v": 1}]
    }
    (claimed,) = pull.due(4)
    assert pull.due(4) == []
    pull.pull(claimed)
    assert store.read(Space.live().pk, series.pk)[1].tolist() == [1.5]
    assert Other.asked == [("/now", "Bearer abc")]
    made.refresh_from_db()
    assert (made.taken, made.refused, made.failures) == (1, 1, 0)
    assert "NOBODY" in made.last_error and made.standing[0] == "yellow"
    assert timedelta(seconds=50) < made.next_at - timezone.now() <= timedelta(seconds=60)
    counted = dict(IngestCount.objects.filter(source="pull:W").values_list("outcome", "count"))
    assert counted == {"accepted": 1, "unknown_series": 1}


@pytest.mark.django_db
def test_a_failure_is_told_once_and_tried_again_after_longer_and_longer_pauses(other):
    made = connector(f"{other}/gone")
    waits = []
    for _ in range(3):
        pull.pull(Connector.objects.get())
        made.refresh_from_db()
        waits.append(round((made.next_at - timezone.now()).total_seconds()))
    assert waits == pytest.approx([120, 240, 480], abs=3)
    assert made.failures == 3 and "404" in made.last_error
    Other.answers["/gone"] = {"rows": []}
    pull.pull(Connector.objects.get())
    pull.pull(Connector.objects.get())
    told = list(Entry.objects.filter(verb="monitoring.connector_state").order_by("seq").values_list("after", flat=True))
    assert [each["failing"] for each in told] == [True, False]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("answer", "says"),
    [(b"not json", "not JSON"), (b"[" + b"0," * 600_000 + b"0]", "larger"), ([1], "nothing at"), ("ftp://x/", "only http"),
     ("http://10.0.0.1/", "inner network"), ("/again", "redirects"), (500, "500")],
)  # fmt: skip
def test_what_cannot_be_fetched_says_why(other, answer, says, monkeypatch):
    monkeypatch.setattr(fetch, "MOST_BYTES", 1_000_000)
    Other.answers["/again"] = answer
    made = connector(f"{other}/again")
    pull.pull(made)
    made.refresh_from_db()
    assert made.failures == 1 and says in made.last_error


@pytest.mark.django_db
def test_what_signs_us_in_is_not_given_to_another_server(other):
    second = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=second.serve_forever, daemon=True).start()
    Other.answers |= {"/a": f"http://127.0.0.1:{second.server_port}/b", "/b": {"rows": []}}
    pull.pull(connector(f"{other}/a", secret="Bearer abc"))
    assert Other.asked == [("/a", "Bearer abc"), ("/b", "")]
    second.shutdown()
    second.server_close()


@pytest.mark.django_db
def test_the_live_network_is_not_ours_to_call_unless_allowed(other, monkeypatch):
    monkeypatch.setenv("HAITANG_CONNECTOR_NETWORKS", "")
    made = connector(f"{other}/now")
    pull.pull(made)
    made.refresh_from_db()
    assert "HAITANG_CONNECTOR_NETWORKS" in made.last_error and not Other.asked


@pytest.mark.django_db
def test_another_platforms_observations_are_followed_from_the_last_one(other):
    series, now = make.series(), timezone.now().replace(microsecond=0)
    made = connector(f"{other}/v1.1", kind="sta", mapping=f"7 = {series.code} cm", time_path="")
    moments = [(now - timedelta(minutes=10 - n)).isoformat().replace("+00:00", "Z") for n in range(4)]

    def page(path: str) -> Any:
        if "desc" in path:
            return {"value": [{"phenomenonTime": moments[0], "result": 100}], "@iot.nextLink": f"{other}/older"}
        if "skip" in path:
            return {"value": [{"phenomenonTime": f"{moments[2]}/{moments[3]}", "result": "130"}]}
        rows = [{"phenomenonTime": each, "result": 110 + n * 10} for n, each in enumerate(moments[1:3])]
        return {"value": rows, "@iot.nextLink": "/v1.1/Datastreams(7)/Observations?skip=2"}

    Other.answers["/v1.1/Datastreams(7)/Observations"] = page
    for _ in range(2):
        pull.pull(Connector.objects.get())
    assert store.read(Space.live().pk, series.pk)[1].tolist() == pytest.approx([1.0, 1.1, 1.2, 1.3])
    made.refresh_from_db()
    assert made.cursor == {"7": moments[3]} and made.failures == 0
    assert f"phenomenonTime%20gt%20{moments[0].replace(':', '%3A')}" in Other.asked[1][0]


# -- on the screen ----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_keeper_puts_a_connector_on_record_and_switches_it(client):
    keeper = make.user(Role.DEPARTMENT, make.organisation(make.place()))
    client.force_login(keeper)
    assert client.get(reverse("monitoring:connector_new")).status_code == 200
    given = {"code": "W1", "name_zh": "气象局", "kind": "json", "url": "https://w.example/x", "interval_s": 60, "utc_offset": "+08:00",
             "mapping": "v = A", "time_path": "t", "header": "Authorization", "secret": "Bearer geheimes-wort", "is_active": "on"}  # fmt: skip
    bad = client.post(reverse("monitoring:connector_new"), {**given, "mapping": "v", "url": "ftp://x"})
    assert set(bad.context["form"].errors) >= {"mapping", "url"}
    client.post(reverse("monitoring:connector_new"), given)
    made = Connector.objects.get()
    page = client.get(made.get_absolute_url()).content.decode()
    assert "气象局" in page and "geheimes-wort" not in page
    assert "geheimes-wort" not in client.get(reverse("monitoring:connector_edit", args=[made.pk])).content.decode()
    client.post(reverse("monitoring:connector_edit", args=[made.pk]), {**given, "secret": "", "interval_s": 90})
    made.refresh_from_db()
    assert (made.secret, made.interval_s) == ("Bearer geheimes-wort", 90)
    client.post(reverse("monitoring:connector_pull", args=[made.pk]))
    client.post(reverse("monitoring:connector_switch", args=[made.pk]), {"on": "0"})
    made.refresh_from_db()
    assert not made.is_active and pull.due(4) == []
    assert "气象局" in client.get(reverse("monitoring:connectors")).content.decode()
    assert not any("geheimes-wort" in json.dumps(each.after) for each in Entry.objects.all())
    client.force_login(make.user(Role.TOWNSHIP, make.organisation(make.place())))
    assert client.get(reverse("monitoring:connectors")).status_code == 403
    assert client.post(reverse("monitoring:connector_switch", args=[made.pk]), {"on": "1"}).status_code in {403, 404}


@pytest.mark.django_db
def test_a_connector_that_says_nothing_cannot_be_saved():
    for fields in (
        {"mapping": ""},
        {"time_path": ""},
        {"utc_offset": "8"},
        {"url": "http://u:p@x/"},
        {"secret": "a\nb"},
    ):
        with pytest.raises(ValidationError):
            connector("http://x.example/", **fields)
