"""The response: started, raised, lowered, ended. Each states matter, level, term and measures (突发事件应对法 art. 72)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor
from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Refused, verb
from haitang.alerting.models import Warning
from haitang.geo.models import Level, Place
from haitang.geo.names import localised
from haitang.incidents.kinds import ORDER, REPORT, RESPONDERS
from haitang.incidents.models import Incident, IncidentPlace, LevelChange, State
from haitang.incidents.services import reports, tasks
from haitang.incidents.services.common import (
    category_of,
    commanders,
    hazard_names,
    journal,
    locked,
    move,
    must_reach,
    must_run,
    name_of,
    person,
)
from haitang.journal.services import thread_of
from haitang.obligations.models import OPEN, Obligation
from haitang.plans.models import Plan, PlanLevel, ResponseLevel
from haitang.spaces.clock import now
from haitang.spaces.models import Space


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What the law wants stated: matter, measures, expected term in hours. Left empty, the plan and the warning speak."""

    matter_zh: str = ""
    matter_en: str = ""
    measures_zh: str = ""
    measures_en: str = ""
    term_hours: float | None = None


def statement_for(
    *, plan: Plan | None, level: int, warning: Warning | None, given: Statement | None = None
) -> Statement:
    """A full statement from what is given, the plan's level and the warning. One query."""
    given = given or Statement()
    row = level_of(plan, level) if plan else None
    return Statement(
        matter_zh=given.matter_zh.strip() or (f"应对“{warning.headline_zh}”" if warning else ""),
        matter_en=given.matter_en.strip() or (f"Response to: {warning.headline_en or warning.headline_zh}" if warning else ""),
        measures_zh=given.measures_zh.strip() or (row.measures_zh if row else ""),
        measures_en=given.measures_en.strip() or (row.measures_en if row else ""),
        term_hours=given.term_hours or (row.term_hours if row else None),
    )  # fmt: skip


def missing(statement: Statement) -> list[str]:
    """What a statement lacks, in the reader's language; empty when it is complete."""
    lacks = {
        _("matter"): statement.matter_zh,
        _("measures"): statement.measures_zh,
        _("expected term"): statement.term_hours,
    }
    return [name for name, value in lacks.items() if not value]


def _must_be_complete(statement: Statement) -> None:
    lacks = missing(statement)
    if lacks:
        raise Refused(
            _("A response states its matter, level, expected term and measures (art. 72); missing: %(what)s")
            % {"what": ", ".join(lacks)}
        )


def level_of(plan: Plan, level: int) -> PlanLevel:
    """A plan's level; Refused where the plan has none such."""
    row = plan.levels.filter(level=level).first()
    if row is None:
        raise Refused(
            _("The plan “%(plan)s” has no level %(level)s") % {"plan": plan.name, "level": ResponseLevel(level).label}
        )
    return row


@verb("incidents.start", roles=RESPONDERS)
def start(
    *,
    space: Space,
    level: int,
    by: Actor,
    plan: Plan | None = None,
    place: Place | None = None,
    places: Sequence[Place] = (),
    owner: Organisation | None = None,
    hazard: str = "",
    category: str = "",
    name_zh: str = "",
    name_en: str = "",
    statement: Statement | None = None,
    warning: Warning | None = None,
    commander: User | None = None,
    reason_zh: str = "",
    reason_en: str = "",
) -> Incident:
    """Start the response to an event: its level's actions become tasks, its first report becomes due."""
    where = plan.place if plan else place
    if where is None:
        raise Refused(_("Say where the event is: choose a plan or a place"))
    must_reach(by, where)
    full = statement_for(plan=plan, level=level, warning=warning, given=statement)
    _must_be_complete(full)
    row = level_of(plan, level) if plan else None
    led_by = plan.owner if plan else owner or (by.organisation if isinstance(by, User) else None)
    if led_by is None:
        raise Refused(_("Say who leads the response: choose an organisation"))
    hazard = hazard or (warning.kind.hazard if warning else "") or (plan.hazards[0] if plan and plan.hazards else "")
    zh, en = hazard_names(hazard)
    at = now(space)
    incident = Incident(
        space=space, category=category or category_of(hazard), hazard=hazard, place=where, owner=led_by, plan=plan,
        name_zh=name_zh.strip() or f"{where.name_zh}{zh}应急响应", name_en=name_en.strip() or f"{where.name_en or where.name_zh}: {en} response",
        commander=commander or _commander(where, by), parent=_parent(space, where, hazard), level=level,
        colour=row.colour if row else ResponseLevel(level).colour, matter_zh=full.matter_zh, matter_en=full.matter_en,
        measures_zh=full.measures_zh, measures_en=full.measures_en, started_at=at, level_at=at, is_demo=bool(plan and plan.is_demo),
        term_until=at + timedelta(hours=full.term_hours) if full.term_hours else None,
    )  # fmt: skip
    try:
        with transaction.atomic():
            incident.save()
    except IntegrityError:
        running = Incident.objects.filter(space=space, plan=plan, state=State.ACTIVE).first()
        if running is None:
            raise
        raise Refused(_("A response of this plan is under way already: change its level instead")) from None
    area = list(places) or _all_of(where)
    IncidentPlace.objects.bulk_create(IncidentPlace(incident=incident, place=each) for each in area)
    if warning is not None:
        incident.warnings.add(warning.root or warning)
    if incident.parent is None:
        _adopt(incident)
    _changed(
        incident,
        None,
        full,
        by=by,
        warning=warning,
        clause=row.clause if row else "",
        reason=(reason_zh, reason_en),
        what="start",
    )
    if incident.parent is None:
        reports.ask_first(incident, by=by)
    return incident


