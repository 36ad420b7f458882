"""What `send` writes (3.4.2, 3.6.5)."""

import pytest

from haitang.delivery import services
from haitang.delivery.models import Delivery, Message
from haitang.delivery.states import State
from haitang.delivery.tests import factories as make
from haitang.journal.models import Entry
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db


def test_each_recipient_gets_each_channel():
    message = make.message(Space.live(), make.user(), make.user(), channels=["inapp", "sms"])
    assert [(d.number, d.channel, d.state) for d in services.receipts(message)] == [
        (0, "inapp", "delivered"), (0, "sms", "queued"), (1, "inapp", "delivered"), (1, "sms", "queued"),
    ]  # fmt: skip


def test_the_same_key_is_sent_once_in_a_space():
    person = make.user()
    first = make.message(Space.live(), person, key="k")
    assert make.message(Space.live(), person, make.user(), key="k") == first
    assert make.message(make.exercise(), person, key="k") != first
    assert (Message.objects.count(), Delivery.objects.count()) == (2, 2)


def test_one_journal_entry_tells_of_a_message_however_many_receive_it():
    make.message(Space.live(), *(make.user() for _ in range(5)), channels=["inapp", "sms"])
    assert Entry.objects.filter(verb="delivery.send").count() == 1


def test_in_an_exercise_the_course_is_simulated_in_its_own_time():
    space = make.exercise()
    message = make.message(space, *(make.user(organisation=make.organisation()) for _ in range(30)), channels=["sms"])
    assert message.title_zh.startswith("【演练】") and message.title_en.startswith("[EXERCISE]")
    services.pump(space)
    assert set(services.receipts(message).values_list("state", flat=True)) == {"queued"}
    make.step(space, 600)
    services.pump(space)
    rows = services.receipts(message)
    assert State.QUEUED not in {row.state for row in rows}
    assert all(make.T0 < row.sent_at < space.clock_base for row in rows)
    assert sum(row.state == "delivered" for row in rows) > 20
