"""What `send` writes (3.4.2, 3.6.5)."""

import pytest
from django.db import connection, transaction

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import User
from haitang.delivery import services
from haitang.delivery.models import Delivery, Message
from haitang.delivery.services import Recipient
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


def test_what_is_undone_is_not_said():
    with transaction.atomic():
        make.message(Space.live(), make.user(), key="k")
        transaction.set_rollback(True)
    assert not Message.objects.exists()
    assert not Entry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_can_be_said():
    with pytest.raises(RuntimeError, match="in the transaction"):
        services.send(
            space=Space.live(),
            key="k",
            to=[],
            channels=["inapp"],
            title_zh="一",
            title_en="",
            about=Space.live(),
            by=SYSTEM,
        )
    assert not connection.in_atomic_block


def test_a_person_named_twice_gets_it_once():
    person = make.user()
    message = make.message(Space.live(), person, Recipient.of(person, url="/own/"))
    assert (message.recipients, message.deliveries.count()) == (1, 1)


def test_an_unknown_channel_is_named_with_those_there_are():
    with pytest.raises(LookupError, match="no channel 'pigeon'; there are cellbroadcast, dingtalk, email"):
        make.message(Space.live(), make.user(), channels=["pigeon"])


def test_who_has_no_address_on_a_channel_is_a_failure_that_says_why():
    message = make.message(Space.live(), make.user(phone="", email=""), channels=["sms", "email"])
    assert [(d.state, d.reason, d.next_at) for d in services.receipts(message)] == [
        ("failed", "no_phone", None), ("failed", "no_email", None),
    ]  # fmt: skip


def test_contact_points_come_from_the_person_then_from_the_organisation():
    body = make.organisation(phone="021-6960000")
    message = make.message(
        Space.live(), make.user(organisation=body, phone="13800000001"), Recipient(organisation=body), Recipient(phone="13800000002", organisation=body),
        channels=["sms"],
    )  # fmt: skip
    assert [d.address for d in services.receipts(message)] == ["13800000001", "021-6960000", "13800000002"]
    assert services.receipts(message)[1].name == body.name_zh


def test_the_entry_stands_at_the_smallest_place_that_holds_all_recipients():
    district = make.place()
    east, west = make.place(parent=district), make.place(parent=district)
    there = [make.user(organisation=make.organisation(each)) for each in (east, east, west)]
    assert make.message(Space.live(), *there[:2]).place == east
    assert make.message(Space.live(), *there).place == district
    assert make.message(Space.live(), *there, make.user()).place is None


def test_sending_costs_as_many_queries_for_a_hundred_as_for_two(django_assert_max_num_queries):
    for _ in range(100):
        make.user(organisation=make.organisation(make.place()))
    make.message(Space.live(), make.user())
    for number in (2, 100):
        people = list(User.objects.exclude(organisation=None)[:number])
        with django_assert_max_num_queries(26):  # SQLite takes 35 rows at once
            make.message(Space.live(), *people, channels=["inapp", "sms", "wecom"])


def test_unread_are_the_messages_in_the_app_newest_first():
    space, person = Space.live(), make.user()
    first, second = make.message(space, person), make.message(space, person)
    make.message(make.exercise(), person)
    make.message(space, make.user())
    assert [d.message for d in services.unread(person, space)] == [second, first]
    services.mark_read(services.unread(person, space)[0], by=person)
    assert [d.message for d in services.unread(person, space)] == [first]