def _commander(place: Place, by: Actor) -> User | None:
    if isinstance(by, User) and by.role in {Role.COMMANDER, Role.TOWNSHIP}:
        return by
    return next(iter(commanders(place)), None)


def _parent(space: Space, place: Place, hazard: str) -> Incident | None:
    """The response above that a township's belongs to."""
    rows = Incident.objects.filter(space=space, state=State.ACTIVE, parent=None).select_related("place")
    above = [row for row in rows if row.place.contains(place) and row.place_id != place.pk]
    return next((row for row in above if row.hazard == hazard), above[0] if len(above) == 1 else None)


def _adopt(incident: Incident) -> None:
    """Responses that townships started before the district did belong to the district's now."""
    rows = Incident.objects.filter(space=incident.space, state=State.ACTIVE, parent=None, hazard=incident.hazard)
    below = (
        rows.filter(place__path__startswith=incident.place.path).exclude(place=incident.place).exclude(pk=incident.pk)
    )
    below.update(parent=incident)


def _all_of(place: Place) -> list[Place]:
    return list(place.subtree().filter(level=Level.TOWNSHIP).order_by("path")) or [place]


def places_of(incident: Incident) -> list[Place]:
    """The places the response is for. One query."""
    return list(Place.objects.filter(pk__in=incident.areas.values("place")).order_by("path"))


def _changed(
    incident: Incident, before: int | None, full: Statement, *, by: Actor, warning: Warning | None, clause: str,
    reason: tuple[str, str], what: str,
) -> None:  # fmt: skip
    """Record the change, issue what the new level asks for and withdraw what only the old one did."""
    places = places_of(incident)
    change = LevelChange(
        incident=incident, at=now(incident.space), level_from=before, level_to=incident.level, colour=incident.colour,
        by=person(by), by_name=name_of(by), reason_zh=reason[0][:500], reason_en=reason[1][:500], matter_zh=full.matter_zh,
        matter_en=full.matter_en, measures_zh=full.measures_zh, measures_en=full.measures_en, term_hours=full.term_hours,
        clause=clause, warning=warning,
    )  # fmt: skip
    zh, en = _words(incident, before)
    told: dict[str, Any] = {
        "level": incident.level, "colour": incident.colour, "plan": incident.plan.code if incident.plan else None,
        "matter": full.matter_zh, "term_hours": full.term_hours, "measures": full.measures_zh, "places": [each.code for each in places],
        "hazard": incident.hazard, "parent": incident.parent_id, "reason": reason[0],
    }  # fmt: skip
    journal(
        incident, what, by, f"{zh}{'：' + reason[0] if reason[0] else ''}", f"{en}{': ' + reason[1] if reason[1] else ''}",
        before={"level": before} if before else None, after=told,
    )  # fmt: skip
    if before is not None:
        tasks.withdraw_beyond(incident, reason=localised(zh, en))
    change.unassigned = tasks.issue_level(incident, places, by=by)
    change.save()


def _words(incident: Incident, before: int | None) -> tuple[str, str]:
    name_zh = incident.plan.name_zh if incident.plan else incident.name_zh
    name_en = (incident.plan.name_en or name_zh) if incident.plan else incident.name_en or name_zh
    level = incident.numeral
    if before is None:
        return f"启动《{name_zh}》{level.zh}响应", f"Level {level.name} response started: {name_en}"
    was = ResponseLevel(before)
    zh, en = ("提升", "raised") if incident.level < before else ("降低", "lowered")
    return (
        f"应急响应由{was.zh}{zh}为{level.zh}：{incident.name_zh}",
        f"Response {en} from level {was.name} to {level.name}: {name_en}",
    )


