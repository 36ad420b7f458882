"""A whole storm without processes: from the first reading to the evaluation, the same every time. Issue 2.5; P1."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest

from haitang.accounts.models import Organisation, User
from haitang.alerting import services as alerting
from haitang.alerting.models import State as WarningState
from haitang.alerting.models import Warning
from haitang.delivery.models import Delivery
from haitang.delivery.states import State as DeliveryState
from haitang.incidents import services as incidents
from haitang.incidents.models import Incident
from haitang.journal import services as journal
from haitang.journal.models import Entry
from haitang.monitoring.models import Alarm
from haitang.obligations.models import Obligation
from haitang.replay import headless, library
from haitang.replay.models import RunState, StormFix
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db


def verbs(space: Space) -> Counter[str]:
    return Counter(Entry.objects.filter(space=space).values_list("verb", flat=True))


def after(minutes: float) -> datetime:
    return library.find("tiny", "sanzhou").start + timedelta(minutes=minutes)


def story(space: Space) -> list[tuple]:
    return list(Entry.objects.filter(space=space).order_by("seq").values_list("at", "verb", "text_zh", "actor_name"))


def test_the_loop_closes_from_the_first_reading_to_the_evaluation_and_nothing_leaves(sanzhou: str) -> None:
    """P1: sense, warn, respond, recover, evaluate; 3.1.4, 3.4.2, 3.5.2 in outline; exercise messages stay inside."""
    live_before = Entry.objects.filter(space=Space.live()).count()
    outcome = headless.run("tiny", pack=sanzhou)
    space = outcome.space
    seen = verbs(space)
    for verb in (
        "monitoring.raise", "monitoring.acknowledge", "alerting.draft", "alerting.submit", "alerting.approve", "alerting.publish",
        "incidents.propose", "incidents.start", "incidents.change_level", "obligations.receive", "obligations.start",
        "obligations.done", "obligations.escalate", "obligations.confirm", "incidents.order", "incidents.figure",
        "resources.count_heads", "incidents.report", "incidents.end", "incidents.evaluate", "replay.end", "spaces.close",
    ):  # fmt: skip
        assert seen[verb] > 0, verb
    assert "red" in set(Alarm.objects.filter(space=space).values_list("peak_colour", flat=True))
    assert not Warning.objects.filter(space=space, state=WarningState.PUBLISHED).exclude(msg_type="Cancel").exists()

    incident = Incident.objects.get(space=space, parent=None)
    assert incident.state == "evaluated" and incident.level == 4
    assert incidents.totals_of(incident)["moved"].value == 330
    measured = incidents.measure(incident)
    at = {step.name: step.at for step in measured.steps}
    order = [at[name] for name in ("reading", "alarm", "warning", "started", "first_task", "ended")]
    assert all(order) and order == sorted(order)  # type: ignore[type-var]
    assert [(row.label_en, bool(row.at)) for row in measured.history] == [
        ("Yellow typhoon warning (invented)", True), ("330 people moved (invented)", True),
    ]  # fmt: skip

    outcome.run.refresh_from_db()
    assert outcome.run.state == RunState.ENDED and not Space.objects.get(pk=space.pk).is_open
    assert StormFix.objects.filter(space=space).count() == 3
    assert journal.verify(space) == []

    rows = Delivery.objects.filter(space=space)
    assert rows.count() > 20
    assert not rows.filter(message__is_drill=False).exists()
    assert not rows.exclude(channel="inapp").filter(is_simulated=False).exclude(state=DeliveryState.BLOCKED).exists()
    assert not rows.exclude(gateway_ref="").exists()
    assert set(Warning.objects.filter(space=space).values_list("status", flat=True)) == {"Exercise"}
    assert not Warning.objects.public().filter(space=space).exists()
    assert Entry.objects.filter(space=Space.live()).count() == live_before


def test_the_same_seed_tells_the_same_story_and_another_seed_another(sanzhou: str) -> None:
    """Determinism: texts and times of the journal, in the order in which they were written."""
    one, two = (headless.run("tiny", pack=sanzhou, until=after(45)).space for _ in range(2))
    assert story(one) == story(two) and len(story(one)) > 40
    other = headless.run("tiny", pack=sanzhou, until=after(25), seed=8).space
    assert story(other) != story(one)[: len(story(other))]


def test_without_a_cast_only_the_platform_acts(sanzhou: str) -> None:
    """--cast none: alarms rise and nobody answers; a newcomer may."""
    space = headless.run("tiny", pack=sanzhou, parts=()).space
    seen = verbs(space)
    assert seen["monitoring.raise"] > 0 and seen["alerting.draft"] == 0 and seen["monitoring.acknowledge"] == 0
    assert Space.objects.get(pk=space.pk).is_open, "people may still finish their work"


def test_townships_play_along_when_a_person_warns_and_commands(sanzhou: str) -> None:
    """--cast townships: what a newcomer publishes is answered; nobody else drafts, approves or decides."""
    people = {user.username: user for user in User.objects.all()}
    drafted: list[Warning] = []

    def newcomer(moment: datetime, share: float) -> None:
        alarm = Alarm.objects.filter(state="active", series__quantity="wind_gust").first()
        if alarm is not None and not drafted:
            warning = alerting.draft_from_alarm(alarm, by=people["duty"])
            alerting.submit(warning, by=people["duty"])
            alerting.approve(warning, by=people["commander"])
            drafted.append(alerting.publish(warning, by=people["commander"]))

    space = headless.run("tiny", pack=sanzhou, parts=("townships",), progress=newcomer, until=after(45)).space
    answer = Obligation.objects.get(space=space, kind="alerting.answer")
    assert answer.state == "done" and answer.done_by is not None and answer.done_by.organisation == answer.owner
    seen = verbs(space)
    assert seen["alerting.draft"] == 1 and seen["incidents.propose"] > 0 and seen["incidents.start"] == 0


def test_a_spared_township_is_left_to_people(sanzhou: str) -> None:
    """Take part: a newcomer answers for one township while the cast plays everybody else."""
    spared = Organisation.objects.get(code="990101101")
    space = headless.run("tiny", pack=sanzhou, spared=[spared], until=after(28)).space
    asked = Obligation.objects.filter(space=space, kind="alerting.answer")
    assert asked.filter(owner=spared).exists() and not asked.filter(owner=spared, done_at__isnull=False).exists()
    assert asked.exclude(owner=spared).filter(done_at__isnull=False).exists()
