"""Where a press answers, where it does not, and what the receipts learn of it. 3.4.2."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from haitang.accounts.verbs import Refused
from haitang.delivery.models import Delivery, Message
from haitang.obligations import links, services
from haitang.obligations.kinds import KINDS, Kind, add_kind
from haitang.obligations.tests import factories as make

LADDER = ({"to": "responsible", "channels": ["inapp", "sms"]},)


def states() -> dict[tuple[str, str], str]:
    return {(row.user.username, row.channel): row.state for row in Delivery.objects.select_related("user")}


@pytest.fixture
def decided_elsewhere() -> Any:
    add_kind(Kind(id="test.decide", label="Decide", elsewhere=True, done_label="Read and decide", may_refuse=False))
    yield "test.decide"
    del KINDS["test.decide"]


def test_a_press_in_the_app_is_a_receipt_of_the_app(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space, ladder=LADDER)
    services.run_due(house.space)
    Delivery.objects.filter(channel="sms").update(state="delivered")
    services.complete(row, by=house.mayor)
    assert states() == {("mayor", "inapp"): "answered", ("mayor", "sms"): "delivered"}


def test_an_answer_by_link_is_a_receipt_of_what_carried_the_link(house: SimpleNamespace, client: Any) -> None:
    row = make.issue(house.east, house.space, kind="test.answer", ladder=LADDER)
    services.run_due(house.space)
    Delivery.objects.filter(channel="sms").update(state="sent")
    client.post(urlsplit(Delivery.objects.get(channel="sms").url).path)
    row.refresh_from_db()
    assert row.state == "done"
    assert states() == {("mayor", "inapp"): "delivered", ("mayor", "sms"): "answered"}


def test_what_is_decided_on_its_own_page_is_not_answered_by_a_press(
    house: SimpleNamespace, signed_in: Any, client: Any, decided_elsewhere: str
) -> None:  # fmt: skip
    row = make.issue(house.east, house.space, kind=decided_elsewhere, url="/alerting/warnings/7/")
    desk = signed_in("mayor")
    for page in (
        "/obligations/",
        f"/obligations/{row.pk}/",
        f"/obligations/m/{row.pk}/",
        "/desk/card/obligations.mine/",
        "/m/card/obligations.mine/",
    ):
        text = desk.get(page).content.decode()
        assert 'href="/alerting/warnings/7/"' in text and f"/obligations/{row.pk}/done/" not in text, page
    desk.post(f"/obligations/{row.pk}/done/")
    link = urlsplit(links.make(row, house.mayor)).path
    assert client.post(link, {"do": "done"}).status_code == 409
    assert 'href="/alerting/warnings/7/"' in client.get(link).content.decode()
    row.refresh_from_db()
    assert row.state == "issued"
    assert services.complete(row, by=house.mayor).state == "done"  # by the slice's own verb


def test_a_drill_in_the_live_world_reaches_no_transport(house: SimpleNamespace) -> None:
    from haitang.spaces.models import Space

    for drill in (True, False):
        make.issue(house.east, Space.live(), due=None, ladder=LADDER, data={"drill": drill})
    services.run_due(Space.live())
    assert list(Message.objects.order_by("pk").values_list("is_drill", flat=True)) == [True, False]


def test_a_listener_that_refuses_undoes_the_answer(house: SimpleNamespace) -> None:
    from haitang.journal.signals import entry_written

    def refuse(sender: object, entry: Any, **_: Any) -> None:
        if entry.verb == "obligations.done":
            raise Refused("not so")

    row = make.issue(house.east, house.space)
    entry_written.connect(refuse)
    try:
        with pytest.raises(Refused):
            services.complete(row, by=house.mayor, photos=[make.photo()])
    finally:
        entry_written.disconnect(refuse)
    row.refresh_from_db()
    assert row.state == "issued" and row.evidence.count() == 0
