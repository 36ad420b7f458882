"""Who sees which messages and deliveries, on pages, in the export and over the API (P1, scope)."""

import csv
import io

import pytest
from django.urls import reverse

from haitang.accounts import tokens
from haitang.accounts.models import ApiToken, PersonalRead
from haitang.accounts.roles import OFFICIALS, Role
from haitang.delivery import services
from haitang.delivery.models import Delivery, Message
from haitang.delivery.services import Recipient
from haitang.delivery.tests import factories as make
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(settings, live):
    """A district with two townships; a message to both, and one to the west alone."""
    settings.DEMO = True
    district = make.place()
    places = {"east": make.place(parent=district), "west": make.place(parent=district)}
    bureau = make.organisation(district)
    bodies = {name: make.organisation(place, parent=bureau) for name, place in places.items()}
    people = {
        name: make.user(organisation=body, phone=f"1380000000{n}", is_demo=True)
        for n, (name, body) in enumerate(bodies.items(), 1)
    }
    people["officer"] = make.user(Role.DUTY_OFFICER, organisation=bureau, is_demo=True)
    people["works"] = make.user(Role.ENTERPRISE, organisation=make.organisation(places["east"]))
    both = make.message(
        live, people["east"], people["west"], channels=["inapp", "sms"], title_zh="给两镇", by=people["officer"]
    )
    west = make.message(live, people["west"], people["works"], channels=["sms"], title_zh="给西镇")
    return {**people, "both": both, "to_west": west, "bodies": bodies}


def seen(user, model=Message):
    return set(model.objects.visible_to(user).values_list("pk", flat=True))


def test_a_township_sees_what_was_said_to_its_people_and_nothing_of_the_other_s(world):
    assert seen(world["east"]) == {world["both"].pk, world["to_west"].pk}  # the works lie in the east
    assert {d.organisation for d in Delivery.objects.visible_to(world["east"])} == {
        world["bodies"]["east"],
        world["works"].organisation,
    }
    assert seen(world["officer"]) == {world["both"].pk, world["to_west"].pk}
    assert seen(world["officer"], Delivery) == set(Delivery.objects.values_list("pk", flat=True))


def test_an_enterprise_sees_its_own_deliveries(world):
    assert {d.user for d in Delivery.objects.visible_to(world["works"])} == {world["works"]}


def test_the_pages_show_it_so(client, world):
    client.force_login(world["east"])
    page = client.get(reverse("delivery:message", args=[world["both"].pk])).content.decode()
    assert world["east"].name_zh in page and world["west"].name_zh not in page
    assert client.get(reverse("delivery:outbox")).status_code == 200


def test_contact_points_are_masked_and_who_asks_for_them_is_noted(client, world):
    url = reverse("delivery:message", args=[world["both"].pk])
    client.force_login(world["officer"])
    page = client.get(url).content.decode()
    assert "13800000001" not in page and "138****0001" in page
    assert not PersonalRead.objects.exists()
    assert "13800000001" in client.get(f"{url}?contacts=1").content.decode()
    read = PersonalRead.objects.get()
    assert (read.reader, read.subject_id, read.count) == (world["officer"], str(world["both"].pk), 4)
    client.force_login(world["east"])
    assert "13800000001" not in client.get(f"{url}?contacts=1").content.decode()
    assert PersonalRead.objects.count() == 1


def test_a_person_s_own_link_is_shown_to_nobody_else(client, world, live):
    message = make.message(live, Recipient.of(world["east"], url="/o/very-own-token/"), channels=["inapp", "sms"])
    for name in ("officer", "west"):
        client.force_login(world[name])
        for url in (
            reverse("delivery:message", args=[message.pk]),
            f"/api/v1/delivery/messages/{message.pk}/deliveries",
            reverse("delivery:export"),
        ):
            answer = client.get(url)
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert b"very-own-token" not in body
    client.force_login(world["east"])
    letter = services.unread(world["east"], live)[0]
    assert b"very-own-token" in client.get(reverse("delivery:letter", args=[letter.pk])).content


@pytest.mark.parametrize("role", sorted(Role))
def test_the_outbox_is_for_officials(client, settings, role):
    settings.DEMO = True
    client.force_login(make.user(role, organisation=make.organisation(make.place()), is_demo=True))
    for name in ("outbox", "export"):
        assert client.get(reverse(f"delivery:{name}")).status_code == (200 if role in OFFICIALS else 403)
    assert client.get(reverse("delivery:inbox")).status_code == 200


def test_nobody_opens_another_s_letter(client, world, live):
    letter = services.unread(world["east"], live)[0]
    for name in ("west", "officer"):
        client.force_login(world[name])
        assert client.get(reverse("delivery:letter", args=[letter.pk])).status_code == 404
    letter.refresh_from_db()
    assert letter.read_at is None


