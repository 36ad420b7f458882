"""The ladder is climbed by the space's clock, each rung once, whoever dies in between; silence goes up. 3.4.2, 3.5.2, 3.2.1."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from haitang.accounts.roles import Role
from haitang.delivery.models import Delivery, Message
from haitang.journal.models import Entry
from haitang.journal.services import verify
from haitang.obligations import escalation, ladder, recipients, services
from haitang.obligations.models import Obligation
from haitang.obligations.tests import factories as make

LADDER = (
    {"after_s": 0, "to": "responsible", "channels": ["inapp", "sms"]},
    {"after_s": 300, "to": "deputy", "channels": ["inapp", "sms"]},
    {"after_s": 900, "to": "superior", "channels": ["inapp"]},
    {"after_s": 0, "from": "due", "to": "duty", "channels": ["inapp"]},
)


def told() -> list[str]:
    """Who was told, in order."""
    return list(Delivery.objects.filter(channel="inapp").order_by("pk").values_list("user__username", flat=True))


def test_each_rung_tells_the_next_in_line_at_its_time(house: SimpleNamespace) -> None:
    make.issue(house.east, house.space, due=30, ladder=LADDER)
    seen: dict[int, list[str]] = {}
    for minute in (0, 4, 5, 14, 15, 29, 30, 60):
        make.step(house.space, minute)
        before = len(told())
        services.run_due(house.space)
        seen[minute] = told()[before:]
    assert {minute: people for minute, people in seen.items() if people} == {
        0: ["mayor"],
        5: ["deputy"],
        15: ["head"],
        30: ["duty"],
    }


def test_the_loop_finds_nothing_to_do_a_second_time(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space, due=30, ladder=LADDER)
    make.step(house.space, 16)
    assert services.run_due(house.space) == 1
    assert services.run_due(house.space) == 0
    row.refresh_from_db()
    assert (row.step, row.next_at) == (3, make.at(30))


def test_a_loop_that_was_away_climbs_every_missed_rung_once_in_order(house: SimpleNamespace) -> None:
    make.issue(house.east, house.space, due=30, ladder=LADDER)
    make.step(house.space, 300)
    services.run_due(house.space)
    assert told() == ["mayor", "deputy", "head", "duty"]
    assert list(Entry.objects.filter(verb__startswith="obligations.").order_by("seq").values_list("verb", flat=True)) == [
        "obligations.issue", "obligations.escalate", "obligations.escalate", "obligations.overdue", "obligations.escalate",
    ]  # fmt: skip


def test_a_process_that_dies_after_sending_leaves_nothing_half_done(
    house: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 between step and commit: the message and the place on the ladder are one transaction."""
    make.issue(house.east, house.space, ladder=LADDER)

    def killed(*_: Any, **__: Any) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(Obligation, "save", killed)
        with pytest.raises(SystemExit):
            services.run_due(house.space)
    assert Message.objects.count() == 0
    services.run_due(house.space)
    services.run_due(house.space)
    assert told() == ["mayor"]
    assert verify(house.space) == []


