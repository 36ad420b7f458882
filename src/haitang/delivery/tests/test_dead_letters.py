"""What was given up is listed with its reason and can be sent again, never past the permit (issue 3, "Deliver")."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from haitang.accounts.roles import Role
from haitang.delivery import services
from haitang.delivery.models import Delivery
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def officer(client, settings):
    settings.DEMO = True
    district = make.place()
    user = make.user(Role.DUTY_OFFICER, make.organisation(district), is_demo=True)
    client.force_login(user)
    return user


def dead(live, wire, officer, number=3, **fields):
    wire.says(422, {"error": "unknown_number"})
    people = [make.user(organisation=officer.organisation) for _ in range(number)]
    message = make.message(live, *people, channels=["sms"], **fields)
    services.pump(live)
    wire.says(202, {"id": "g"})
    return message


def test_they_are_listed_with_reason_and_channel(client, live, wire, officer):
    dead(live, wire, officer)
    page = client.get(reverse("delivery:dead"), {"channel": "sms", "reason": "unknown_number"})
    assert len(page.context["listed"]) == 3
    assert client.get(reverse("delivery:dead"), {"channel": "voice"}).context["listed"] == []


def test_the_ticked_ones_are_sent_again(client, live, wire, officer):
    message = dead(live, wire, officer)
    first = services.receipts(message).first()
    client.post(reverse("delivery:dead_resend"), {"pk": [first.pk, "x"]})
    assert sorted(services.receipts(message).values_list("state", flat=True)) == ["failed", "failed", "queued"]
    services.pump(live)
    first.refresh_from_db()
    assert first.state == "sent"


def test_or_all_that_the_filter_shows(client, live, wire, officer):
    message = dead(live, wire, officer)
    client.post(reverse("delivery:dead_resend"), {"which": "all", "channel": "sms"})
    assert set(services.receipts(message).values_list("state", flat=True)) == {"queued"}


def test_what_has_expired_stays(client, live, wire, officer):
    message = dead(live, wire, officer, expires_at=timezone.now() + timedelta(hours=1))
    message.expires_at = timezone.now()
    message.save()
    client.post(reverse("delivery:dead_resend"), {"which": "all"})
    assert set(services.receipts(message).values_list("state", flat=True)) == {"failed"}


def test_only_operations_send_again_and_residents_see_nothing(client, live, wire, officer):
    dead(live, wire, officer)
    client.force_login(make.user(Role.TOWNSHIP, officer.organisation, is_demo=True))
    assert client.get(reverse("delivery:dead")).status_code == 200
    assert client.post(reverse("delivery:dead_resend"), {"which": "all"}).status_code == 403
    client.force_login(make.user(Role.RESIDENT, is_demo=True))
    assert client.get(reverse("delivery:dead")).status_code == 403
    assert client.get(reverse("delivery:gateways")).status_code == 403


def test_of_another_place_nothing_is_sent_again(client, live, wire, officer):
    dead(live, wire, officer)
    client.force_login(make.user(Role.DUTY_OFFICER, make.organisation(make.place()), is_demo=True))
    client.post(reverse("delivery:dead_resend"), {"which": "all"})
    assert not Delivery.objects.filter(state="queued").exists()


def test_the_gateways_page_names_every_way_out_and_no_key(client, live, wire, officer, monkeypatch):
    monkeypatch.setenv("HAITANG_WECOM_URL", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=SECRETKEY")
    monkeypatch.setenv("HAITANG_SMS_URL", "https://user:SECRETPASS@sms.example.org/v1/SECRETPATH")
    for _ in range(6):
        dead(live, wire, officer, number=1)
    page = client.get(reverse("delivery:gateways")).content.decode()
    assert "sms.example.org" in page and "SECRET" not in page