@pytest.mark.parametrize("name", ["inbox", "outbox", "export", "hooks", "bell"])
def test_without_signing_in_there_is_only_the_sign_in_page(client, db, name):
    assert client.get(reverse(f"delivery:{name}")).status_code == 302


def test_another_world_s_messages_are_not_shown(client, world):
    client.force_login(world["officer"])
    other = make.message(make.exercise(), world["officer"])
    assert client.get(reverse("delivery:message", args=[other.pk])).status_code == 404
    session = client.session
    session["space"] = other.space_id
    session.save()
    assert client.get(reverse("delivery:message", args=[other.pk])).status_code == 200
    assert client.get(reverse("delivery:message", args=[world["both"].pk])).status_code == 404


# -- export -----------------------------------------------------------------------------------------------------


def exported(client, **query):
    answer = client.get(reverse("delivery:export"), query)
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_the_export_holds_what_the_reader_sees_masked_and_notes_the_reading(client, world):
    client.force_login(world["officer"])
    rows = exported(client)
    assert len(rows) == 1 + Delivery.objects.count()
    text = str(rows)
    assert "138****0001" in text and "13800000001" not in text and "13800000002" not in text
    assert PersonalRead.objects.get().count == Delivery.objects.count()
    client.force_login(world["west"])
    assert {row[1] for row in exported(client)[1:]} == {world["west"].name_zh}


def test_the_export_follows_the_filters(client, world, live):
    services.pump(live)
    client.force_login(world["officer"])
    assert {row[3] for row in exported(client, channel="sms", outcome="sent")[1:]} == {"短信"}
    assert exported(client, q="没有这样的标题")[1:] == []


def test_a_cell_that_begins_like_a_formula_is_harmless(client, world, live):
    make.message(
        live,
        Recipient(name="=HYPERLINK(1)", phone="+8613800000077", organisation=world["bodies"]["east"]),
        channels=["sms"],
        title_zh="@SUM(A1)",
    )
    client.force_login(world["officer"])
    row = next(row for row in exported(client) if "HYPERLINK" in row[1])
    assert row[0] == "'@SUM(A1)" and row[1] == "'=HYPERLINK(1)" and row[4].startswith("'+86")


# -- the API ----------------------------------------------------------------------------------------------------


def test_the_api_lists_and_details_what_is_in_reach(client, world, live):
    services.pump(live)
    client.force_login(world["officer"])
    found = client.get("/api/v1/delivery/messages").json()
    assert [each["title_zh"] for each in found] == ["给西镇", "给两镇"]
    assert found[1]["counts"] == {"waiting": 0, "sent": 2, "reached": 2, "failed": 0, "blocked": 0}
    detail = client.get(f"/api/v1/delivery/messages/{world['both'].pk}").json()
    assert detail["body_zh"] == "请做好防御准备。"
    rows = client.get(f"/api/v1/delivery/messages/{world['both'].pk}/deliveries").json()
    assert len(rows) == 4 and {row["address"] for row in rows} >= {"138****0001"}
    client.force_login(world["west"])
    rows = client.get(f"/api/v1/delivery/messages/{world['both'].pk}/deliveries").json()
    assert {row["name"] for row in rows} == {world["west"].name_zh}
    assert client.get("/api/v1/delivery/messages/99999999999999999999").status_code in {404, 422}
    client.force_login(world["works"])
    assert client.get("/api/v1/delivery/messages").status_code == 403


def test_a_token_reads_only_its_own_space_and_only_with_the_right(client, world, live):
    def ask(space, rights):
        secret = tokens.new_secret()
        ApiToken.objects.create(
            name="t", digest=tokens.digest(secret), user=world["officer"], space=space, rights=rights
        )
        return client.get("/api/v1/delivery/messages", headers={"Authorization": f"Bearer {secret}"})

    assert len(ask(live, ["read"]).json()) == 2
    assert ask(make.exercise(), ["read"]).json() == []
    assert ask(live, ["readings:write"]).status_code == 403


def test_the_api_can_be_narrowed(client, world, live):
    client.force_login(world["officer"])
    ask = lambda **query: [each["title_zh"] for each in client.get("/api/v1/delivery/messages", query).json()]  # noqa: E731
    assert ask(q="西镇") == ["给西镇"]
    assert ask(channel="inapp") == ["给两镇"]
    assert ask(outcome="reached") == ["给两镇"]
    assert ask(outcome="failed") == []
    assert client.get("/api/v1/delivery/messages", {"outcome": "eaten"}).status_code == 422
    assert ask(q="\0") == ["给西镇", "给两镇"]
    assert {each["name"] for each in client.get("/api/v1/delivery/channels").json()} >= {"sms", "loudspeaker"}


def test_spaces_are_apart(world, live):
    assert not Message.objects.visible_to(world["officer"]).filter(space__in=Space.objects.exclude(pk=live.pk)).exists()
