"""The gateways' stand-ins, over real sockets: protocol, de-duplication, receipts (issue 2, section 2)."""

from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest
from django.test import Client
from django.urls import reverse

from haitang.delivery import gateways, outlet, receipts, services, simulators, transport
from haitang.delivery.breaker import Breakers
from haitang.delivery.models import Tally
from haitang.delivery.sent_store import Store
from haitang.delivery.services import Recipient
from haitang.delivery.simulator import Event
from haitang.delivery.simulators import CALM, Gateways, Temper
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


def free_port() -> int:
    """A port whose neighbour is free as well."""
    for _ in range(50):
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return int(port)
    raise RuntimeError("no two free ports in a row")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The simulators in threads of this process, calm: what they do is decided, not drawn."""
    port, stop, path = free_port(), threading.Event(), tmp_path_factory.mktemp("sim") / "s.sqlite3"
    thread = threading.Thread(
        target=simulators.serve, args=(stop,), kwargs={"port": port, "store": path, "temper": CALM}
    )
    thread.start()
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/health")
            break
        except httpx.ConnectError:
            time.sleep(0.02)
    yield port
    stop.set()
    thread.join(10)


@pytest.fixture
def port(served, monkeypatch, settings, wire, post_office):
    """The product's own transport again, towards the simulators."""
    monkeypatch.undo()
    monkeypatch.setenv("HAITANG_SIM_PORT", str(served))
    settings.PUBLIC_URL = "http://127.0.0.1:9"  # nobody takes the receipts there
    transport._client.cache_clear()
    return served


def sent(port, channel):
    return httpx.get(f"http://127.0.0.1:{port}/sent.json?channel={channel}").json()["letters"]


@pytest.mark.parametrize("channel", ["sms", "voice", "loudspeaker", "email", "wecom", "dingtalk", "feishu", "webhook"])
def test_each_channel_is_taken_by_its_stand_in(live, port, channel):
    body = make.organisation(code=f"C{channel}", phone="021-69600000")
    message = make.message(live, make.user(organisation=body), channels=[channel], title_zh=f"标题{channel}")
    services.pump(live)
    row = services.receipts(message).get()
    assert row.state in {"sent", "delivered"}, row.reason
    assert row.is_simulated
    assert any(f"标题{channel}" in letter["title"] + letter["body"] for letter in sent(port, channel))


def test_the_same_key_is_one_letter(live, port, later):
    message = make.message(live, make.user(), channels=["sms", "email"])
    services.pump(live)
    message.deliveries.update(state="queued", next_at=message.created_at, claim="")
    services.pump(live)
    for channel in ("sms", "email"):
        key = message.deliveries.get(channel=channel).key
        assert [letter["copies"] for letter in sent(port, channel) if key in letter["key"]] == [2]


def test_a_signature_with_another_secret_is_refused(live, port, monkeypatch):
    monkeypatch.setenv("HAITANG_GATEWAY_TOKEN", "changed since the simulators started")
    rows = {}
    body = make.organisation()
    message = make.message(live, make.user(organisation=body), channels=["sms", "dingtalk", "feishu", "webhook"])
    services.pump(live)
    rows = {row.channel: row.reason for row in services.receipts(message)}
    assert rows["dingtalk"].startswith("credentials: 310000") and rows["feishu"].startswith("credentials: 19021")
    assert rows["sms"] == rows["webhook"] == "credentials: 401"


def test_a_robot_takes_twenty_posts_a_minute(tmp_path):
    all_ = Gateways(Store(tmp_path / "s.sqlite3"), "t", CALM)
    body = {"msgtype": "text", "text": {"content": "x"}}
    codes = [
        simulators.wecom(all_, "wecom", body, {}, "/wecom/cgi-bin/webhook/send?key=k")[1]["errcode"] for _ in range(22)
    ]
    assert codes == [0] * 20 + [45009] * 2


