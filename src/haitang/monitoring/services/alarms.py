"""Alarms: opened, coloured and cleared by the platform; acknowledged, remarked on, assigned and closed by people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from haitang.accounts.actors import SYSTEM, Actor, System
from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import OPERATIONS, Role
from haitang.accounts.verbs import Forbidden, Refused, verb
from haitang.journal.services import record
from haitang.monitoring.models import Alarm, AlarmKind, AlarmState, Colour, Evaluator, Rule, Station
from haitang.monitoring.models.alarms import MOVES
from haitang.monitoring.quantities import figure
from haitang.monitoring.services import events
from haitang.obligations import models as obligation_models
from haitang.obligations import services as obligations
from haitang.spaces.clock import now
from haitang.spaces.models import Space

WATCHERS = OPERATIONS | {Role.DEPARTMENT, Role.TOWNSHIP}
NOBODY: frozenset[str] = frozenset()
"""Verbs that only the platform itself uses."""


@verb("monitoring.raise", roles=NOBODY)
def open_alarm(
    rule: Rule,
    *,
    space: Space,
    colour: Colour,
    value: float,
    at: datetime,
    by: Actor,
    received: datetime | None = None,
) -> Alarm:
    """Open an alarm: a reading met a threshold of the rule, or nothing was heard for too long."""
    series, station = rule.series, rule.series.station
    alarm = Alarm.objects.create(
        space=space, rule=rule, series=series, station=station, place=station.place,
        kind=AlarmKind.COMPOUND if rule.is_compound else AlarmKind.SILENCE if rule.silence_s else AlarmKind.THRESHOLD,
        colour=colour, peak_colour=colour, level=colour.level,
        what_zh=rule.describe("zh-hans"), what_en=rule.describe("en"), unit=rule.unit,
        threshold=_threshold(rule, colour), first_value=value, peak_value=value, peak_at=at, opened_at=at,
        received_wall=received, recorded_wall=timezone.now(),
    )  # fmt: skip
    alarm.station, alarm.place = station, station.place
    events.join(alarm, by=by)
    alarm.save(update_fields=["episode"])
    zh, en = _reading_text(alarm, rule, colour, value)
    journal(alarm, "monitoring.raise", by, after={"colour": colour, "value": value, "at": at}, zh=zh, en=en)
    return alarm


@verb("monitoring.colour", roles=NOBODY)
def change_colour(alarm: Alarm, *, colour: Colour, value: float, at: datetime, by: Actor) -> Alarm:
    """Give an open alarm the colour its rule has now; a rise asks for a new acknowledgement. Saves the peak set on it."""
    before, rises = Colour(alarm.colour), colour.level > alarm.level
    alarm.colour, alarm.level = colour, colour.level
    changed = ["colour", "level", "peak_value", "peak_at"]
    if rises:
        if colour.level > Colour(alarm.peak_colour).level:
            alarm.peak_colour = colour
        alarm.threshold = _threshold(alarm.rule, colour) if alarm.rule else alarm.threshold
        changed += ["peak_colour", "threshold"]
        changed += off_the_shelf(alarm)
        events.follow(alarm, at, by=by)
        if alarm.state == AlarmState.ACKNOWLEDGED:
            _move(alarm, AlarmState.ACTIVE)
            changed.append("state")
    alarm.save(update_fields=changed)
    zh, en = _reading_text(alarm, alarm.rule, colour, value)
    if not rises:
        zh = f"{alarm.station.name_zh}{alarm.what_zh} {_figure(value)} {alarm.symbol}，由{before.zh}色降为{colour.zh}色"
        en = f"{_en(alarm.station)} {alarm.what_en} {_figure(value)} {alarm.symbol}, down from {before} to {colour}"
    journal(
        alarm, "monitoring.rise" if rises else "monitoring.lower", by,
        before={"colour": before}, after={"colour": colour, "value": value, "at": at}, zh=zh, en=en,
    )  # fmt: skip
    return alarm


@verb("monitoring.clear", roles=NOBODY)
def clear_alarm(alarm: Alarm, *, value: float | None, at: datetime | None, by: Actor) -> Alarm:
    """End the episode: the rule holds no more, or (no value) the rule was changed or taken away."""
    before = alarm.state
    _move(alarm, AlarmState.CLEARED)
    alarm.cleared_at = at or now(alarm.space)
    alarm.save(update_fields=["state", "cleared_at", "peak_value", "peak_at", *off_the_shelf(alarm)])
    figure = "" if value is None else f" {_figure(value)} {alarm.symbol}"
    if value is None:
        zh, en = "规则已修改或停用，告警解除", "cleared: its rule was changed or withdrawn"
    elif alarm.kind == AlarmKind.SILENCE:
        zh, en = "恢复上报，告警解除", "reporting again, alarm cleared"
    else:
        zh, en = "告警解除", "alarm cleared"
    journal(
        alarm, "monitoring.clear", by, before={"state": before},
        after={"state": alarm.state, "value": value, "at": alarm.cleared_at},
        zh=f"{alarm.station.name_zh}{alarm.what_zh}{figure}，{zh}", en=f"{_en(alarm.station)} {alarm.what_en}{figure}: {en}",
    )  # fmt: skip
    return alarm


@verb("monitoring.acknowledge", roles=WATCHERS)
def acknowledge(alarm: Alarm, *, by: Actor, note: str = "") -> Alarm:
    """Say that somebody has seen the alarm and is dealing with it."""
    alarm = mine(alarm, by)
    _move(alarm, AlarmState.ACKNOWLEDGED)
    alarm.acknowledged_at = now(alarm.space)
    alarm.acknowledged_by_id = by.pk
    alarm.save(update_fields=["state", "acknowledged_at", "acknowledged_by"])
    journal(
        alarm, "monitoring.acknowledge", by, after={"state": alarm.state, "note": note},
        zh=f"确认告警：{zh_title(alarm)}" + (f"（{note}）" if note else ""),
        en=f"Acknowledged: {en_title(alarm)}" + (f" ({note})" if note else ""),
    )  # fmt: skip
    return alarm


@verb("monitoring.comment", roles=WATCHERS | {Role.GRID})
def comment(alarm: Alarm, *, text: str, by: Actor) -> Alarm:
    """Add a remark to the alarm's record."""
    alarm = mine(alarm, by)
    text = text.strip()
    if not text:
        raise Refused(_("The remark is empty. Write what you saw or did."))
    if len(text) > 1000:
        raise Refused(_("The remark has %(n)s characters; at most 1000 fit.") % {"n": len(text)})
    journal(alarm, "monitoring.comment", by, after={"text": text}, zh=text, en=text)
    return alarm


