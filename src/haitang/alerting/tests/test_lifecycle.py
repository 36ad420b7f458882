"""P4, 3.4.2: a warning is composed, approved by another person, published, updated, ended. Its bytes never change."""

from __future__ import annotations

import hashlib

import pytest
import shapely

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Forbidden, Refused
from haitang.alerting import cap, composing, services
from haitang.alerting.composing import Texts
from haitang.alerting.models import Audience, MsgType, State, Status, Warning
from haitang.alerting.tests import factories as make
from haitang.journal.models import Entry
from haitang.journal.services import verify
from haitang.obligations import services as obligations
from haitang.obligations.models import Obligation


def test_a_draft_is_worded_by_the_template_in_both_languages(house, live):
    warning = make.draft(house, live, places=[house.east, house.west])
    assert warning.headline_zh == "示范区应急指挥中心发布台风橙色预警[Ⅱ级/严重]"
    assert warning.headline_en == "Model District Command Centre issues an orange typhoon warning"
    assert "范围：东镇、西镇" in warning.description_zh
    assert (warning.state, warning.status, warning.cap_scope) == (State.DRAFT, Status.ACTUAL, "Public")
    assert (warning.owner, warning.place) == (house.centre, house.root)


def test_a_drawn_area_is_told_by_the_townships_it_touches(house, live):
    warning = make.draft(house, live, places=[], geometry=shapely.box(121.2, 31.2, 121.4, 31.4))
    assert "西镇、中镇部分区域" in warning.description_zh
    assert {p.code for p in composing.townships_of(warning)} == {"990002", "990003"}


def test_whoever_wrote_changed_or_submitted_it_cannot_approve_it(house, live):
    composed = make.draft(house, live, by=house.chief)
    services.submit(composed, by=house.duty)
    changed = make.draft(house, live, kind=house.surge)
    services.edit(changed, by=house.chief, texts=Texts(headline_zh="示范区应急指挥中心发布风暴潮橙色预警"))
    services.submit(changed, by=house.duty)
    submitted = make.draft(house, live)
    services.submit(submitted, by=house.chief)
    for warning in (composed, changed, submitted):
        with pytest.raises(Forbidden, match="须由他人审批"):
            services.approve(warning, by=house.chief)
        services.approve(warning, by=house.second)
    assert set(Warning.objects.values_list("state", flat=True)) == {State.APPROVED}


def test_the_platform_does_not_approve(house, live):
    warning = make.draft(house, live)
    services.submit(warning, by=house.duty)
    with pytest.raises(Forbidden):
        services.approve(warning, by=SYSTEM)


@pytest.mark.parametrize("name", ["officer", "east", "admin", "resident"])
def test_only_a_commander_approves(house, live, name):
    warning = make.draft(house, live)
    services.submit(warning, by=house.duty)
    with pytest.raises(Forbidden):
        services.approve(warning, by=house.people[name])


def test_a_draft_with_errors_is_not_submitted(house, live):
    warning = make.draft(house, live, texts=Texts(description_zh="风大\a"))
    with pytest.raises(Refused, match="报文有错误"):
        services.submit(warning, by=house.duty)
    assert Warning.objects.get().state == State.DRAFT


def test_what_was_sent_back_comes_with_the_reason_and_its_request_falls_away(house, live):
    warning = make.draft(house, live)
    services.submit(warning, by=house.duty)
    services.reject(warning, by=house.chief, reason="范围太小")
    assert (warning.state, warning.reply) == (State.DRAFT, "范围太小")
    request = Obligation.objects.get(kind="alerting.approve")
    assert (request.state, request.person, request.owner) == ("withdrawn", house.chief, house.centre)
    with pytest.raises(Refused):
        services.reject(warning, by=house.chief, reason=" ")


def test_only_what_was_approved_is_published(house, live):
    warning = make.draft(house, live)
    for step in (None, services.submit):
        if step:
            step(warning, by=house.duty)
        with pytest.raises(Refused, match="只有已批准的预警可以发布"):
            services.publish(warning, by=house.duty)
    services.approve(warning, by=house.chief)
    Warning.objects.filter(pk=warning.pk).update(headline_zh="换了字")
    with pytest.raises(Refused, match="批准后被改动"):
        services.publish(warning, by=house.duty)


def test_publishing_freezes_the_bytes(house, live):
    warning = make.published(house, live)
    stored = Warning.objects.get()
    data = bytes(stored.cap_xml)
    assert hashlib.sha256(data).hexdigest() == stored.sha256
    alert, findings = cap.parse(data)
    assert not cap.errors(findings + cap.validate(alert, "cn", composing.event_codes()))
    assert (alert.identifier, alert.status, alert.scope, alert.msg_type) == (
        stored.identifier,
        "Actual",
        "Public",
        "Alert",
    )
    assert alert.infos[0].web.endswith(f"/public/warnings/{warning.pk}/")
    stored.sha256, stored.cap_xml = "0" * 64, b"<other/>"
    with pytest.raises(ValueError, match="cannot be changed"):
        stored.save()
    with pytest.raises(Refused, match="只有草稿可以修改"):
        services.edit(warning, by=house.duty, colour="red")


