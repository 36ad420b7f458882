"""Inbox, bell, outbox, message: what they show, and at what cost (3.6.5)."""

import pytest
from django.urls import reverse

from haitang.accounts.roles import Role
from haitang.delivery import services
from haitang.delivery.models import Delivery
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def officer(client, settings):
    settings.DEMO = True
    person = make.user(Role.DUTY_OFFICER, organisation=make.organisation(make.place()), is_demo=True)
    client.force_login(person)
    return person


def test_the_bell_counts_what_is_unread(client, officer, live):
    assert b"badge-count" not in client.get(reverse("delivery:bell")).content
    make.message(live, officer), make.message(live, officer)
    assert '<span class="badge-count">2</span>' in client.get(reverse("delivery:bell")).content.decode()
    assert 'id="bell"' in client.get(reverse("delivery:inbox")).content.decode()


def test_unread_stand_first_and_opening_one_reads_it(client, officer, live):
    old, new = make.message(live, officer, title_zh="旧的"), make.message(live, officer, title_zh="新的")
    services.mark_read(new.deliveries.get(), by=officer)
    page = client.get(reverse("delivery:inbox")).content.decode()
    assert page.index("旧的") < page.index("新的")
    client.get(reverse("delivery:letter", args=[old.deliveries.get().pk]))
    assert not services.unread(officer, live).exists()


def test_a_prefetching_head_request_reads_nothing(client, officer, live):
    letter = make.message(live, officer).deliveries.get()
    assert client.head(reverse("delivery:letter", args=[letter.pk])).status_code == 200
    assert services.unread(officer, live).exists()


def test_all_can_be_marked_as_read_at_once(client, officer, live):
    for _ in range(3):
        make.message(live, officer)
    other = make.user()
    make.message(live, other)
    client.post(reverse("delivery:read_all"))
    assert not services.unread(officer, live).exists() and services.unread(other, live).exists()


def test_the_outbox_counts_filters_and_searches(client, officer, live, wire):
    wire.says(422)
    make.message(
        live, make.user(organisation=officer.organisation, name_zh="王小明"), channels=["sms"], title_zh="短信一则"
    )
    make.message(live, officer, title_zh="站内一则")
    services.pump(live)

    def ask(**query):
        return client.get(reverse("delivery:outbox"), query, headers={"HX-Target": "outbox"}).content.decode()

    assert "短信一则" in ask() and "站内一则" in ask()
    assert "站内一则" not in ask(outcome="failed") and "短信一则" in ask(outcome="failed")
    assert "短信一则" not in ask(channel="inapp")
    assert "短信一则" in ask(q="王小明") and "站内一则" not in ask(q="王小明")
    assert "没有符合条件的消息" in ask(q="查无此事", outcome="nonsense", channel="\0pigeon")
    counts = client.get(reverse("delivery:outbox"), headers={"HX-Target": "outbox-counts"}).content.decode()
    assert counts.lstrip().startswith('<div class="tiles')


def test_a_list_of_many_costs_as_many_queries_as_one_of_few(client, officer, live, django_assert_max_num_queries):
    for number in range(40):
        make.message(
            live,
            officer,
            make.user(organisation=officer.organisation),
            channels=["inapp", "sms"],
            title_zh=f"第{number}条",
        )
    client.get(reverse("delivery:outbox"))
    for page, most in (("outbox", 22), ("inbox", 20)):
        with django_assert_max_num_queries(most):
            client.get(reverse(f"delivery:{page}"))
    with django_assert_max_num_queries(6):
        client.get(reverse("delivery:bell"))


def test_a_message_to_many_costs_as_many_queries_as_one_to_few(client, officer, live, django_assert_max_num_queries):
    message = make.message(
        live, *(make.user(organisation=officer.organisation) for _ in range(150)), channels=["inapp"]
    )
    url = reverse("delivery:message", args=[message.pk])
    with django_assert_max_num_queries(22):
        page = client.get(url).content.decode()
    assert page.count("已送达") >= 100
    assert "?page=2" in page


def test_simulated_deliveries_and_exercises_are_marked(client, officer, live):
    message = make.message(live, officer, channels=["sms"])
    services.pump(live)
    assert "模拟投递" in client.get(reverse("delivery:message", args=[message.pk])).content.decode()
    drill = make.message(live, officer, drill=True)
    assert "演练：未向平台外发送" in client.get(reverse("delivery:message", args=[drill.pk])).content.decode()


def test_what_failed_is_sent_again_from_the_page(client, officer, live, wire):
    wire.says(422)
    message = make.message(live, officer, channels=["sms"])
    services.pump(live)
    url = reverse("delivery:message", args=[message.pk])
    assert reverse("delivery:resend", args=[message.pk]) in client.get(url).content.decode()
    wire.says(202)
    client.post(reverse("delivery:resend", args=[message.pk]))
    services.pump(live)
    assert Delivery.objects.get().state == "sent"
    assert reverse("delivery:resend", args=[message.pk]) not in client.get(url).content.decode()


def test_words_from_outside_are_escaped(client, officer, live):
    message = make.message(live, officer, title_zh="<script>1</script>", body_zh="<img src=x>")
    for url in (reverse("delivery:message", args=[message.pk]), reverse("delivery:outbox"), reverse("delivery:inbox")):
        page = client.get(url).content.decode()
        assert "<script>1" not in page and "<img src=x>" not in page


def test_both_languages_are_complete(client, officer, live):
    make.message(live, officer)
    client.cookies["django_language"] = "en"
    page = client.get(reverse("delivery:outbox")).content.decode()
    assert "What became of it" in page and "Typhoon warning, yellow" in page


def test_unread_messages_stand_on_the_phone_until_they_are_read(client, officer, live):
    make.message(live, officer, title_zh="手机上的")
    assert "手机上的" in client.get(reverse("shell:phone")).content.decode()
    client.post(reverse("delivery:read_all"))
    assert "手机上的" not in client.get(reverse("shell:phone")).content.decode()


def test_the_profile_offers_notifications(client, officer, settings, tmp_path):
    settings.DATA = tmp_path
    page = client.get(reverse("shell:profile")).content.decode()
    assert "data-push-key=" in page and reverse("delivery:push_subscribe") in page