@verb("monitoring.assign", roles=WATCHERS)
def assign(
    alarm: Alarm,
    *,
    organisation: Organisation,
    by: Actor,
    person: User | None = None,
    task: str = "",
    due_at: datetime | None = None,
) -> Alarm:
    """Make an organisation, or one of its people, answer for the alarm; with a `task` that is an obligation until done."""
    alarm = mine(alarm, by)
    task = task.strip()
    if alarm.state == AlarmState.CLOSED:
        raise Refused(_("The alarm is closed; it cannot be assigned any more."))
    if person is not None and not (person.organisation and person.organisation.path.startswith(organisation.path)):
        raise Refused(_("%(name)s does not belong to this organisation.") % {"name": person.name or person.username})
    if task and due_at is not None and due_at <= now(alarm.space):
        raise Refused(_("It would be due before it is given: choose a later time."))
    before, whose = alarm.assignee, alarm.person
    alarm.assignee, alarm.person = organisation, person
    alarm.save(update_fields=["assignee", "person"])
    if task:
        obligations.issue(
            space=alarm.space, kind="monitoring.handle", owner=organisation, person=person, subject=alarm, thread=alarm, by=by,
            due_at=due_at, place=alarm.place, colour=alarm.colour, title_zh=f"{task}（{zh_title(alarm)}）", title_en=f"{task} ({en_title(alarm)})",
        )  # fmt: skip
    name_zh = organisation.name_zh + (f" {person.name_zh or person.username}" if person else "")
    name_en = (organisation.name_en or organisation.name_zh) + (
        f", {person.name_en or person.username}" if person else ""
    )
    journal(
        alarm, "monitoring.assign", by,
        before={"assignee": before.code if before else None, **({"person": whose.username} if whose else {})},
        after={"assignee": organisation.code, **({"person": person.username} if person else {}), **({"task": task} if task else {})},
        zh=f"告警交由{name_zh}处置：{zh_title(alarm)}" + (f"（{task}）" if task else ""),
        en=f"Assigned to {name_en}: {en_title(alarm)}" + (f" ({task})" if task else ""),
    )  # fmt: skip
    return alarm


