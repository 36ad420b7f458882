"""A level's actions as tasks of organisations: issued once each, withdrawn when the level that asked for them is gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from haitang.accounts.actors import SYSTEM, Actor
from haitang.accounts.models import Organisation
from haitang.geo.models import Place
from haitang.incidents.kinds import TASK
from haitang.incidents.models import Incident
from haitang.journal.services import thread_of
from haitang.obligations import services as obligations
from haitang.obligations.models import OPEN, Obligation, State
from haitang.plans import services as plans
from haitang.plans.models import PlanAction
from haitang.spaces.clock import now


def kind_of(action: PlanAction) -> str:
    """The kind of obligation an action becomes."""
    return TASK + ("_confirm" if action.confirm else "") + ("_photo" if action.photo else "")


def tasks_of(incident: Incident) -> list[Obligation]:
    """All tasks of the incident's plan, in the order in which they were issued. One query."""
    rows = obligations.for_subject(incident).filter(kind__startswith=TASK)
    return list(rows.order_by("issued_at", "pk"))


def standing(incident: Incident) -> set[tuple[int, str, str]]:
    """The tasks that were issued and not withdrawn, as (level, action, organisation). One query."""
    return {_identity(task) for task in tasks_of(incident) if task.state != State.WITHDRAWN}


def issue_level(incident: Incident, places: Iterable[Place], *, by: Actor) -> list[dict[str, str]]:
    """Issue the tasks of the present level that do not stand yet; returns the actions nobody answers for.

    The same action for the same organisation is issued once, however often levels change; after it was withdrawn it is
    issued anew.
    """
    if incident.plan is None:
        return []
    actions = plans.actions_at(incident.plan, incident.level)
    meant = plans.organisations_of(incident.plan, {code for action in actions for code in action.by}, places)
    issued = standing(incident)
    round_ = incident.changes.count()
    at = now(incident.space)
    gaps: list[dict[str, str]] = []
    for action in actions:
        bodies: dict[int, Organisation] = {}
        for code in action.by:
            if not meant.get(code):
                gaps.append({"action": action.code, "text_zh": action.text_zh, "text_en": action.text_en, "by": code})
            bodies.update({body.pk: body for body in meant.get(code, ())})
        for body in bodies.values():
            if (action.level.level, action.code, body.code) not in issued:
                _issue(
                    incident,
                    action,
                    body,
                    at + timedelta(minutes=action.minutes) if action.minutes else None,
                    round_,
                    by,
                )
    return gaps


def _identity(task: Obligation) -> tuple[int, str, str]:
    return int(task.data.get("level", 0)), str(task.data.get("code", "")), task.owner.code


def _issue(
    incident: Incident, action: PlanAction, body: Organisation, due: datetime | None, round_: int, by: Actor
) -> Obligation:
    photo_zh, photo_en = ("请附现场照片。", "A photograph is wanted.") if action.photo else ("", "")
    return obligations.issue(
        space=incident.space, kind=kind_of(action), owner=body, subject=incident, thread=incident, by=by, due_at=due,
        title_zh=action.text_zh, title_en=action.text_en or action.text_zh, colour=incident.colour, clause=action.clause,
        detail_zh=f"{incident.name_zh}（{incident.numeral.zh}）。{photo_zh}",
        detail_en=f"{incident.name_en or incident.name_zh} (level {incident.numeral.name}). {photo_en}".strip(),
        data={"level": action.level.level, "code": action.code, "moves": action.moves, "minutes": action.minutes},
        key=f"{thread_of(incident)}:{round_}:{action.level.level}:{action.code}:{body.code}",
    )  # fmt: skip


def withdraw_beyond(incident: Incident, *, reason: str) -> int:
    """Withdraw the open tasks that the present level does not ask for; returns how many."""
    if incident.plan is None:
        return 0
    wanted = {(action.level.level, action.code) for action in plans.actions_at(incident.plan, incident.level)}
    return withdraw((task for task in tasks_of(incident) if _identity(task)[:2] not in wanted), reason)


def withdraw(tasks: Iterable[Obligation], reason: str, *, states: Collection[str] = OPEN) -> int:
    """Withdraw those that are still open, by the platform: the verb that leads to it names the person."""
    gone = [task for task in tasks if task.state in states]
    for task in gone:
        obligations.withdraw(task, by=SYSTEM, reason=reason or _("The response has changed"))
    return len(gone)
