"""N of M must confirm, a negative answer moves the ladder on, grid workers go to the doors (issue 3, "Answer 叫应")."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from haitang.accounts.verbs import Forbidden, Refused
from haitang.delivery import services as delivery
from haitang.delivery.models import Message
from haitang.journal.models import Entry
from haitang.obligations import ladder, links, services
from haitang.obligations.kinds import KINDS, Kind, add_kind
from haitang.obligations.models import Reply
from haitang.obligations.tests import factories as make

GROUPS = (
    {"after_s": 0, "to": "responsible", "channels": ["inapp"]},
    {"after_s": 600, "to": "deputy", "channels": ["inapp"]},
    {"after_s": 1200, "to": "superior", "channels": ["inapp"]},
)


@pytest.fixture(autouse=True)
def call():
    kind = add_kind(
        Kind(id="test.call", label="Call", one_press=True, may_refuse=False, may_decline=True, link_hours=2)
    )
    yield kind
    del KINDS[kind.id]


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=8), st.integers(0, 8), st.integers(0, 6000))
def test_hurrying_moves_what_comes_together_and_nothing_that_was(gaps, index, passed):
    steps = ladder.parse([{"after_s": second, "channels": ["inapp"]} for second in sorted(gaps)])
    found = ladder.hurried(steps, index, make.T0, make.T0 + timedelta(seconds=passed))
    assert found[:index] == steps[:index]
    if index < len(steps):
        assert found[index].after_s <= max(passed, steps[index].after_s)
        before = [b.after_s - a.after_s for a, b in zip(steps[index:], steps[index + 1 :], strict=False)]
        after = [b.after_s - a.after_s for a, b in zip(found[index:], found[index + 1 :], strict=False)]
        assert before == pytest.approx(after)


@pytest.mark.django_db
class TestSeveral:
    def test_two_of_the_office_must_confirm(self, house):
        one = make.issue(house.east, house.space, kind="test.call", data={"confirmations": 2})
        services.complete(one, by=house.mayor)
        one.refresh_from_db()
        assert (one.state, one.is_open, one.received_by) == ("received", True, house.mayor)
        services.complete(one, by=house.mayor)  # the same person again is the same person
        assert one.is_open
        services.complete(one, by=house.deputy)
        assert one.state == "done" and one.replies.filter(is_negative=False).count() == 2

    def test_where_one_is_enough_nothing_is_kept(self, house):
        one = make.issue(house.east, house.space, kind="test.call")
        services.complete(one, by=house.mayor)
        assert one.state == "done" and not Reply.objects.exists()

    def test_asked_for_again_all_answer_again(self, house):
        one = make.issue(house.east, house.space, kind="test.call", data={"confirmations": 2}, by=house.duty)
        services.complete(one, by=house.mayor), services.complete(one, by=house.deputy)
        services.reopen(one, by=house.duty, reason="再次确认")
        services.complete(one, by=house.mayor)
        assert one.is_open

    def test_the_journal_tells_of_each(self, house):
        one = make.issue(house.east, house.space, kind="test.call", data={"confirmations": 3})
        services.complete(one, by=house.mayor), services.complete(one, by=house.deputy)
        verbs = Entry.objects.filter(subject_id=str(one.pk)).order_by("seq").values_list("verb", flat=True)
        assert list(verbs) == ["obligations.issue", "obligations.receive", "obligations.reply"]


@pytest.mark.django_db
class TestNegative:
    def test_when_all_of_a_group_say_no_the_next_is_asked_at_once(self, house):
        one = make.issue(house.east, house.space, kind="test.call", ladder=GROUPS)
        services.run_due(house.space)
        make.step(house.space, 2)
        services.decline(one, by=house.mayor, reason="在外地")
        one.refresh_from_db()
        assert one.is_open and one.next_at == make.at(2)
        services.run_due(house.space)
        assert Message.objects.order_by("-pk")[0].deliveries.get().user == house.deputy
        one.refresh_from_db()
        assert one.next_at == make.at(12)  # the timer of the next group starts with the refusal

    def test_not_while_somebody_of_the_group_may_still_answer(self, house):
        steps = (
            {"after_s": 0, "to": "all", "channels": ["inapp"]},
            {"after_s": 600, "to": "superior", "channels": ["inapp"]},
        )
        one = make.issue(house.east, house.space, kind="test.call", ladder=steps)
        services.run_due(house.space)
        services.decline(one, by=house.mayor, reason="在外地")
        assert one.next_at == make.at(10)
        services.decline(one, by=house.deputy, reason="生病"), services.decline(one, by=house.grid, reason="不在岗")
        assert one.next_at == make.at(0)

    def test_who_said_no_may_still_say_yes(self, house):
        one = make.issue(house.east, house.space, kind="test.call", ladder=GROUPS)
        services.decline(one, by=house.mayor, reason="在外地")
        services.complete(one, by=house.mayor)
        assert one.state == "done"

    def test_only_where_it_is_foreseen_and_only_by_whom_it_concerns(self, house):
        with pytest.raises(Refused):
            services.decline(make.issue(house.east, house.space, kind="test.answer"), by=house.mayor, reason="不行")
        one = make.issue(house.east, house.space, kind="test.call")
        with pytest.raises(Forbidden):
            services.decline(one, by=house.western, reason="不行")
        with pytest.raises(Refused):
            services.decline(one, by=house.mayor, reason=" ")
        services.complete(one, by=house.mayor)
        with pytest.raises(Refused):
            services.decline(one, by=house.mayor, reason="不行")

    def test_by_the_signed_link(self, client, house):
        one = make.issue(house.east, house.space, kind="test.call", ladder=GROUPS, data={"confirmations": 2})
        page = reverse("obligations:answer", args=[links.token(one, house.mayor)])
        client.post(page, {"do": "decline", "reason": "在外地"})
        assert one.replies.get().is_negative
        assert "2" in client.get(page).content.decode()
        client.post(page, {"do": "done"})
        assert not one.replies.get().is_negative
        one.refresh_from_db()
        assert one.state == "received"


@pytest.mark.django_db
class TestDoors:
    def test_the_rung_of_the_grid_workers_is_told_and_sends_no_answer_links(self, house):
        steps = ({"after_s": 0, "from": "due", "to": "workers", "channels": ["inapp", "sms"]},)
        one = make.issue(house.east, house.space, kind="test.call", ladder=steps, due=10)
        make.step(house.space, 11)
        services.run_due(house.space)
        entry = Entry.objects.get(verb="obligations.escalate")
        assert entry.after["to"] == "workers" and sorted(entry.after["people"]) == sorted(
            [house.villager.pk, house.grid.pk]
        )
        assert not Message.objects.filter(about_id=str(one.pk)).exists()

    def test_where_there_are_none_everybody_is_asked(self, house):
        steps = ({"after_s": 0, "to": "workers", "channels": ["inapp"]},)
        make.issue(house.west, house.space, kind="test.call", ladder=steps)
        services.run_due(house.space)
        assert [row.user for row in Message.objects.get().deliveries.all()] == [house.western]


@pytest.mark.django_db
class TestByVoice:
    def asked(self, house, live):
        steps = ({"after_s": 0, "to": "responsible", "channels": ["voice"]},)
        one = make.issue(house.east, live, kind="test.call", ladder=steps, due=None)
        services.run_due(live)
        delivery.pump(live, patience_s=0)
        return one, Message.objects.get().deliveries.get()

    def test_whoever_says_back_the_code_has_answered(self, house):
        from haitang.delivery import gateways, readback, receipts
        from haitang.spaces.models import Space

        one, call = self.asked(house, Space.live())
        code = readback.code_of(call.key, gateways.token())
        receipts.take("voice", [{"key": call.key, "status": "answered", "code": "".join(reversed(code)) + "0"}])
        one.refresh_from_db(), call.refresh_from_db()
        assert one.is_open and (call.state, call.reason) == ("answered", "wrong_code")
        for _ in range(2):  # told twice, answered once
            receipts.take("voice", [{"key": call.key, "status": "answered", "code": f"{code[:2]} {code[2:]}"}])
        one.refresh_from_db()
        assert one.state == "done" and one.done_by == house.mayor
        assert Entry.objects.filter(verb="obligations.done").count() == 1

    def test_a_call_that_was_only_picked_up_answers_nothing(self, house):
        from haitang.delivery import receipts
        from haitang.spaces.models import Space

        one, call = self.asked(house, Space.live())
        receipts.take("voice", [{"key": call.key, "status": "answered"}])
        one.refresh_from_db()
        assert one.is_open
        assert receipts.take("voice", [{"key": call.key, "status": "answered", "code": 5}]).invalid

    def test_it_is_spoken_in_words(self):
        from haitang.delivery import readback

        assert readback.asked("4071", "zh-hans") == "请复述或按键输入口令四零七一予以确认。"
        assert "4 0 7 1" in readback.asked("4071", "en")
