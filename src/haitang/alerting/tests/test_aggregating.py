"""3.4.2: others' feeds are read when due; each warning is kept once, its chain followed, nothing forgotten or let in unseen."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from haitang.accounts.actors import SYSTEM
from haitang.alerting import aggregating, cap, cap_signature, feed_reading, fetching, inbound
from haitang.alerting.cap_signature import load_signer, make_pair, sign
from haitang.alerting.feed import FeedItem, atom, rss
from haitang.alerting.feed_reading import FeedUnreadable
from haitang.alerting.fetching import Fetched, FetchTrouble, allowed
from haitang.alerting.models import FeedSource, ReceivedWarning, Refusal, TrustedSender
from haitang.alerting.tests.samples import alert, info
from haitang.alerting.tests.test_national import FULL
from haitang.registry.declare import REGISTERS

HOME = "https://met.example.org/feed"


class Server:
    """What stands where on a server that is not there."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | Exception] = {}
        self.asked: list[str] = []

    def __call__(self, url: str, *, networks=(), etag: str = "", modified: str = "", most: int = 0) -> Fetched:
        self.asked.append(url)
        page = self.pages.get(url, FetchTrouble("the server answered 404"))
        if isinstance(page, Exception):
            raise page
        return Fetched(page, "", "", url)

    def atom(self, *messages: cap.Alert, form=atom) -> None:
        items = []
        for number, message in enumerate(messages):
            url = f"https://met.example.org/{message.identifier}.xml"
            self.pages[url] = cap.build(message)
            items.append(FeedItem(message.identifier, "t", "s", timezone.now() + timedelta(seconds=number), url, HOME, "a", "Alert", "e", "Severe"))  # fmt: skip
        self.pages[HOME] = form(
            title="f", self_url=HOME, page_url=HOME, updated=timezone.now(), items=items, language="zh"
        )


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def source(house) -> FeedSource:
    return FeedSource.objects.create(code="met", name_zh="气象局", url=HOME)


def read(source, server):
    return aggregating.read(source, by=SYSTEM, fetch=server)


def _later(message: cap.Alert, kind: str, **changes) -> cap.Alert:
    fresh = {"identifier": "99000160000000_20240915090000_0", "sent": "2024-09-15T09:00:00+08:00", "msg_type": kind}
    return alert(**{**fresh, "references": message.reference(), **changes})


@pytest.mark.parametrize("form", [atom, rss], ids=["atom", "rss"])
def test_a_feed_is_read_once_and_what_is_known_is_not_fetched_again(source, server, form):
    server.atom(alert(), form=form)
    assert read(source, server).new == 1
    got = ReceivedWarning.objects.get()
    assert (got.source, got.signature, got.headline) == (source, "unsigned", "示范区发布暴雨橙色预警")
    asked = len(server.asked)
    again = read(source, server)
    assert (again.new, again.known, len(server.asked)) == (0, 1, asked + 1)
    assert source.failures == 0 and source.next_at > timezone.now()


def test_what_a_feed_no_longer_shows_stays(source, server):
    server.atom(alert())
    read(source, server)
    server.atom()
    assert read(source, server).trouble == ""
    assert ReceivedWarning.objects.get().replaced_by is None


def test_updates_and_cancellations_are_followed_in_whatever_order_they_come(source, server):
    first = alert()
    update = _later(first, "Update")
    cancel = _later(update, "Cancel", identifier="99000160000000_20240915100000_0", sent="2024-09-15T10:00:00+08:00")
    server.atom(cancel, update, first)
    assert read(source, server).new == 3
    rows = {row.msg_type: row for row in ReceivedWarning.objects.all()}
    assert rows["Alert"].replaced_by == rows["Update"] and rows["Update"].replaced_by == rows["Cancel"]
    assert rows["Cancel"].replaced_by is None


def test_nobody_cancels_somebody_elses_warning(source, server):
    first = alert()
    server.atom(first, _later(first, "Cancel", sender="attacker"))
    read(source, server)
    assert ReceivedWarning.objects.get(msg_type="Alert").replaced_by is None


def test_the_same_warning_by_another_feed_is_linked_not_doubled(source, server):
    server.atom(alert())
    read(source, server)
    other = FeedSource.objects.create(code="city", name_zh="市平台", url="https://city.example.org/f")
    copy = alert(
        identifier="31000060000000_20240915081000_0", sender="31000060000000", sent="2024-09-15T08:10:00+08:00"
    )
    server.pages[other.url] = cap.build(copy)
    read(other, server)
    first, second = ReceivedWarning.objects.order_by("pk")
    assert second.same_as == first and first.same_as is None