def test_one_that_cannot_be_attended_to_does_not_keep_the_others_waiting(
    house: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = make.issue(house.west, house.space, ladder=LADDER)
    make.issue(house.east, house.space, ladder=LADDER)
    real = escalation.send

    def send(obligation: Obligation, *args: Any, **named: Any) -> None:
        if obligation.pk == bad.pk:
            raise RuntimeError("no words")
        real(obligation, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(escalation, "send", send)
        assert services.run_due(house.space) == 1
    assert told() == ["mayor"]
    services.run_due(house.space)
    assert told() == ["mayor", "western"]


@pytest.mark.parametrize("end", ["done", "refused", "withdrawn"])
def test_it_stops_when_it_has_ended(house: SimpleNamespace, end: str) -> None:
    row = make.issue(house.east, house.space, ladder=LADDER)
    services.run_due(house.space)
    if end == "done":
        services.complete(row, by=house.mayor)
    elif end == "refused":
        services.refuse(row, by=house.mayor, reason="没有船")
    else:
        services.withdraw(row, by=house.duty)
    before = Message.objects.count()
    make.step(house.space, 600)
    assert services.run_due(house.space) == 0
    assert (row.next_at, Message.objects.count()) == (None, before)


def test_a_rung_until_received_is_passed_over_once_it_is_received(house: SimpleNamespace) -> None:
    steps = [{**step, "until": "received"} if step.get("from") != "due" else step for step in LADDER]
    row = make.issue(house.east, house.space, due=30, ladder=steps)
    services.run_due(house.space)
    services.receive(row, by=house.mayor)
    assert row.next_at == make.at(30)
    make.step(house.space, 31)
    services.run_due(house.space)
    assert told() == ["mayor", "duty"]


def test_overdue_is_marked_red_once_and_told_in_both_languages(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space, due=30)
    make.step(house.space, 30)
    services.run_due(house.space)
    make.step(house.space, 31)
    services.run_due(house.space)
    row.refresh_from_db()
    entry = Entry.objects.get(verb="obligations.overdue")
    assert (row.is_overdue, row.shade, entry.colour, entry.place_path) == (True, "red", "red", house.east_place.path)
    assert "逾期" in entry.text_zh and "Overdue" in entry.text_en and "Donggang" in entry.text_en


def test_a_refusal_goes_to_whoever_issued_it(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space, by=house.officer)
    services.refuse(row, by=house.mayor, reason="没有船")
    assert told() == ["officer"]
    assert "没有船" in Message.objects.get().body_zh


def test_a_refusal_of_what_the_platform_issued_goes_to_the_duty_room(house: SimpleNamespace) -> None:
    services.refuse(make.issue(house.east, house.space), by=house.mayor, reason="没有船")
    assert told() == ["duty"]


def test_where_nobody_is_named_the_rung_above_is_climbed(house: SimpleNamespace) -> None:
    """3.2.1: a blank in the chain of responsibility is no place where a warning ends."""
    lonely = make.organisation(house.east_place, house.bureau)
    make.issue(lonely, house.space, ladder=LADDER)
    services.run_due(house.space)
    assert told() == ["head"]
    entry = Entry.objects.get(verb="obligations.escalate")
    assert (entry.after["wanted"], entry.after["to"]) == ("responsible", "superior")
    assert entry.text_zh.startswith("无责任人，催办上级") and entry.text_en.startswith(
        "No responsible person there; chased the superior"
    )


def test_when_there_is_nobody_at_all_the_journal_says_so_in_red(db: None) -> None:
    space, alone = make.exercise(), make.organisation(make.place())
    make.issue(alone, space, ladder=LADDER)
    services.run_due(space)
    assert Message.objects.count() == 0
    entry = Entry.objects.filter(verb="obligations.escalate").first()
    assert entry.colour == "red" and "无人可催办" in entry.text_zh


def test_the_person_named_is_the_responsible_one(house: SimpleNamespace) -> None:
    make.issue(house.east, house.space, person=house.grid, ladder=LADDER)
    make.step(house.space, 5)
    services.run_due(house.space)
    assert told() == ["grid", "mayor"]


def test_machines_residents_and_closed_accounts_are_not_called(house: SimpleNamespace) -> None:
    house.mayor.is_active = False
    house.mayor.save()
    make.user(house.east, Role.MACHINE, rank=0)
    make.issue(house.east, house.space, ladder=LADDER)
    services.run_due(house.space)
    assert told() == ["deputy"]


def test_the_roster_decides_who_is_on_duty(house: SimpleNamespace) -> None:
    second = make.user(house.centre, Role.DUTY_OFFICER)
    try:
        recipients.duty_source(lambda space, at: [second])
        services.refuse(make.issue(house.east, house.space), by=house.mayor, reason="没有船")
    finally:
        recipients._on_duty.clear()
    assert told() == [second.username]


def test_messages_carry_the_recipients_own_link_and_those_above_the_page(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space, due=1, ladder=LADDER)
    make.step(house.space, 16)
    services.run_due(house.space)
    urls = {d.user.username: d.url for d in Delivery.objects.filter(channel="inapp")}
    assert "/o/" in urls["mayor"] and "/o/" in urls["deputy"] and urls["mayor"] != urls["deputy"]
    assert urls["duty"].endswith(row.get_absolute_url())


def test_only_the_spaces_own_clock_counts(house: SimpleNamespace) -> None:
    other = make.exercise()
    make.issue(house.east, other, ladder=LADDER)
    assert services.run_due(house.space) == 0
    assert services.run_due(other) == 1


def test_a_look_at_nothing_costs_two_queries(house: SimpleNamespace, django_assert_max_num_queries: Any) -> None:
    """The loop runs every second for every space."""
    for number in range(30):
        make.issue(house.east, house.space, due=60 + number)
    with django_assert_max_num_queries(2):
        services.run_due(house.space)
    assert connection.vendor in {"sqlite", "postgresql"}


def test_a_bad_ladder_is_refused_with_its_step_field_and_rule() -> None:
    for row, words in (
        ({"to": "mayor"}, "step 1, to='mayor'"), ({"after_s": -1}, "before the issue"), ({"after_s": "5"}, "after_s='5'"),
        ({"channels": []}, "at least one channel"), ({"channels": "sms"}, "must be a list"), ({"frm": "due"}, "no such field"),
        ({"from": "birth"}, "one of issued, due"), ({"until": "never"}, "until='never'"),
    ):  # fmt: skip
        with pytest.raises(ladder.LadderError, match=words.replace("'", ".")):
            ladder.parse([row])
    with pytest.raises(ladder.LadderError, match="at most 20"):
        ladder.parse([{}] * 21)


steps = st.builds(
    ladder.Step,
    after_s=st.integers(0, 5000),
    origin=st.sampled_from(ladder.FROM),
    to=st.sampled_from(ladder.TO),
    until=st.sampled_from(ladder.UNTIL),
)


@given(st.lists(steps, max_size=8), st.one_of(st.none(), st.integers(-600, 5000)), st.booleans())
def test_climbing_goes_forward_in_time_and_ends(rungs: list[ladder.Step], due_s: int | None, received: bool) -> None:
    """Whatever the ladder: times never go back, the overdue mark comes once, every rung at most once, and then nothing."""
    opened = datetime(2024, 9, 15, tzinfo=UTC)
    due = None if due_s is None else opened + timedelta(seconds=due_s)
    ordered = ladder.in_time(rungs, opened, due)
    assert all(ladder.parse([step.plain()]) == (step,) for step in ordered)
    index, overdue, last, seen = 0, False, datetime.min.replace(tzinfo=UTC), []
    while coming := ladder.upcoming(ordered, index, opened=opened, due=due, received=received, overdue=overdue):
        assert coming.at >= last
        last = coming.at
        seen.append(coming.index)
        if coming.index is None:
            overdue = True
        else:
            index = coming.index + 1
    assert len(seen) == len(set(seen)) and (None in seen) == (due is not None)
    wanted = [n for n, step in enumerate(ordered) if not (received and step.until == "received")]
    assert [n for n in seen if n is not None] == wanted


def test_those_above_are_told_who_is_silent_and_the_owners_own_are_asked(house: SimpleNamespace) -> None:
    """A duty officer whose own room must report is asked to; one who hears of a silent township is told to press."""
    make.issue(
        house.centre,
        house.space,
        title_zh="报初报",
        ladder=[{"to": "duty", "channels": ["inapp"]}, {"after_s": 60, "to": "duty", "channels": ["inapp"]}],
    )
    make.issue(house.east, house.space, title_zh="转移", ladder=[{"after_s": 60, "to": "duty", "channels": ["inapp"]}])
    make.step(house.space, 1)
    services.run_due(house.space)
    titles = {title.removeprefix("【演练】") for title in Message.objects.values_list("title_zh", flat=True)}
    assert titles == {"报初报", "【催办】报初报", "【未响应】东港镇：转移"}
    assert "021-2" in Message.objects.get(title_zh__contains="东港镇").body_zh
