"""The one desk: list, detail, cards, wall and phone show each what is his, red on top, at a fixed number of queries. P1, 3.2.1."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from haitang.obligations import services
from haitang.obligations.models import Obligation
from haitang.obligations.tests import factories as make


def titles(page: Any) -> list[str]:
    return [row.title_zh for row in page.context["page"]]


def test_the_overdue_stand_on_top_then_red_then_by_due_time(house: SimpleNamespace, signed_in: Any) -> None:
    for title, due, colour in (("迟", 50, ""), ("早", 20, ""), ("红", 60, "red"), ("过", 5, ""), ("无期", None, "")):
        make.issue(house.east, house.space, title_zh=title, due=due, colour=colour)
    make.step(house.space, 10)
    services.run_due(house.space)
    assert titles(signed_in("mayor").get("/obligations/")) == ["过", "红", "早", "迟", "无期"]


def test_tabs_filters_and_search(house: SimpleNamespace, signed_in: Any) -> None:
    make.issue(house.east, house.space, title_zh="转移")
    make.issue(house.village, house.space, title_zh="巡堤", kind="test.answer")
    make.issue(house.works, house.space, title_zh="停工")
    services.complete(make.issue(house.east, house.space, title_zh="会商"), by=house.mayor)
    client = signed_in("mayor")

    def shown(query: str) -> set[str]:
        return set(titles(client.get(f"/obligations/?{query}")))

    assert shown("") == {"转移"}
    assert shown("tab=organisation") == {"转移", "巡堤"}
    assert shown("tab=all") == {"转移", "巡堤", "停工"}
    assert shown("tab=all&status=any") == {"转移", "巡堤", "停工", "会商"}
    assert shown("tab=all&status=closed") == {"会商"}
    assert shown("tab=all&kind=test.answer") == {"巡堤"}
    assert shown("tab=all&q=V办") == {"巡堤"}
    assert shown("tab=nonsense&status=nonsense&page=x") == {"转移"}
    assert client.get("/obligations/?q=nothing").status_code == 200


def test_what_waits_for_a_decision_is_the_deciders(house: SimpleNamespace, signed_in: Any) -> None:
    services.refuse(
        make.issue(house.east, house.space, title_zh="退回", by=house.officer), by=house.mayor, reason="没有船"
    )
    services.complete(make.issue(house.east, house.space, title_zh="待确认", kind="test.check"), by=house.mayor)
    services.refuse(make.issue(house.east, house.space, title_zh="平台下达"), by=house.mayor, reason="没有船")
    assert titles(signed_in("officer").get("/obligations/")) == ["退回"]
    assert set(titles(signed_in("duty").get("/obligations/"))) == {"待确认", "平台下达"}
    assert titles(signed_in("mayor").get("/obligations/")) == []


def test_the_list_costs_the_same_for_a_thousand_rows_as_for_ten(
    house: SimpleNamespace, signed_in: Any, django_assert_max_num_queries: Any
) -> None:
    client = signed_in("duty")
    client.get("/obligations/?tab=all")
    rows = [
        make.issue(body, house.space) for body in (house.east, house.west, house.village, house.water) for _ in range(3)
    ]
    Obligation.objects.bulk_create([_copy(rows[number % len(rows)]) for number in range(200)])
    with django_assert_max_num_queries(14):
        assert len(client.get("/obligations/?tab=all").context["page"]) == 50


def _copy(row: Obligation) -> Obligation:
    row = Obligation.objects.get(pk=row.pk)
    row.pk = None
    return row


def test_pressing_a_button_does_it_and_comes_back(house: SimpleNamespace, signed_in: Any) -> None:
    row = make.issue(house.east, house.space)
    client = signed_in("mayor")
    answer = client.post(f"/obligations/{row.pk}/receive/", {"next": "/obligations/?tab=all"})
    assert answer.url == "/obligations/?tab=all"
    client.post(f"/obligations/{row.pk}/start/", {"next": "//evil.example/"})
    client.post(f"/obligations/{row.pk}/remark/", {"text": "在路上"})
    client.post(f"/obligations/{row.pk}/evidence/", {"photos": make.photo(), "note": "村口"})
    client.post(f"/obligations/{row.pk}/done/", {"note": "好了", "photos": make.photo("b.png", make.PNG)})
    row.refresh_from_db()
    assert (row.state, row.done_note, row.evidence.count()) == ("done", "好了", 2)
    assert client.post(f"/obligations/{row.pk}/nonsense/").status_code == 404
    assert client.get(f"/obligations/{row.pk}/done/").status_code == 405


def test_the_duty_room_reopens_for_another_and_withdraws(house: SimpleNamespace, signed_in: Any) -> None:
    row = services.refuse(make.issue(house.east, house.space), by=house.mayor, reason="没有船")
    client = signed_in("duty")
    client.post(
        f"/obligations/{row.pk}/reopen/", {"reason": "改派", "owner": house.west.pk, "due_at": "2024-09-15T10:00"}
    )
    row.refresh_from_db()
    assert (row.owner, row.due_at) == (house.west, make.at(120))  # ten o'clock in Shanghai
    client.post(f"/obligations/{row.pk}/withdraw/", {"reason": ""})
    row.refresh_from_db()
    assert row.state == "withdrawn"


@pytest.mark.parametrize("name", ["western", "resident", "safety"])
def test_outside_ones_reach_there_is_nothing(house: SimpleNamespace, signed_in: Any, name: str) -> None:
    row = make.issue(house.east, house.space)
    client = signed_in(name)
    assert client.get(f"/obligations/{row.pk}/").status_code == 404
    assert client.get(f"/obligations/m/{row.pk}/").status_code == 404
    assert client.post(f"/obligations/{row.pk}/done/").status_code == 404
    assert row.title_zh not in client.get("/obligations/?tab=all").content.decode()


def test_who_sees_but_may_not_answer_has_no_button_and_is_forbidden(house: SimpleNamespace, signed_in: Any) -> None:
    row = make.issue(house.east, house.space)
    client = signed_in("officer")
    assert f"/obligations/{row.pk}/receive/" not in client.get(f"/obligations/{row.pk}/").content.decode()
    assert client.post(f"/obligations/{row.pk}/receive/").status_code == 403


def test_visitors_are_sent_to_sign_in(house: SimpleNamespace, client: Any) -> None:
    row = make.issue(house.east, house.space)
    for path in ("/obligations/", f"/obligations/{row.pk}/", f"/obligations/m/{row.pk}/", "/obligations/export.csv"):
        assert "/accounts/login/" in client.get(path).url


def test_the_page_tells_what_happened_and_who_was_told(house: SimpleNamespace, signed_in: Any) -> None:
    row = make.issue(house.east, house.space, ladder=[{"to": "responsible", "channels": ["inapp"]}])
    services.run_due(house.space)
    services.complete(row, by=house.mayor, note="已转移 32 人", photos=[make.photo()])
    text = signed_in("duty").get(f"/obligations/{row.pk}/").content.decode()
    assert "已转移 32 人" in text and "mayor同志" in text and row.evidence.get().get_absolute_url() in text
    assert row.title_zh in signed_in("mayor").get(f"/obligations/m/{row.pk}/").content.decode()


def test_a_page_shows_the_world_its_obligation_belongs_to(house: SimpleNamespace, signed_in: Any) -> None:
    """A link from a message of an exercise opens marked as exercise, also for who looks at the live world."""
    row = make.issue(house.east, house.space)
    client = signed_in("mayor")
    session = client.session
    del session["space"]
    session.save()
    assert house.space.name in client.get(f"/obligations/{row.pk}/").content.decode()
    assert titles(client.get("/obligations/")) == []


def test_the_export_is_what_is_seen_and_no_formula(house: SimpleNamespace, signed_in: Any) -> None:
    make.issue(house.east, house.space, title_zh="=HYPERLINK(1)")
    make.issue(house.west, house.space, title_zh="西边的事")
    text = b"".join(signed_in("mayor").get("/obligations/export.csv?tab=all").streaming_content).decode()
    assert text.startswith("\ufeffid,") and "'=HYPERLINK(1)" in text and "西边的事" not in text


def test_the_desk_card_rings_for_red_and_counts_what_is_overdue_in_the_area(
    house: SimpleNamespace, signed_in: Any
) -> None:
    row = make.issue(house.east, house.space, colour="red")
    make.issue(house.west, house.space, due=5)
    text = signed_in("mayor").get("/desk/card/obligations.mine/").content.decode()
    assert f'data-alert="red" data-key="obligation-{row.pk}-0"' in text
    make.step(house.space, 40)
    services.run_due(house.space)
    assert (
        f'data-key="obligation-{row.pk}-0-over"'
        in signed_in("mayor").get("/desk/card/obligations.mine/").content.decode()
    )
    assert "status=overdue" in signed_in("duty").get("/desk/card/obligations.mine/").content.decode()


def test_the_phone_answers_by_one_press(house: SimpleNamespace, signed_in: Any) -> None:
    row = make.issue(house.east, house.space, kind="test.answer")
    client = signed_in("mayor")
    assert f"/obligations/{row.pk}/done/" in client.get("/m/card/obligations.mine/").content.decode()
    assert client.post(f"/obligations/{row.pk}/done/", {"next": "/m/"}).url == "/m/"
    row.refresh_from_db()
    assert row.state == "done"


def test_the_wall_counts_the_silent_by_organisation(house: SimpleNamespace, signed_in: Any) -> None:
    for _ in range(2):
        make.issue(house.east, house.space, due=5)
    make.issue(house.west, house.space)
    services.complete(make.issue(house.west, house.space), by=house.western)
    make.step(house.space, 6)
    services.run_due(house.space)
    text = signed_in("duty").get("/wall/card/obligations.unanswered/").content.decode()
    assert text.index("东港镇") < text.index("西港镇") and 'class="wall-number">3<' in text


def test_rows_can_be_shown_on_every_slices_page(house: SimpleNamespace, rf: Any) -> None:
    from django.template import Context, Template

    make.issue(house.east, house.space)
    request = rf.get("/incidents/7/")
    request.user = house.mayor
    rows = services.open_for(house.mayor, house.space)
    html = Template("{% load obligations %}{% obligations rows owner=False %}").render(
        Context({"rows": rows, "request": request})
    )
    assert "/receive/" in html and 'value="/incidents/7/"' in html
    assert "empty" in Template("{% load obligations %}{% obligations rows %}").render(
        Context({"rows": rows.none(), "request": request})
    )


def test_a_row_offers_the_next_step_and_not_every_step(house: SimpleNamespace, signed_in: Any) -> None:
    make.issue(house.east, house.space, title_zh="在办")
    services.refuse(
        make.issue(house.east, house.space, title_zh="退回", by=house.duty), by=house.mayor, reason="没有船"
    )
    started = services.start(make.issue(house.east, house.space, title_zh="开始了"), by=house.mayor)
    duty = signed_in("duty").get("/obligations/?tab=all").content.decode()
    assert "重新下达" in duty and "撤回" not in duty and "没有船" in duty
    mayor = signed_in("mayor").get("/obligations/").content.decode()
    assert f'btn-primary" href="/obligations/{started.pk}/"' in mayor


def test_the_wall_leaves_out_what_has_a_board_of_its_own_and_is_silent_when_all_have_answered(
    house: SimpleNamespace, signed_in: Any
) -> None:
    from haitang.obligations.kinds import KINDS, Kind, add_kind

    wall = "/wall/card/obligations.unanswered/"
    assert signed_in("duty").get(wall).content == b""
    add_kind(Kind(id="test.boarded", label="Boarded", has_board=True))
    try:
        make.issue(house.east, house.space, kind="test.boarded")
        assert signed_in("duty").get(wall).content == b""
    finally:
        del KINDS["test.boarded"]