def test_records_of_the_national_form_are_kept_with_what_they_were_made_from(source, server):
    other = {
        **FULL,
        "identifier": "51152741600000_20260823180000",
        "msgType": "Cancle",
        "referencesInfo": FULL["identifier"],
    }
    server.pages[HOME] = json.dumps({"code": 0, "data": {"list": [FULL, other, {"id": "x", "title": ""}]}}).encode()
    assert read(source, server).new == 2
    first, second = ReceivedWarning.objects.order_by("pk")
    assert json.loads(bytes(first.original)) == FULL and first.original_type == "application/json"
    assert first.colour == "orange" and first.replaced_by == second
    assert "NAT_LOCAL_TIME" in {row["code"] for row in first.findings}
    assert read(source, server).new == 0


def test_a_feed_that_fails_waits_longer_each_time_and_says_why(source, server):
    waits = []
    for _n in range(3):
        read(source, server)
        waits.append((source.next_at - timezone.now()).total_seconds())
    assert source.failures == 3 and "404" in source.trouble
    assert waits[0] < waits[1] < waits[2]
    server.atom(alert())
    read(source, server)
    assert (source.failures, source.trouble) == (0, "")


def test_one_bad_message_does_not_stop_the_rest_and_is_counted_once(source, server):
    server.atom(alert(), alert(identifier="99000160000000_20240915080000_1", infos=(info(headline="另一条"),)))
    server.pages["https://met.example.org/99000160000000_20240915080000_0.xml"] = b"<!DOCTYPE x><alert/>"
    outcome = read(source, server)
    assert (outcome.new, outcome.refused) == (1, 1)
    read(source, server)
    assert Refusal.objects.get().count == 1


def test_only_what_is_due_and_in_use_is_read(source, server):
    FeedSource.objects.create(code="off", name_zh="停用", url="https://off.example.org/", is_active=False)
    server.atom(alert())
    assert aggregating.read_due(fetch=server) == 1
    assert aggregating.read_due(fetch=server) == 0
    aggregating.read_now(source, by=SYSTEM)
    assert aggregating.read_due(fetch=server) == 1


# Trust.


def _trust(signer, **fields) -> TrustedSender:
    from cryptography.hazmat.primitives.serialization import Encoding

    pem = signer.certificate.public_bytes(Encoding.PEM).decode()
    given = {"code": "met", "name_zh": "气象局", "sender": "99000160000000", "certificate": pem, **fields}
    made = TrustedSender(**given)
    made.full_clean()
    made.save()
    return made


@pytest.fixture
def signer():
    return load_signer(*make_pair("met", at=timezone.now(), curve=True))


def _receive(live, data):
    return inbound.receive(space=live, data=data, by=SYSTEM)[0]


def test_trust_is_pinned_per_sender_and_the_verdict_stays(house, live, signer):
    data = sign(cap.build(alert()), signer, at=timezone.now())
    assert _receive(live, data).signature == "unknown_cert"
    trusted = _trust(signer)
    other = alert(identifier="99000160000000_20240915080000_1")
    got = _receive(live, sign(cap.build(other), signer, at=timezone.now()))
    assert (got.signature, got.signature_by) == ("valid", trusted.fingerprint)
    # The first verdict is that of its receipt; and a certificate speaks for its own sender alone.
    assert ReceivedWarning.objects.order_by("pk").first().signature == "unknown_cert"
    stranger = alert(sender="31000060000000", identifier="31000060000000_20240915080000_1")
    assert _receive(live, sign(cap.build(stranger), signer, at=timezone.now())).signature == "unknown_cert"
    TrustedSender.objects.update(is_active=False)
    third = alert(identifier="99000160000000_20240915080000_2")
    assert _receive(live, sign(cap.build(third), signer, at=timezone.now())).signature == "unknown_cert"


def test_a_forged_cancellation_is_kept_but_cancels_nothing(house, live, signer):
    _trust(signer)
    first = _receive(live, sign(cap.build(alert()), signer, at=timezone.now()))
    forged = sign(cap.build(_later(alert(), "Cancel")), signer, at=timezone.now()).replace(b"AllClear", b"None")
    unsigned = cap.build(_later(alert(), "Cancel", identifier="99000160000000_20240915090000_1"))
    broken = forged.replace("减少外出".encode(), "可以外出".encode())
    assert _receive(live, broken).signature == "bad_digest"
    assert _receive(live, unsigned).signature == "unsigned"
    first.refresh_from_db()
    assert first.replaced_by is None


@pytest.mark.parametrize("pem", ["", "nonsense", "KEY"])
def test_only_a_certificate_is_pinned(pem):
    text = make_pair("x", at=timezone.now(), curve=True)[0].decode() if pem == "KEY" else pem
    with pytest.raises(ValidationError):
        TrustedSender(code="x", name_zh="x", sender="x", certificate=text).clean()