@verb("incidents.change_level", roles=RESPONDERS)
def change_level(
    incident: Incident,
    *,
    level: int,
    by: Actor,
    statement: Statement | None = None,
    places: Iterable[Place] = (),
    warning: Warning | None = None,
    reason_zh: str = "",
    reason_en: str = "",
) -> Incident:
    """Raise or lower the response: further actions are issued, those of a level that is gone are withdrawn.

    `places` are added to the area of the response.
    """
    must_reach(by, incident.place)
    locked(incident)
    must_run(incident)
    before = incident.level
    if level == before:
        raise Refused(_("The response is at level %(level)s already") % {"level": incident.numeral.label})
    if not reason_zh.strip() and warning is None:
        raise Refused(_("Say why the level changes: the law wants the decision recorded"))
    given = statement or Statement()
    kept = Statement(
        matter_zh=given.matter_zh or incident.matter_zh, matter_en=given.matter_en or incident.matter_en,
        measures_zh=given.measures_zh, measures_en=given.measures_en, term_hours=given.term_hours,
    )  # fmt: skip
    full = statement_for(plan=incident.plan, level=level, warning=warning, given=kept)
    _must_be_complete(full)
    row = level_of(incident.plan, level) if incident.plan else None
    known = set(incident.areas.values_list("place_id", flat=True))
    IncidentPlace.objects.bulk_create(
        IncidentPlace(incident=incident, place=each) for each in places if each.pk not in known
    )
    at = now(incident.space)
    incident.level, incident.colour, incident.level_at = level, row.colour if row else ResponseLevel(level).colour, at
    incident.matter_zh, incident.matter_en = full.matter_zh, full.matter_en
    incident.measures_zh, incident.measures_en = full.measures_zh, full.measures_en
    incident.term_until = at + timedelta(hours=full.term_hours) if full.term_hours else None
    incident.save()
    if warning is not None:
        incident.warnings.add(warning.root or warning)
        reason_zh = reason_zh or f"依据“{warning.headline_zh}”"
        reason_en = reason_en or f"after: {warning.headline_en or warning.headline_zh}"
    _changed(
        incident, before, full, by=by, warning=warning, clause=row.clause if row else "",
        reason=(reason_zh.strip(), (reason_en or reason_zh).strip()), what="change_level",
    )  # fmt: skip
    return incident


@verb("incidents.end", roles=RESPONDERS)
def end(incident: Incident, *, by: Actor, reason_zh: str, reason_en: str = "") -> Incident:
    """End the response, and those of its townships: open tasks and orders are withdrawn, the final report becomes due."""
    must_reach(by, incident.place)
    locked(incident)
    reason_zh = reason_zh.strip()
    if not reason_zh:
        raise Refused(_("Say why the response ends: the law wants the decision recorded"))
    reason_en = (reason_en or reason_zh).strip()
    before, colour = incident.level, incident.colour
    move(incident, State.ENDED)
    incident.ended_at = now(incident.space)
    incident.save(update_fields=["state", "ended_at"])
    LevelChange.objects.create(
        incident=incident, at=incident.ended_at, level_from=before, level_to=None, colour=colour, by=person(by),
        by_name=name_of(by), reason_zh=reason_zh[:500], reason_en=reason_en[:500],
    )  # fmt: skip
    journal(
        incident, "end", by, f"终止应急响应：{incident.name_zh}（{reason_zh}）",
        f"Response ended: {incident.name_en or incident.name_zh} ({reason_en})", colour="green",
        before={"level": before}, after={"reason": reason_zh},
    )  # fmt: skip
    for child in incident.children.filter(state=State.ACTIVE):
        end(child, by=by, reason_zh=reason_zh, reason_en=reason_en)
    still = Obligation.objects.filter(space=incident.space, thread=thread_of(incident), state__in=OPEN)
    tasks.withdraw(
        still.exclude(kind=REPORT).select_related("owner"), localised("应急响应已终止", "The response has ended")
    )
    incident.orders.filter(withdrawn_at=None).exclude(pk__in=_answered(incident)).update(withdrawn_at=incident.ended_at)
    if incident.parent is None:
        reports.ask_final(incident, by=by)
    return incident


def _answered(incident: Incident) -> list[int]:
    """The orders that every organisation has carried out: those are done, not withdrawn."""
    rows = Obligation.objects.filter(space=incident.space, thread=thread_of(incident), kind=ORDER)
    told: dict[str, list[str]] = {}
    for subject, state in rows.values_list("subject_id", "state"):
        told.setdefault(subject, []).append(state)
    return [int(pk) for pk, states in told.items() if all(state in {"done", "confirmed"} for state in states)]


@verb("incidents.note", roles=RESPONDERS | {Role.DEPARTMENT, Role.GRID})
def note(incident: Incident, *, text: str, by: Actor) -> None:
    """Write a line into the incident's log."""
    text = text.strip()
    if not text:
        raise Refused(_("The note is empty: write what happened or was decided"))
    if len(text) > 1000:
        raise Refused(_("The note has %(n)s characters; at most 1000 fit") % {"n": len(text)})
    place = by.organisation.place if isinstance(by, User) and by.organisation else None
    inside = place if place is not None and incident.place.contains(place) else incident.place
    organisation = by.organisation if isinstance(by, User) else None
    journal(incident, "note", by, text, text, place=inside, organisation=organisation, colour="", after={"text": text})
