"""3.4.2, 3.2.1: responsible persons answer, silence climbs the ladder, the board says who has not answered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Forbidden, Refused
from haitang.alerting import answers, composing, services
from haitang.alerting.models import Audience, Warning
from haitang.alerting.tests import factories as make
from haitang.delivery.models import Delivery, Message
from haitang.delivery.wording import joined
from haitang.journal.models import Entry
from haitang.obligations import links
from haitang.obligations import services as obligations
from haitang.obligations.models import Obligation


@pytest.fixture
def warning(house, exercise):
    made = make.published(house, exercise, places=[house.root])
    obligations.run_due(exercise)
    return made


def answer_of(warning: Warning, code: str) -> Obligation:
    return answers.asked(warning).get(place__code=code)


def board(warning, user):
    return answers.board(warning, user)


def row_of(warning, user, code):
    return next(row for row in board(warning, user).rows if row.place.code == code)


def test_every_township_is_asked_once_with_the_time_of_its_colour(house, exercise, warning):
    rows = list(answers.asked(warning))
    assert [(one.owner.code, one.place.code) for one in rows] == [("E", "990001"), ("W", "990002"), ("M", "990003")]
    assert {one.due_at - warning.published_at for one in rows} == {timedelta(minutes=15)}
    assert all(one.title_zh.startswith("【演练】示范区") and one.detail_zh for one in rows)
    assert not answers.asked(make.published(house, exercise, audiences=[Audience.DEPARTMENTS])).exists()


def test_silence_climbs_the_ladder_until_somebody_answers(house, exercise, warning):
    """A quiet township: person, voice, deputy, then the superior once it is overdue; an answer stops it."""
    east, west = answer_of(warning, "990001"), answer_of(warning, "990002")

    def told(one: Obligation) -> list[tuple[str, str]]:
        rows = Delivery.objects.filter(message__about_id=str(one.pk), message__about_type="obligations.obligation")
        return list(rows.order_by("message_id", "number", "position").values_list("user__username", "channel"))

    assert told(east) == [("east", "inapp"), ("east", "sms")]
    make.pass_time(exercise, 4)
    obligations.complete(west, by=house.people["west"])
    make.pass_time(exercise, 8)
    assert told(east)[2:] == [("east", "voice"), ("east2", "inapp"), ("east2", "sms")]
    assert told(west) == [("west", "inapp"), ("west", "sms")]
    make.pass_time(exercise, 4)
    assert told(east)[5:] == [("chief", "inapp")]
    row = row_of(warning, house.duty, "990001")
    assert (row.is_overdue, row.obligation.step, row.people) == (True, 4, ["east同志", "east2同志", "chief同志"])


def test_the_board_puts_the_late_first_and_measures_all(house, exercise, warning):
    for minutes, code in ((2, "990003"), (3, "990001")):
        make.pass_time(exercise, minutes)
        one = answer_of(warning, code)
        obligations.complete(one, by=house.people["middle" if code == "990003" else "east"], note="已部署")
    make.pass_time(exercise, 11)
    seen = board(warning, house.duty)
    assert [row.place.code for row in seen.rows] == ["990002", "990001", "990003"]
    assert (seen.waiting, seen.overdue, seen.measured.answered, seen.measured.asked) == (1, 1, 2, 3)
    assert seen.measured.seconds_to == {0.5: 300.0, 0.9: None, 0.95: None}
    assert [(share, text) for share, text in seen.times] == [(50, "5 分钟"), (90, ""), (95, "")]
    answered = seen.rows[1]
    assert (answered.obligation.done_by, answered.took, answered.obligation.done_note) == (
        house.people["east"],
        "5 分钟",
        "已部署",
    )
    assert answers.counts([warning], house.duty) == {warning.pk: (2, 3)}


def test_the_answer_that_completes_the_board_is_recorded(house, exercise, warning):
    for name in ("east", "west"):
        obligations.complete(answers.asked(warning).get(owner=house.bodies[name]), by=house.people[name])
    assert not Entry.objects.filter(verb="alerting.answered").exists()
    make.pass_time(exercise, 6)
    obligations.complete(answer_of(warning, "990003"), by=house.people["middle"])
    entry = Entry.objects.get(verb="alerting.answered")
    assert entry.text_zh.startswith("3 个乡镇全部确认，用时 6 分钟")
    assert entry.after["seconds"]["0.95"] == 360


def test_an_answer_by_link_is_shown_with_its_channel(house, exercise, warning, client):
    make.pass_time(exercise, 3)
    sent = Delivery.objects.get(
        user=house.people["east"], channel="sms", message__about_id=str(answer_of(warning, "990001").pk)
    )
    path = sent.url[sent.url.index("/o/") :]
    assert client.get(path).status_code == 200
    assert client.post(path, {"do": "done"}).status_code == 302
    row = row_of(warning, house.duty, "990001")
    assert (row.is_answered, str(row.answered_over)) == (True, "短信")


def test_a_forged_link_answers_nothing(house, exercise, warning, client):
    one = answer_of(warning, "990001")
    good = links.token(one, house.people["east"])
    other = answer_of(warning, "990002")
    for token in (good[:-3] + "abc", good.replace(str(one.pk), str(other.pk), 1), "x", ""):
        assert client.post(f"/o/{token}/", {"do": "done"}).status_code == 404
    assert not answers.asked(warning).exclude(done_at=None).exists()


def test_a_township_sees_its_own_row_only(house, warning):
    seen = board(warning, house.people["west"])
    assert [row.place.code for row in seen.rows] == ["990002"]
    assert answers.counts([warning], house.people["west"]) == {warning.pk: (0, 1)}


def test_a_township_without_an_organisation_is_a_gap_and_no_silence(house, exercise):
    """3.2.1: a blank in the chain of responsibility is an alarm."""
    make.place("990004", "无主乡", house.root, (121.0, 31.6, 121.9, 31.9))
    warning = make.published(house, exercise, places=[house.root])
    seen = board(warning, house.duty)
    assert (seen.gaps, seen.rows[0].place.name_zh, seen.rows[0].obligation) == (1, "无主乡", None)
    assert seen.measured.asked == 3


def test_a_call_again_reaches_both_persons_by_voice_too_and_is_counted(house, exercise, warning):
    east = answer_of(warning, "990001")
    assert {user.username for user in services.remind(warning, east, by=house.duty)} == {"east", "east2"}
    services.remind(warning, east, by=house.duty)
    calls = Message.objects.filter(key__contains=":call").order_by("pk")
    assert [call.channels for call in calls] == [["inapp", "sms", "voice"]] * 2
    assert all("/o/" in url for url in Delivery.objects.filter(message=calls[0]).values_list("url", flat=True))
    east.refresh_from_db()
    assert east.data["calls"] == 2
    obligations.complete(east, by=house.people["east"])
    with pytest.raises(Refused, match="已确认"):
        services.remind(warning, east, by=house.duty)
    with pytest.raises(Forbidden):
        services.remind(warning, answer_of(warning, "990002"), by=house.people["west"])


def test_an_update_asks_anew_and_nobody_for_the_old(house, exercise, warning):
    obligations.complete(answer_of(warning, "990001"), by=house.people["east"])
    update = make.follow(house, services.update(warning, by=house.duty, colour="red"))
    old = [one.state for one in answers.asked(warning)]
    assert old == ["done", "withdrawn", "withdrawn"]
    assert [one.state for one in answers.asked(update)] == ["issued"] * 3


def test_a_cancellation_is_told_and_asks_nobody(house, exercise, warning):
    ended = make.follow(house, services.cancel(warning, by=house.duty))
    assert not answers.asked(ended).exists()
    told = Message.objects.get(key=f"alerting.warning:{ended.pk}:responsible")
    assert told.recipients == 6
    assert {one.state for one in answers.asked(warning)} == {"withdrawn"}


def test_an_approval_is_not_given_by_pressing_done(house, exercise):
    waiting = make.draft(house, exercise, kind=house.surge)
    services.submit(waiting, by=house.duty)
    request = Obligation.objects.get(kind="alerting.approve", subject_id=str(waiting.pk))
    assert request.url == waiting.get_absolute_url()
    with pytest.raises(Refused, match="预警页面"):
        obligations.complete(request, by=house.chief)
    request.refresh_from_db()
    assert request.is_open
    # Another commander than the one who was asked may decide; the request is done all the same.
    services.approve(waiting, by=house.second)
    request.refresh_from_db()
    assert request.state == "done"


def test_departments_concerned_are_told(house, exercise, warning):
    told = Message.objects.get(key=f"alerting.warning:{warning.pk}:departments")
    assert set(told.deliveries.values_list("user__username", flat=True)) == {"officer"}


def test_the_preview_is_what_is_sent(house, exercise, warning):
    """The short message that the approver reads is, but for the personal link, the one that goes out."""
    message = Message.objects.filter(about_type="obligations.obligation", key__contains="step0").first()
    due = answer_of(warning, "990001").due_at
    for language, title, body in (("zh", message.title_zh, message.body_zh), ("en", message.title_en, message.body_en)):
        shown = composing.previews(warning, due=due, language=language)[0]
        assert (shown.audience, shown.channel) == ("responsible", "sms")
        assert shown.said == joined(title, body)
        assert shown.parts == -(-shown.length // 67)


def test_the_whole_is_told_at_once_or_not_at_all(house, exercise, monkeypatch):
    made = make.approved(house, exercise)

    def broken(*args, **kwargs):
        raise RuntimeError("power cut")

    monkeypatch.setattr("haitang.alerting.dissemination._tell", broken)
    with pytest.raises(RuntimeError):
        services.publish(made, by=house.duty)
    stored = Warning.objects.get(pk=made.pk)
    assert (stored.state, stored.identifier, stored.cap_xml) == ("approved", "", None)
    assert not answers.asked(stored).exists()


def test_the_platform_may_withdraw_whoever_pressed(house, exercise):
    """A department officer who drops the draft of another need not direct the request for approval."""
    made = make.draft(house, exercise)
    services.submit(made, by=house.duty)
    services.discard(made, by=house.officer)
    assert Obligation.objects.get(kind="alerting.approve").state == "withdrawn"
    assert services.expire_due(exercise) == 0
    assert SYSTEM.pk is None