def test_registers_of_feeds_and_trust_are_the_administrators(house, live, sign_in, signer, source):
    _trust(signer)
    client = sign_in("admin")
    for slug, key in (("feed-sources", "met"), ("trusted-senders", "met")):
        assert client.get(f"/registers/{slug}/").status_code == 200
        page = client.get(REGISTERS[slug].page_of(key))
        assert page.status_code == 200
    assert cap_signature.fingerprint(signer.certificate)[:2].upper() in page.content.decode()
    assert client.post(f"/alerting/feeds/{source.pk}/read/").status_code == 302
    client = sign_in("officer")
    assert client.get("/registers/trusted-senders/").status_code in (403, 404)
    assert client.post(f"/alerting/feeds/{source.pk}/read/").status_code in (403, 404)


def test_lists_and_pages_show_verdict_feed_and_chain(house, live, sign_in, source, server):
    first = alert()
    server.atom(first, _later(first, "Cancel"))
    read(source, server)
    client = sign_in("duty")
    listed = client.get(f"/alerting/received/?source={source.pk}").content.decode()
    assert "气象局" in listed and "未签名" in listed
    assert client.get("/alerting/received/?signature=valid").content.decode().count("data-href") == 0
    assert client.get("/alerting/received/?show=open").content.decode().count("data-href") == 0
    got = ReceivedWarning.objects.get(msg_type="Alert")
    assert str(got.replaced_by.pk) in client.get(f"/alerting/received/{got.pk}/").content.decode()


# The way out.


def _resolves_to(*addresses):
    return lambda host, port: list(addresses)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1", "0.0.0.0", "224.0.0.1", "100.64.0.1"],
)  # fmt: skip
def test_no_feed_leads_into_our_own_network(address):
    with pytest.raises(FetchTrouble, match="inner network"):
        allowed("https://feed.example.org/", resolve=_resolves_to("93.184.216.34", address))


def test_inner_networks_are_read_where_the_operator_allows_them():
    found = allowed("http://gov.example.org:9000/", ["10.0.0.0/8"], resolve=_resolves_to("10.1.2.3"))
    assert found == ("10.1.2.3", "gov.example.org", 9000)
    with pytest.raises(FetchTrouble):
        allowed("http://gov.example.org/", ["10.0.0.0/8"], resolve=_resolves_to("172.16.0.1"))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x.org/", "https://user:pw@x.org/", "https://x.org:22/", "https:///", "gopher://x", "https://x.org:99999/"]
)  # fmt: skip
def test_only_plain_web_addresses_are_read(url):
    with pytest.raises(FetchTrouble):
        allowed(url, resolve=_resolves_to("93.184.216.34"))


def test_a_redirect_is_guarded_like_the_first_address(monkeypatch):
    import httpx

    asked = []

    def answer(request):
        asked.append(str(request.url))
        return httpx.Response(302, headers={"Location": "http://inner.example.org/"})

    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **given: real(transport=httpx.MockTransport(answer), **given))
    answers = {"feed.example.org": ["93.184.216.34"], "inner.example.org": ["127.0.0.1"]}
    monkeypatch.setattr("haitang.fetching.resolve", lambda host, port: answers[host])
    with pytest.raises(FetchTrouble, match="inner network"):
        fetching.fetch("http://feed.example.org/a")
    assert asked == ["http://93.184.216.34/a"]


def test_a_body_without_end_is_cut_off(monkeypatch):
    import httpx

    real = httpx.Client
    body = httpx.MockTransport(lambda request: httpx.Response(200, content=iter([b"x" * 1000] * 10)))
    monkeypatch.setattr(httpx, "Client", lambda **given: real(transport=body, **given))
    monkeypatch.setattr("haitang.fetching.resolve", lambda host, port: ["93.184.216.34"])
    with pytest.raises(FetchTrouble, match="larger"):
        fetching.fetch("http://feed.example.org/a", most=5000)


@pytest.mark.parametrize(
    "data",
    [b"", b"<html/>", b"<!DOCTYPE x [<!ENTITY a 'b'>]><feed/>", b"{", b'{"a": {"b": 1}}', b"<feed>" * 100],
)
def test_what_is_no_feed_is_said_to_be_none(data):
    with pytest.raises(FeedUnreadable):
        feed_reading.read(data, base=HOME)


def test_messages_inside_an_envelope_are_taken_out():
    inside = cap.build(alert()).split(b"?>", 1)[1]
    found = feed_reading.read(b"<EDXLDistribution xmlns='x'><c>" + inside + b"</c></EDXLDistribution>", base=HOME)
    assert [cap.parse(one)[0] for one in found.messages] == [alert()]
