"""3.4.2, 3.3.3: everybody reads the warnings in force, as a page, as CAP and as a feed; nobody reads an exercise there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from haitang.alerting import cap, composing, dissemination, services, subscriptions
from haitang.alerting.models import Audience, CapScope, MsgType, State, Status, Subscription, Warning
from haitang.alerting.tests import factories as make
from haitang.delivery.models import Delivery, Message

ATOM = "{http://www.w3.org/2005/Atom}"


def text(answer) -> str:
    return answer.content.decode()


def test_with_nothing_in_force_the_page_says_so(house, client):
    assert "当前无生效预警" in text(client.get("/public/"))


def test_a_warning_stands_on_the_page_with_what_to_do_and_where(house, live, client):
    warning = make.published(house, live, places=[house.east, house.west])
    home = text(client.get("/public/"))
    assert warning.headline_zh in home and "减少外出" in home and "东镇、西镇" in home
    page = text(client.get(f"/public/warnings/{warning.pk}/"))
    assert warning.description_zh in page and "990001" not in page and "own.area" in page
    english = client.get("/public/", headers={"Cookie": "django_language=en"})
    assert warning.headline_en in text(english)


def test_the_gravest_stands_first(house, live, client):
    make.published(house, live, colour="blue")
    make.published(house, live, colour="red", kind=house.surge)
    home = text(client.get("/public/"))
    assert home.index("风暴潮红色") < home.index("台风蓝色")


def test_an_ended_warning_leads_to_what_followed(house, live, client):
    first = make.published(house, live)
    second = make.follow(house, services.update(first, by=house.duty, colour="red"))
    page = text(client.get(f"/public/warnings/{first.pk}/"))
    assert "已不在生效中" in page and f"/public/warnings/{second.pk}/" in page
    third = make.follow(house, services.cancel(second, by=house.duty))
    home = text(client.get("/public/"))
    assert "当前无生效预警" in home and second.headline_zh in home
    assert "本条为解除此前的预警" in text(client.get(f"/public/warnings/{third.pk}/"))


def test_the_cap_message_is_served_byte_for_byte(house, live, client):
    warning = make.published(house, live)
    answer = client.get(f"/public/warnings/{warning.pk}/cap.xml")
    assert answer.content == bytes(Warning.objects.get(pk=warning.pk).cap_xml)
    assert answer["Content-Type"] == "application/cap+xml" and warning.sha256 in answer["ETag"]


def test_the_feed_carries_every_message_with_its_cap_link(house, live, client):
    first = make.published(house, live)
    second = make.follow(house, services.update(first, by=house.duty))
    answer = client.get("/public/warnings.atom")
    root = etree.fromstring(answer.content)
    entries = root.findall(f"{ATOM}entry")
    assert [entry.find(f"{ATOM}title").text for entry in entries] == [second.headline_zh, first.headline_zh]
    links = [
        link.get("href")
        for entry in entries
        for link in entry.findall(f"{ATOM}link")
        if link.get("type") == "application/cap+xml"
    ]
    assert links == [f"http://testserver/public/warnings/{pk}/cap.xml" for pk in (second.pk, first.pk)]
    for link in links:
        message, findings = cap.parse(client.get(link.removeprefix("http://testserver")).content)
        assert not cap.errors(findings + cap.validate(message))
    assert (
        client.get("/public/warnings.atom", headers={"If-Modified-Since": answer["Last-Modified"]}).status_code == 304
    )


def test_an_empty_feed_is_a_feed(house, client):
    root = etree.fromstring(client.get("/public/warnings.atom").content)
    assert root.find(f"{ATOM}updated").text and not root.findall(f"{ATOM}entry")


@pytest.mark.parametrize("step", ["draft", "submitted", "approved"])
def test_what_is_not_published_is_not_there(house, live, client, step):
    warning = make.draft(house, live)
    if step != "draft":
        services.submit(warning, by=house.duty)
    if step == "approved":
        services.approve(warning, by=house.chief)
    assert warning.headline_zh not in text(client.get("/public/"))
    for path in ("", "cap.xml"):
        assert client.get(f"/public/warnings/{warning.pk}/{path}").status_code == 404


def test_a_warning_for_the_officials_only_is_not_there(house, live, client):
    warning = make.published(house, live, audiences=[Audience.RESPONSIBLE], cap_scope=CapScope.RESTRICTED)
    assert client.get(f"/public/warnings/{warning.pk}/").status_code == 404
    assert warning.headline_zh not in text(client.get("/public/"))
    assert not Delivery.objects.filter(channel="loudspeaker").exists()


_fields = st.fixed_dictionaries(
    {
        "state": st.sampled_from(State.values),
        "status": st.sampled_from(Status.values),
        "cap_scope": st.sampled_from(CapScope.values),
        "msg_type": st.sampled_from(MsgType.values),
        "colour": st.sampled_from(["red", "orange", "yellow", "blue"]),
        "audiences": st.lists(st.sampled_from(Audience.values), unique=True),
        "is_live": st.booleans(),
    }
)


@given(fields=_fields)
@settings(max_examples=24, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_exercise_is_ever_public_whatever_its_fields_say(house, live, exercise, client, fields):
    """The page, the warning's own page, CAP, feed, map and API, for somebody who has not signed in.

    The rows are written past the services, as a fault of the program would: only an Actual, Public, published one meant
    for the public page in the live space may be seen.
    """
    Warning.objects.all().delete()
    is_live = fields.pop("is_live")
    may_be_seen = (
        is_live
        and fields["status"] == "Actual"
        and fields["cap_scope"] == "Public"
        and Audience.PUBLIC in fields["audiences"]
        and fields["state"] in ("published", "updated", "cancelled", "expired")
    )
    now = timezone.now()
    warning = Warning(
        space=live if is_live else exercise, identifier="990000_1", kind=house.typhoon, urgency="Expected", certainty="Likely", place=house.root,
        owner=house.centre, headline_zh="绝密标题", description_zh="绝密内容", expires=now + timedelta(hours=3), composed_at=now,
        published_at=now, cap_xml=b"<secret/>", geometry="121.7,31.3", **fields,
    )  # fmt: skip
    warning.save()
    warning.areas.create(place=house.east)
    paths = [f"/public/warnings/{warning.pk}/", f"/public/warnings/{warning.pk}/cap.xml"]
    opened = [client.get(path).status_code == 200 for path in paths]
    assert not any(opened) or may_be_seen
    lists = [
        "/public/",
        "/public/warnings.atom",
        "/onemap/layers/alerting.warnings.geojson",
        "/onemap/layers/alerting.drawn.geojson",
    ]
    shown = ["绝密标题" in text_of(client.get(path)) for path in lists]
    assert not any(shown) or may_be_seen
    assert client.get("/api/v1/alerting/warnings").status_code == 401
    assert not Warning.objects.visible_to(house.resident).filter(pk=warning.pk).exists() or may_be_seen
    assert warning.may_reach_public == (is_live and fields["status"] == "Actual" and fields["cap_scope"] == "Public")
    if may_be_seen and fields["msg_type"] != "Cancel" and fields["state"] == "published":
        assert all(opened) and all(shown)


def text_of(answer) -> str:
    return (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()


@given(status=st.sampled_from(["Exercise", "Test", "System", "Draft"]), audiences=st.lists(st.sampled_from(Audience.values), unique=True), scope=st.sampled_from(CapScope.values))  # fmt: skip
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_exercise_is_sent_to_the_public_even_past_the_services(house, live, exercise, status, audiences, scope):
    """Whatever stands in the row, `send_out` itself sends nothing to residents or loudspeakers."""
    Subscription.objects.get_or_create(place=house.east, phone="13900000000")
    for space in (live, exercise):
        warning = make.draft(
            house, space, status=status if space is live else "Exercise", audiences=[Audience.RESPONSIBLE]
        )
        Warning.objects.filter(pk=warning.pk).update(audiences=audiences, cap_scope=scope)
        warning.refresh_from_db()
        dissemination.send_out(warning, by=house.duty)
    public = Delivery.objects.filter(message__about_type="alerting.warning")
    assert not public.filter(channel="loudspeaker").exists() and not public.filter(user=None).exists()
    # In the live space a test is a drill: nothing of it ever reaches a transport.
    assert not Message.objects.filter(about_type="alerting.warning", is_drill=False).exists()


def test_a_resident_asks_to_be_told_and_is(house, live, client):
    answer = client.post("/public/subscribe/", {"place": "990001", "phone": "+86 138-0000 0001", "email": "", "language": "zh-hans"}, follow=True)  # fmt: skip
    assert "东镇发布预警时将通知您" in text(answer)
    assert Subscription.objects.get().phone == "13800000001"
    client.post("/public/subscribe/", {"place": "990001", "phone": "13800000001", "language": "zh-hans"})
    assert Subscription.objects.count() == 1
    far = Subscription.objects.create(place=house.west, phone="13800000002")
    all_over = Subscription.objects.create(place=house.root, email="a@example.org", language="en")
    warning = make.published(house, live)
    told = Delivery.objects.filter(message__key__startswith=f"alerting.warning:{warning.pk}:residents")
    assert sorted(told.values_list("channel", "address")) == [("email", "a@example.org"), ("sms", "13800000001")]
    assert far.phone not in told.values_list("address", flat=True)
    assert told.get(channel="email").url.endswith(f"/public/warnings/{warning.pk}/?s={subscriptions.token(all_over)}")
    assert told.get(channel="sms").message.body_zh == warning.instruction_zh


def test_the_link_in_the_message_ends_the_subscription_and_forgets_the_number(house, live, client):
    row = Subscription.objects.create(place=house.east, phone="13800000001")
    warning = make.published(house, live)
    key = subscriptions.token(row)
    assert f"/public/unsubscribe/{key}/" in text(client.get(f"/public/warnings/{warning.pk}/?s={key}"))
    assert f"/public/unsubscribe/{key}/" not in text(client.get(f"/public/warnings/{warning.pk}/?s={key[:-1]}"))
    assert client.get(f"/public/unsubscribe/{key}/").status_code == 200
    row.refresh_from_db()
    assert row.ended_at is None  # looking ends nothing: mail scanners look
    client.post(f"/public/unsubscribe/{key}/")
    row.refresh_from_db()
    assert (row.phone, row.email) == ("", "") and row.ended_at
    assert "您已退订" in text(client.get(f"/public/unsubscribe/{key}/"))
    assert client.post(f"/public/unsubscribe/{key[:-2]}xx/").status_code == 404


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"place": "990001"}, "请填写手机号码或电子邮箱"),
        ({"place": "990001", "phone": "12345"}, "请填写 11 位数字"),
        ({"place": "nowhere", "phone": "13800000001"}, "选择一个有效的选项"),
    ],
)
def test_a_wrong_subscription_says_what_is_wrong(house, client, given, says):
    answer = client.post("/public/subscribe/", {"language": "zh-hans", **given})
    assert answer.status_code == 422 and says in text(answer)
    assert not Subscription.objects.exists()


def test_nobody_enters_a_telephone_book(house, client):
    codes = [client.post("/public/subscribe/", {"place": "990001", "phone": f"138000000{n:02d}", "language": "en"}).status_code for n in range(12)]  # fmt: skip
    assert codes == [302] * 10 + [429] * 2


def test_the_loudspeakers_of_the_townships_are_addressed(house, live):
    warning = make.published(house, live, places=[house.east, house.middle])
    rows = Delivery.objects.filter(message__key=f"alerting.warning:{warning.pk}:loudspeaker")
    told = sorted(rows.values_list("organisation__code", "channel"))
    assert told == [(body, way) for body in "EM" for way in ("loudspeaker", "screen")]
    shown = [one for one in composing.previews(warning, due=None) if one.channel == "loudspeaker"]
    assert rows.first().message.body_zh == shown[0].text


def test_the_public_home_costs_the_same_for_one_warning_as_for_ten(house, live, client, django_assert_max_num_queries):
    for n in range(10):
        make.published(house, live, kind=house.surge if n % 2 else house.typhoon)
    with django_assert_max_num_queries(9):
        client.get("/public/")
