"""What has ended is not sent any more; a later wave waits its time (issue 3, "Deliver", "Target")."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from haitang.accounts.roles import Role
from haitang.accounts.verbs import Refused
from haitang.delivery import services
from haitang.delivery.models import Delivery, Message
from haitang.delivery.services import Recipient
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def states(message):
    return [(row.channel, row.state, row.reason) for row in services.receipts(message)]


def test_what_waits_when_its_time_is_over_is_not_sent(live, wire):
    message = make.message(live, make.user(), channels=["sms"], expires_at=timezone.now() - HOUR)
    services.pump(live)
    assert states(message) == [("sms", "failed", "message_expired")] and wire.requests == []


def test_nor_handed_on_to_the_next_channel(live, wire):
    message = make.message(
        live, make.user(), channels=["sms", "voice"], in_order=True, expires_at=timezone.now() - HOUR
    )
    services.pump(live)
    assert states(message) == [("sms", "failed", "message_expired")] and wire.requests == []


def test_nor_in_an_exercise():
    space = make.exercise()
    message = make.message(space, make.user(organisation=make.organisation()), channels=["sms"], expires_at=make.T0)
    make.step(space, 60)
    services.pump(space)
    assert states(message) == [("sms", "failed", "message_expired")]


def test_nor_sent_again_by_hand(live, wire):
    message = make.message(live, make.user(), channels=["sms"], expires_at=timezone.now() - HOUR)
    services.pump(live)
    with pytest.raises(Refused):
        services.resend(message, by=make.user(Role.DUTY_OFFICER))


def test_what_is_stopped_is_not_sent_though_it_was_to_go_later(live, wire):
    message = make.message(live, make.user(), channels=["sms"], not_before=timezone.now() + HOUR)
    with transaction.atomic():
        assert services.stop(Message.objects.filter(pk=message.pk), live) == 1
        assert services.stop(Message.objects.filter(pk=message.pk), live) == 0
    services.pump(live)
    assert states(message) == [("sms", "failed", "message_expired")] and wire.requests == []


def test_a_later_wave_waits_and_can_be_let_go(live, wire):
    message = make.message(live, make.user(), channels=["sms"], not_before=timezone.now() + HOUR)
    services.pump(live)
    assert wire.requests == [] and states(message) == [("sms", "queued", "")]
    with transaction.atomic():
        assert services.release(Message.objects.all(), live) == 1
    services.pump(live)
    assert states(message) == [("sms", "sent", "")]


def test_in_an_exercise_a_wave_goes_in_the_exercise_s_own_time():
    space = make.exercise()
    person = make.user(organisation=make.organisation())
    message = make.message(space, person, channels=["webhook", "sms"], not_before=make.T0 + timedelta(minutes=10))
    make.step(space, 300)
    services.pump(space)
    assert {row.state for row in services.receipts(message).exclude(address="")} == {"queued"}
    make.step(space, 3000)
    services.pump(space)
    row = services.receipts(message).get(channel="sms")
    assert row.sent_at > make.T0 + timedelta(minutes=10)


def test_the_graver_goes_first_and_officials_before_the_public(live):
    body = make.organisation()
    for colour in ("blue", "red", ""):
        make.message(
            live, Recipient(phone="13900000001"), make.user(organisation=body), channels=["sms"], colour=colour
        )
    order = Delivery.objects.order_by("priority").values_list("message__colour", "organisation")
    assert list(order) == [
        ("red", body.pk),
        ("red", None),
        ("blue", body.pk),
        ("blue", None),
        ("", body.pk),
        ("", None),
    ]