def test_receipts_come_back_by_the_door_and_are_taken_once(live, port, tmp_path, monkeypatch):
    """The stand-in gives a receipt again until it was taken; one that was posted twice changes nothing."""
    monkeypatch.setattr(simulators.simulator, "course", lambda *_: (Event(0.0, "sent"), Event(0.0, "delivered")))
    message = make.message(live, make.user(), channels=["sms"])
    services.pump(live)
    row = message.deliveries.get()
    store = Store(tmp_path / "s.sqlite3")
    all_ = Gateways(store, gateways.token(), Temper(doubled=1.0))
    headers = {"authorization": f"Bearer {all_.token}"}
    simulators.gateway(
        all_, "sms", {"key": row.key, "to": "13800000000", "text": "x", "receipts": "http://h/r/"}, headers, "/sms"
    )
    django = Client()

    def door(request: httpx.Request) -> httpx.Response:
        answer = django.post(reverse("delivery:receipts", args=["sms"]), request.content, content_type="application/json",
                             headers={"Authorization": request.headers["Authorization"]})  # fmt: skip
        return httpx.Response(answer.status_code, content=answer.content)

    taken = []
    for answer in (lambda _request: httpx.Response(503), door, door):
        store._connection.execute("UPDATE receipts SET due = 0")
        with httpx.Client(transport=httpx.MockTransport(answer)) as client:
            taken.append(simulators.post_receipts(all_, client))
    assert taken == [0, 2, 0]
    row.refresh_from_db()
    assert row.state == "delivered"
    assert sorted(Tally.objects.values_list("outcome", "count")) == [("repeated", 1), ("taken", 1)]


def test_answers_that_get_lost_and_refusals_are_survived(live, port, tmp_path, later):
    """With a temper: whatever happens on the way, each letter is sent once in the end."""
    rough, stop = free_port(), threading.Event()
    temper = Temper(latency_s=0.0, refused=0.2, answer_lost=0.6, doubled=0.5)
    thread = threading.Thread(
        target=simulators.serve, args=(stop,), kwargs={"port": rough, "store": tmp_path / "s.sqlite3", "temper": temper}
    )
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HAITANG_SIM_PORT", str(rough))
            # Two of three letters fail: the breaker would rightly leave such a gateway alone for a while.
            patch.setattr(outlet.OUTLET, "_breakers", Breakers(threshold=1000))
            message = make.message(live, *(make.user() for _ in range(12)), channels=["sms"])
            for _ in range(40):
                services.pump(live)
                if not message.deliveries.filter(state="queued").exists():
                    break
                message.deliveries.filter(state="queued").update(attempts=1)
                later()
            letters = {letter["key"]: letter["copies"] for letter in sent(rough, "sms")}
        assert set(letters) == set(message.deliveries.values_list("key", flat=True))
        assert set(message.deliveries.values_list("state", flat=True)) == {"sent"}
        assert max(letters.values()) > 1
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/sms", b"{", 400),
        ("/sms", b"[]", 400),
        ("/pigeon", b"{}", 404),
        ("/wecom", b"x" * 300_000, 413),
        ("/sms", b"{}", 401),
        ("/webhook", b"{}", 401),
    ],
)
def test_nonsense_is_refused(port, path, content, status):
    try:
        assert httpx.post(f"http://127.0.0.1:{port}{path}", content=content).status_code == status
    except httpx.WriteError:
        assert status == 413  # it closed the door before we had said all


def test_the_page_says_that_nobody_was_reached_and_shows_no_whole_number(live, port):
    make.message(
        live, Recipient(phone="13912345678", organisation=make.organisation()), channels=["sms"], title_zh="<b>标题</b>"
    )
    services.pump(live)
    page = httpx.get(f"http://127.0.0.1:{port}/").text
    assert "模拟" in page and "13912345678" not in page and "139****5678" in page
    assert "<b>标题</b> " not in page and "&lt;b&gt;标题" in page


def test_statuses_that_the_stand_ins_report_are_known_to_the_door(tmp_path):
    all_ = Gateways(Store(tmp_path / "s.sqlite3"), "t", CALM)
    for channel in ("sms", "voice", "loudspeaker"):
        said = {status for n in range(400) for status, _, _ in all_.courses(channel, str(n), "http://x/")}
        assert said <= set(receipts.STATUSES)