def test_ten_messages_in_one_second_have_ten_names_and_the_eleventh_waits(house, exercise):
    names = {make.published(house, exercise).identifier for _ in range(10)}
    assert len(names) == 10
    with pytest.raises(Refused, match="ten messages"):
        make.published(house, exercise)
    # The same hour played again in another exercise names its messages alike, and nobody is in the way.
    assert make.published(house, make.exercise()).identifier in names


def test_an_update_replaces_and_refers_to_all_before_it(house, exercise):
    first = make.published(house, exercise)
    make.pass_time(exercise, 10)
    second = make.follow(house, services.update(first, by=house.duty, colour="red", places=[house.east, house.west]))
    make.pass_time(exercise, 10)
    third = make.follow(house, services.update(second, by=house.duty, colour="blue"))
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state, third.state) == (State.UPDATED, State.UPDATED, State.PUBLISHED)
    assert first.ended_at == second.published_at
    assert "升级为红色预警" in second.headline_zh
    assert "降级为蓝色预警" in third.headline_zh
    alert, _ = cap.parse(bytes(Warning.objects.get(pk=third.pk).cap_xml))
    assert (alert.msg_type, len(alert.references.split())) == ("Update", 2)
    assert [one.pk for one in services.chain_of(second)] == [first.pk, second.pk, third.pk]


def test_a_warning_has_one_follower(house, live):
    first = make.published(house, live)
    update = services.update(first, by=house.duty)
    with pytest.raises(Refused, match="已有后续"):
        services.update(first, by=house.duty)
    with pytest.raises(Refused, match="已有后续"):
        services.cancel(first, by=house.duty)
    services.discard(update, by=house.duty)
    assert services.cancel(first, by=house.duty).state == State.SUBMITTED


def test_a_cancellation_goes_through_four_eyes_and_ends_the_warning(house, live):
    first = make.published(house, live)
    ended = services.cancel(first, by=house.duty, reason_zh="台风已远离", reason_en="The typhoon has moved away")
    assert (ended.msg_type, ended.state) == (MsgType.CANCEL, State.SUBMITTED)
    make.follow(house, ended)
    first.refresh_from_db()
    assert first.state == State.CANCELLED
    assert not Warning.objects.in_force(ended.published_at).exists()
    alert, _ = cap.parse(bytes(Warning.objects.get(pk=ended.pk).cap_xml))
    assert alert.infos[0].response_types == ("AllClear",)
    assert alert.infos[0].description.startswith("台风已远离。示范区应急指挥中心解除台风橙色预警")


def test_a_warning_ends_when_its_time_is_over_and_nobody_is_asked_any_more(house, exercise):
    warning = make.published(house, exercise)
    make.pass_time(exercise, 12 * 60 + 1)
    warning.refresh_from_db()
    assert (warning.state, warning.ended_at) == (State.EXPIRED, warning.expires)
    assert services.expire_due(exercise) == 0
    assert [one.state for one in obligations.for_subject(warning).filter(kind="alerting.answer")] == ["withdrawn"]


def test_an_exercise_issues_exercises_only(house, exercise):
    warning = make.published(house, exercise)
    assert (warning.status, warning.cap_scope, warning.may_leave) == (Status.EXERCISE, "Restricted", False)
    alert, _ = cap.parse(bytes(warning.cap_xml))
    assert (alert.status, alert.note) == ("Exercise", "演练：演练")
    with pytest.raises(Refused, match="演练中的预警状态必须为"):
        make.draft(house, exercise, status="Actual")
    with pytest.raises(Refused, match="不得对公众发布"):
        make.draft(house, exercise, audiences=[Audience.PUBLIC])
    with pytest.raises(Refused, match="不得对公众发布"):
        make.draft(house, exercise, cap_scope="Public")


def test_one_alarm_makes_one_warning_at_a_time(house, live):
    from haitang.alerting.drafting import Cause

    cause = Cause("monitoring.alarm:7", "潮位超过警戒", "Tide above the warning level", make.T0)
    first = make.draft(house, live, cause=cause)
    with pytest.raises(Refused, match="该起因已有预警"):
        make.draft(house, live, cause=cause)
    services.discard(first, by=house.duty)
    again = make.draft(house, live, cause=cause)
    assert again.description_zh.startswith("潮位超过警戒。")


def test_a_township_reads_a_warning_that_names_it_and_does_not_handle_it(house, live):
    warning = make.published(house, live)
    officer = make.person("east-duty", "duty_officer", house.bodies["east"], 3)
    assert Warning.objects.visible_to(officer).filter(pk=warning.pk).exists()
    for verb in (services.update, services.cancel):
        with pytest.raises(Forbidden, match="由应急指挥中心办理"):
            verb(warning, by=officer)
    with pytest.raises(Forbidden, match="西镇"):
        make.draft(house, live, by=officer, places=[house.west])


def test_every_step_stands_in_the_journal_in_both_languages(house, live):
    warning = make.published(house, live)
    entries = Entry.objects.filter(thread=f"alerting.warning:{warning.pk}", verb__startswith="alerting.").order_by(
        "seq"
    )
    assert [entry.verb for entry in entries] == [
        f"alerting.{step}" for step in ("draft", "submit", "approve", "publish")
    ]
    assert all(entry.text_zh and entry.text_en for entry in entries)
    after = entries.last().after
    assert after["places"] == ["990001"]
    assert {"identifier", "colour", "hazard", "kind", "msg_type", "status", "sha256"} <= set(after)
    assert verify(live) == []
