"""An obligation moves only where its table lets it, journals every move once, and is looked at only while it is open. P1."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Refused
from haitang.journal.models import Entry
from haitang.journal.services import verify
from haitang.obligations import services
from haitang.obligations.models import MOVES, OPEN, Obligation, State
from haitang.obligations.tests import factories as make

DO = {
    "receive": lambda o: services.receive(o, by=SYSTEM),
    "start": lambda o: services.start(o, by=SYSTEM),
    "done": lambda o: services.complete(o, by=SYSTEM, note="x"),
    "confirm": lambda o: services.confirm(o, by=SYSTEM),
    "refuse": lambda o: services.refuse(o, by=SYSTEM, reason="没有船"),
    "reopen": lambda o: services.reopen(o, by=SYSTEM, reason="再查"),
    "withdraw": lambda o: services.withdraw(o, by=SYSTEM),
}
TO = {
    "receive": State.RECEIVED, "start": State.STARTED, "done": State.DONE, "confirm": State.CONFIRMED, "refuse": State.REFUSED,
    "reopen": State.ISSUED, "withdraw": State.WITHDRAWN,
}  # fmt: skip
LADDER = (
    {"after_s": 0, "to": "responsible", "channels": ["inapp"]}, {"after_s": 300, "to": "deputy", "channels": ["inapp"], "until": "received"},
    {"after_s": 0, "from": "due", "to": "superior", "channels": ["inapp"]},
)  # fmt: skip


class AnySequenceOfVerbs(TestCase):
    """3.4.2, 3.5.2: whatever is pressed in whatever order, the record stays true."""

    @settings(max_examples=15)
    @given(st.lists(st.one_of(st.sampled_from(sorted(DO)), st.integers(1, 25)), max_size=12))
    def test_keeps_the_invariants(self, presses: list[str | int]) -> None:
        space, where = make.exercise(), make.place()
        body = make.organisation(where)
        make.user(body)
        row = make.issue(body, space, ladder=LADDER)
        minute, moves = 0, 1
        for press in presses:
            before = State(row.state)
            if isinstance(press, int):
                minute += press
                make.step(space, minute)
                services.run_due(space)
                row.refresh_from_db()
                assert row.state == before
            else:
                try:
                    DO[press](row)
                except Refused:
                    row.refresh_from_db()
                    assert row.state == before and TO[press] not in MOVES[before]
                else:
                    moves += 1
                    assert row.state == TO[press] and TO[press] in MOVES[before]
                    assert before in OPEN or press in {"reopen", "confirm", "withdraw"}
            stored = Obligation.objects.get(pk=row.pk)
            assert stored.is_open or stored.next_at is None
            assert stored.is_pending == stored.must_be_seen_to
            assert stored.next_at is None or stored.next_at > make.at(minute) or stored.next_at == stored.opened_at
        verbs = Entry.objects.filter(subject_type="obligations.obligation", subject_id=str(row.pk))
        told = verbs.filter(verb__in=("obligations.overdue", "obligations.escalate")).count()
        assert verbs.count() == moves + told
        assert verify(space) == []


def test_what_cannot_follow_is_refused_and_the_allowed_states_are_named(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space)
    services.complete(row, by=house.mayor)
    with pytest.raises(Refused, match=r"已确认|Confirmed"):
        services.start(row, by=house.mayor)


def test_every_state_has_a_colour_and_its_moves() -> None:
    assert set(MOVES) == set(State)
    assert all(state.colour and state.label for state in State)


def test_a_stale_object_is_seen_as_it_is_now(house: SimpleNamespace) -> None:
    """Two people press at once: the second is told, and the record has one answer."""
    row = make.issue(house.east, house.space)
    stale = Obligation.objects.get(pk=row.pk)
    services.complete(row, by=house.mayor)
    with pytest.raises(Refused):
        services.complete(stale, by=house.deputy)
    assert Entry.objects.filter(verb="obligations.done").count() == 1
    row.refresh_from_db()
    assert row.done_by == house.mayor


def test_starting_and_reporting_imply_that_it_was_received(house: SimpleNamespace) -> None:
    row = services.start(make.issue(house.east, house.space), by=house.deputy)
    assert (row.received_by, row.received_at, row.started_at) == (house.deputy, make.T0, make.T0)


def test_a_late_report_is_taken_and_marked_late(house: SimpleNamespace) -> None:
    """3.4.2: an answer after the time counts, and says by how much it was late."""
    row = make.issue(house.east, house.space, due=30)
    make.step(house.space, 45)
    services.run_due(house.space)
    services.complete(row, by=house.mayor)
    assert row.is_late and not row.is_overdue and row.overdue_at == make.at(45)
    entry = Entry.objects.get(verb="obligations.done")
    assert entry.after["late"] is True and "15 分钟" in entry.text_zh and "15 min" in entry.text_en


def test_a_reopened_one_begins_anew_with_as_much_time_as_at_first(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space, due=30, ladder=LADDER)
    make.step(house.space, 20)
    services.complete(row, by=house.mayor, note="好了")
    make.step(house.space, 60)
    services.reopen(row, by=house.duty, reason="现场没有人")
    assert (row.state, row.round, row.step, row.done_at, row.done_note) == ("issued", 1, 0, None, "")
    assert (row.opened_at, row.due_at, row.next_at) == (make.at(60), make.at(90), make.at(60))


def test_it_can_be_reopened_for_another_owner(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space, person=house.grid)
    services.refuse(row, by=house.mayor, reason="没有船")
    services.reopen(row, by=house.duty, reason="改由西港", owner=house.west)
    assert (row.owner, row.person, row.place) == (house.west, None, house.west.place)


def test_issuing_with_the_same_key_changes_nothing(house: SimpleNamespace) -> None:
    first = make.issue(house.east, house.space, key="warning-7:E")
    again = make.issue(house.east, house.space, key="warning-7:E", title_zh="另一个")
    other_world = make.issue(house.east, make.exercise(), key="warning-7:E")
    assert first.pk == again.pk != other_world.pk
    assert Entry.objects.filter(verb="obligations.issue").count() == 2


def test_issuing_needs_a_transaction_a_known_kind_and_channels_that_there_are(house: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="add_kind"):
        make.issue(house.east, house.space, kind="no.such")
    with pytest.raises(LookupError, match="pigeon"):
        make.issue(house.east, house.space, ladder=[{"channels": ["pigeon"]}])


@pytest.mark.django_db(transaction=True)
def test_issuing_outside_a_transaction_is_a_programming_error() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        services.issue(
            space=None,
            kind="obligations.task",
            owner=None,
            subject=None,
            title_zh="",
            title_en="",
            by=SYSTEM,
            due_at=None,
        )  # type: ignore[arg-type]


def test_the_subject_and_its_address_are_kept(house: SimpleNamespace) -> None:
    row = make.issue(
        house.east, house.space, subject=make.issue(house.west, house.space), thread="incidents.incident:7"
    )
    assert (row.subject_type, row.subject().owner, row.own_thread) == (
        "obligations.obligation",
        house.west,
        "incidents.incident:7",
    )
    assert list(services.for_subject(row.subject())) == [row]
    assert Entry.objects.filter(thread="incidents.incident:7").count() == 1
