"""Townships and departments: they answer warnings, soon, late or when somebody calls; and they do what they are asked to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

from django.db.models import QuerySet

from haitang.accounts.models import User
from haitang.obligations import services as obligations
from haitang.obligations.models import OPEN, Obligation, State
from haitang.replay.cast.parts import Manner, draw
from haitang.replay.cast.stage import Intent, Stage

ANSWER = "alerting.answer"
# Decided on pages of their own, by parts of their own.
OTHERS = frozenset({ANSWER, "alerting.approve", "incidents.decide", "incidents.report"})
URGENCY = {"red": 0.4, "orange": 0.8, "yellow": 1.0, "blue": 1.3}
"""The graver, the fewer are late or silent."""


def answers(stage: Stage) -> Iterator[Intent]:
    """Acknowledge warnings."""
    for one in _open(stage).filter(kind=ANSWER):
        if not stage.plays_for(one.owner):
            continue
        name = _name(stage, one)
        how = stage.manner(*name, urgency=URGENCY.get(one.colour, 1.0))
        people = stage.members(one.owner)
        if not people:
            continue
        manners = stage.manners
        who, note, at = people[0], "", stage.after(one.opened_at, manners.answer_min, *name)
        if how is Manner.LATE:
            # By then the deputy has been called too.
            who = people[min(1, len(people) - 1)]
            at = stage.after(one.opened_at, manners.late_min, *name)
        elif how is Manner.SILENT:
            asked = one.overdue_at or one.due_at or one.opened_at + timedelta(minutes=2 * manners.late_min)
            who, note = people[min(1, len(people) - 1)], "电话叫应后补签"
            at = stage.after(asked, manners.phoned_min, *name)
        yield Intent(at, stage.key(name), partial(obligations.complete, one, by=who, note=note))


def tasks(stage: Stage) -> Iterator[Intent]:
    """Receive, begin and report done what a response asks for."""
    for one in _open(stage).exclude(kind__in=OTHERS):
        if not stage.plays_for(one.owner):
            continue
        people = [one.person] if one.person else stage.members(one.owner)
        if people:
            yield _next_step(stage, one, people[0])


def _next_step(stage: Stage, one: Obligation, who: User) -> Intent:
    name, manners = _name(stage, one), stage.manners
    how = stage.manner(*name)
    if one.state == State.ISSUED and not one.kind_info.one_press:
        at = stage.after(one.opened_at, manners.receive_min, "receive", *name)
        if how is Manner.SILENT:
            at = stage.after(one.opened_at, manners.late_min, "receive", *name)
        return Intent(at, stage.key(("receive", *name)), partial(obligations.receive, one, by=who))
    if one.state == State.RECEIVED:
        since = one.received_at or one.opened_at
        at = stage.after(since, manners.begin_min, "start", *name)
        return Intent(at, stage.key(("start", *name)), partial(obligations.start, one, by=who))
    at = done_at(stage, one)
    return Intent(at, stage.key(("done", *name)), partial(obligations.complete, one, by=who))


def done_at(stage: Stage, one: Obligation) -> datetime:
    """When the cast will report a task done that it has begun."""
    name = _name(stage, one)
    how = stage.manner(*name)
    since = one.started_at or one.received_at or one.opened_at
    if one.due_at is None or one.due_at <= one.opened_at:
        return stage.after(since, 3 * stage.manners.begin_min, "done", *name)
    whole = (one.due_at - one.opened_at).total_seconds()
    share = stage.manners.late_share if how is not Manner.PROMPT else stage.manners.task_share
    drawn = share * (0.75 + 0.5 * draw(stage.run.seed, "done", *name).random())
    # Not in the moment in which it was begun.
    return max(one.opened_at + timedelta(seconds=round(whole * drawn)), since + timedelta(minutes=2))


def _open(stage: Stage) -> QuerySet[Obligation]:
    rows: QuerySet[Obligation] = Obligation.objects.filter(space=stage.space, state__in=OPEN)
    return rows.select_related("owner", "person").order_by("pk")


def _name(stage: Stage, one: Obligation) -> tuple[object, ...]:
    """What an obligation is called in every run of the same seed."""
    issued = round((one.opened_at - stage.run.begin).total_seconds())
    return one.kind, one.owner.code, one.title_zh, issued
