"""Browser notifications: subscribing, sending, forgetting (3.4.2)."""

import base64
import json
import os
import socket

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.urls import reverse

from haitang.delivery import services, transport, vapid
from haitang.delivery.models import Subscription
from haitang.delivery.services import Recipient
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def keys() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return b64(key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)), b64(
        os.urandom(16)
    )


class PushService:
    """Stands in for the browsers' push services."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict]] = []
        self.status: dict[str, int] = {}

    def request(self, _session, method, url, **given):
        self.asked.append((url, given))
        answer = requests.Response()
        answer.status_code = self.status.get(url, 201)
        return answer


@pytest.fixture
def service(monkeypatch, settings, tmp_path):
    settings.DATA = tmp_path
    found = PushService()
    monkeypatch.setattr(requests.Session, "request", lambda *args, **given: found.request(*args, **given))  # noqa: PLW0108 - the session goes along
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, **_: [(2, 1, 6, "", ("10.0.0.7" if "inside" in host else "142.250.1.1", port))],
    )
    return found


def browser(person, name="a", host="push.example.org"):
    p256dh, auth = keys()
    return services.subscribe(endpoint=f"https://{host}/{name}", p256dh=p256dh, auth=auth, by=person)


def pushed(live, person, **fields):
    message = make.message(live, Recipient.of(person, url="/o/token/"), channels=["webpush"], **fields)
    services.pump(live)
    return services.receipts(message).get()


def test_each_browser_of_the_person_is_handed_it_encrypted_and_signed(live, service):
    person = make.user()
    browser(person, "a"), browser(person, "b")
    row = pushed(live, person)
    assert sorted(url for url, _ in service.asked) == ["https://push.example.org/a", "https://push.example.org/b"]
    given = service.asked[0][1]
    assert given["headers"]["authorization"].lower().startswith("vapid t=")
    assert given["headers"]["content-encoding"] == "aes128gcm"
    assert "防御准备".encode() not in given["data"]
    assert (row.state, row.is_simulated) == ("sent", False)
    assert Subscription.objects.filter(last_ok_at=None).count() == 0


def test_a_browser_that_has_ended_is_forgotten_and_the_other_takes_it(live, service):
    person = make.user()
    browser(person, "gone"), browser(person, "here")
    service.status["https://push.example.org/gone"] = 410
    assert pushed(live, person).state == "sent"
    assert [row.endpoint for row in Subscription.objects.all()] == ["https://push.example.org/here"]


def test_when_the_last_browser_has_ended_it_has_failed(live, service):
    person = make.user()
    browser(person, "gone")
    service.status["https://push.example.org/gone"] = 404
    row = pushed(live, person)
    assert (row.state, row.reason) == ("failed", "browser_gone")
    assert not Subscription.objects.exists()


def test_a_push_service_that_is_down_is_asked_again(live, service):
    person = make.user()
    browser(person)
    service.status["https://push.example.org/a"] = 503
    row = pushed(live, person)
    assert (row.state, row.reason) == ("queued", "server: 503")


def test_who_switched_it_on_nowhere_is_passed_over_without_a_failure(live, service):
    willing, other = make.user(), make.user()
    browser(willing)
    message = make.message(live, willing, other, channels=["inapp", "webpush"])
    assert [(row.user, row.channel) for row in services.receipts(message)] == [
        (willing, "inapp"),
        (willing, "webpush"),
        (other, "inapp"),
    ]
    message = make.message(live, other, channels=["webpush", "sms"], in_order=True)
    assert [row.channel for row in services.receipts(message)] == ["sms"]


def test_who_switched_it_off_before_the_letter_went_cannot_be_woken(live, service):
    person = make.user()
    browser(person)
    message = make.message(live, person, channels=["webpush"])
    Subscription.objects.all().delete()
    services.pump(live)
    row = services.receipts(message).get()
    assert (row.state, row.reason) == ("failed", "no_browser")


def test_an_address_inside_our_own_network_is_not_called(live, service):
    person = make.user()
    browser(person, host="inside.example.org")
    row = pushed(live, person)
    assert (row.state, row.reason) == ("failed", "rejected: an address inside this network")
    assert service.asked == []


def test_the_platform_s_key_is_made_once_and_only_its_owner_reads_it(service, settings):
    first = vapid.public_key()
    assert vapid.public_key() == first
    assert len(base64.urlsafe_b64decode(first + "=")) == 65
    assert (settings.DATA / "vapid.pem").stat().st_mode & 0o777 == 0o600


def post(client, body):
    return client.post(reverse("delivery:push_subscribe"), json.dumps(body), content_type="application/json")


def test_a_browser_subscribes_and_signs_off(client, service):
    person = make.user()
    client.force_login(person)
    p256dh, auth = keys()
    body = {"endpoint": "https://push.example.org/1", "expirationTime": None, "keys": {"p256dh": p256dh, "auth": auth}}
    assert post(client, body).status_code == 201
    assert post(client, body).status_code == 201
    assert [row.user for row in Subscription.objects.all()] == [person]
    client.post(reverse("delivery:push_unsubscribe"))
    assert not Subscription.objects.exists()


def test_a_browser_that_changes_hands_wakes_the_new_person_only(client, service):
    first, second = make.user(), make.user()
    browser(first), browser(second)
    assert Subscription.objects.get().user == second


def test_of_many_browsers_the_newest_ten_stay(service):
    person = make.user()
    for number in range(13):
        browser(person, str(number))
    assert Subscription.objects.filter(user=person).count() == 10
    assert not Subscription.objects.filter(endpoint__endswith="/0").exists()


@pytest.mark.parametrize(
    "body",
    [
        [], "x", {}, {"endpoint": "http://push.example.org/1"}, {"endpoint": 7}, {"endpoint": "https://x.org/", "keys": []},
        {"endpoint": "https://x.org/", "keys": {"p256dh": "AAAA", "auth": "AAAA"}}, {"endpoint": "https://x.org/" + "a" * 2500},
        {"endpoint": "https://x.org/", "keys": {"p256dh": 1, "auth": None}}, {"endpoint": "https://x.org/", "keys": {"p256dh": "é", "auth": "\0"}},
    ],
)  # fmt: skip
def test_what_no_browser_sends_is_refused_with_field_value_and_rule(client, service, body):
    client.force_login(make.user())
    answer = post(client, body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(("endpoint (", "keys."))


def test_only_who_signed_in_subscribes(client):
    assert post(client, {}).status_code == 302


def test_the_transport_refuses_what_is_not_https(live):
    from haitang.delivery.channel import Undeliverable
    from haitang.delivery.permit import Permit

    permit = Permit(make.message(live, make.user()).deliveries.get())
    with pytest.raises(Undeliverable):
        transport.push(permit, {"endpoint": "http://x.org/"}, {}, private_key="", contact="", topic="")