@verb("monitoring.close", roles=WATCHERS)
def close(alarm: Alarm, *, by: Actor, note: str = "") -> Alarm:
    """Put a cleared alarm away."""
    alarm = mine(alarm, by)
    _move(alarm, AlarmState.CLOSED)
    alarm.closed_at = now(alarm.space)
    alarm.save(update_fields=["state", "closed_at"])
    for open_ in obligations.for_subject(alarm).filter(state__in=obligation_models.OPEN):
        obligations.withdraw(open_, by=SYSTEM, reason="告警已关闭 The alarm was closed")
    journal(
        alarm, "monitoring.close", by, after={"state": alarm.state, "note": note},
        zh=f"关闭告警：{zh_title(alarm)}" + (f"（{note}）" if note else ""),
        en=f"Closed: {en_title(alarm)}" + (f" ({note})" if note else ""),
    )  # fmt: skip
    return alarm


def off_the_shelf(alarm: Alarm) -> list[str]:
    """Take it from the shelf, unsaved; returns the fields that changed."""
    if alarm.shelved_until is None:
        return []
    alarm.shelved_until, alarm.shelf_reason, alarm.shelved_by = None, "", None
    return ["shelved_until", "shelf_reason", "shelved_by"]


def mine(alarm: Alarm, by: Actor) -> Alarm:
    """The alarm as it is now, locked, if the actor may see it."""
    # As the evaluator does it: its row first, then alarms, then the journal. So neither waits for the other in a ring,
    # and no change of colour passes an acknowledgement by.
    list(Evaluator.objects.select_for_update().filter(pk=alarm.space_id).values_list("pk"))
    rows = Alarm.objects.select_for_update(of=("self",)).select_related(
        "station__operator", "place", "series", "rule", "space", "assignee", "person", "episode__place"
    )
    if not isinstance(by, System):
        rows = rows.filter(pk__in=Alarm.objects.visible_to(by).filter(pk=alarm.pk).values("pk"))
    found = rows.filter(pk=alarm.pk).first()
    if found is None:
        raise Forbidden(_("This alarm is outside your scope."))
    return found


def _move(alarm: Alarm, to: AlarmState) -> None:
    allowed = MOVES[AlarmState(alarm.state)]
    if to not in allowed:
        raise Refused(
            _("The alarm is %(state)s; from there it can only become: %(allowed)s.")
            % {
                "state": AlarmState(alarm.state).label,
                "allowed": ", ".join(str(state.label) for state in AlarmState if state in allowed) or _("nothing more"),
            }
        )
    alarm.state = to


def journal(
    alarm: Alarm,
    name: str,
    by: Actor,
    *,
    zh: str,
    en: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """One entry about an alarm."""
    record(
        space=alarm.space, verb=name, by=by, subject=alarm, thread=alarm, place=alarm.place,
        organisation=alarm.station.operator, colour=alarm.colour, before=before, after=after, text_zh=zh, text_en=en,
    )  # fmt: skip


def _threshold(rule: Rule, colour: Colour) -> float | None:
    return rule.thresholds[colour.level - 1] if not rule.silence_s else None


def _reading_text(alarm: Alarm, rule: Rule | None, colour: Colour, value: float) -> tuple[str, str]:
    zh, en = f"{alarm.station.name_zh}{alarm.what_zh}", f"{_en(alarm.station)} {alarm.what_en}"
    if alarm.kind == AlarmKind.SILENCE:
        minutes = f"{(rule.silence_s if rule else 0) / 60:g}"
        return (
            f"{zh}超过 {minutes} 分钟未上报（{colour.zh}色）",
            f"{en}: nothing for more than {minutes} min ({colour})",
        )
    if alarm.kind == AlarmKind.COMPOUND:
        return (
            f"{zh}：{colour.zh}色条件成立（{_figure(value)} 项告警）",
            f"{en}: {colour} conditions met ({_figure(value)} rules stand)",
        )
    unit, edge = alarm.symbol, _figure(alarm.threshold)
    falling = rule is not None and rule.direction == "falling"
    verb_zh, verb_en = ("降至", "at or below") if falling else ("达到", "at or above")
    return (
        f"{zh} {_figure(value)} {unit}，{verb_zh}{colour.zh}色阈值 {edge} {unit}",
        f"{en} {_figure(value)} {unit}, {verb_en} the {colour} threshold {edge} {unit}",
    )


def _figure(value: float | None) -> str:
    return figure(value, 3)


def _en(station: Station) -> str:
    return station.name_en or station.name_zh


def zh_title(alarm: Alarm) -> str:
    """The alarm in a Chinese sentence."""
    return f"{alarm.station.name_zh}{alarm.what_zh}（{Colour(alarm.colour).zh}色）"


def en_title(alarm: Alarm) -> str:
    """The alarm in an English sentence."""
    return f"{_en(alarm.station)} {alarm.what_en} ({alarm.colour})"
