"""Reports to the government above: asked for with a running limit, drafted from the record, frozen when sent."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from haitang.accounts.actors import SYSTEM, Actor, System
from haitang.accounts.models import Organisation, OrganisationKind
from haitang.accounts.roles import OPERATIONS, Role
from haitang.accounts.verbs import Refused, verb
from haitang.geo.names import localised
from haitang.incidents import figure_kinds, report_text
from haitang.incidents.kinds import REPORT
from haitang.incidents.models import Incident, Report, Stage
from haitang.incidents.services import rules, tasks
from haitang.incidents.services.common import journal, must_reach, person
from haitang.incidents.services.figures import totals_of
from haitang.incidents.services.warnings import published_for
from haitang.obligations import reach
from haitang.obligations import services as obligations
from haitang.obligations.models import OPEN, State
from haitang.plans.models import ResponseLevel
from haitang.spaces.clock import now

WRITERS = OPERATIONS | {Role.TOWNSHIP}
MOST_CHARS = 20_000


def ask_first(incident: Incident, *, by: Actor) -> Report | None:
    """The first report becomes due, counted from the start; None where no rule asks for one."""
    return _ask(incident, Stage.FIRST, incident.started_at, by=by)


def ask_final(incident: Incident, *, by: Actor) -> Report | None:
    """The response has ended: open follow-ups fall away, the final report becomes due."""
    for report in incident.reports.filter(sent_at=None, withdrawn_at=None, stage=Stage.FOLLOW):
        report.withdrawn_at = now(incident.space)
        report.save(update_fields=["withdrawn_at"])
        tasks.withdraw(
            obligations.for_subject(report).filter(kind=REPORT), localised("应急响应已终止", "The response has ended")
        )
    return _ask(incident, Stage.FINAL, incident.ended_at or now(incident.space), by=by)


def _ask(incident: Incident, stage: Stage, counted_from: datetime, *, by: Actor) -> Report | None:
    rule = rules.rule_for(incident, stage)
    if rule is None:
        return None
    report = Report.objects.create(
        incident=incident, stage=stage, number=_next_number(incident), rule=rule, addressee_zh=rule.addressee_zh,
        addressee_en=rule.addressee_en, law=rule.law, clause=rule.clause, asked_at=now(incident.space),
        due_at=counted_from + timedelta(minutes=rule.written_minutes),
        phone_due_at=counted_from + timedelta(minutes=rule.phone_minutes) if rule.phone_minutes else None,
    )  # fmt: skip
    phone_zh = (
        f"先电话报告（{timezone.localtime(report.phone_due_at):%H:%M}前），再书面报告。" if report.phone_due_at else ""
    )
    phone_en = (
        f"By telephone first (until {timezone.localtime(report.phone_due_at):%H:%M}), then in writing."
        if report.phone_due_at
        else ""
    )
    obligations.issue(
        space=incident.space, kind=REPORT, owner=_desk(incident), subject=report, thread=incident, by=by, due_at=report.due_at,
        title_zh=f"向{rule.addressee_zh}报送{report.title_zh}：{incident.name_zh}",
        title_en=f"{_english(report)} to the {rule.addressee_en or rule.addressee_zh}: {incident.name_en or incident.name_zh}",
        place=incident.place, colour=incident.colour, clause=f"{rule.law} {rule.clause}".strip()[:60], url=report.get_absolute_url(),
        detail_zh=phone_zh, detail_en=phone_en,
    )  # fmt: skip
    return report


def _english(report: Report) -> str:
    return {"first": "First report", "follow": f"Follow-up report {report.number - 1}", "final": "Final report"}[
        report.stage
    ]


def _next_number(incident: Incident) -> int:
    return int(incident.reports.aggregate(most=Max("number"))["most"] or 0) + 1


def _desk(incident: Incident) -> Organisation:
    """Who writes: the command centre of the place, else whoever leads."""
    command = Organisation.objects.filter(kind=OrganisationKind.COMMAND, place=incident.place).order_by("path").first()
    return command or incident.owner


@verb("incidents.add_report", roles=WRITERS)
def add(incident: Incident, *, by: Actor) -> Report:
    """The report that is to be written now: the open one, or a further follow-up."""
    must_reach(by, incident.place)
    waiting = incident.reports.filter(sent_at=None, withdrawn_at=None).order_by("number").first()
    if waiting is not None:
        return waiting
    if incident.reports.filter(stage=Stage.FINAL, sent_at__isnull=False).exists():
        raise Refused(_("The final report has been sent"))
    rule = rules.rule_for(incident, Stage.FOLLOW)
    report = Report.objects.create(
        incident=incident, stage=Stage.FOLLOW if incident.reports.exists() else Stage.FIRST, number=_next_number(incident), rule=rule,
        addressee_zh=rule.addressee_zh if rule else "上级人民政府", addressee_en=rule.addressee_en if rule else "Government above",
        law=rule.law if rule else "", clause=rule.clause if rule else "", asked_at=now(incident.space),
    )  # fmt: skip
    journal(incident, "add_report", by, f"拟写{report.title_zh}", f"{_english(report)} begun", subject=report)
    return report


@verb("incidents.save_report", roles=WRITERS)
def save(report: Report, *, text: str, by: Actor) -> Report:
    """Keep a report's text as a draft."""
    must_reach(by, report.incident.place)
    _must_be_open(report)
    report.text, report.edited_at = _checked(text, empty=True), now(report.incident.space)
    report.save(update_fields=["text", "edited_at"])
    journal(
        report.incident,
        "save_report",
        by,
        f"保存{report.title_zh}草稿",
        f"Draft saved: {_english(report)}",
        subject=report,
    )
    return report


@verb("incidents.phone_report", roles=WRITERS)
def phone(report: Report, *, by: Actor) -> Report:
    """Note that the report was given by telephone."""
    must_reach(by, report.incident.place)
    _must_be_open(report)
    if report.phoned_at is None:
        report.phoned_at = now(report.incident.space)
        report.save(update_fields=["phoned_at"])
        late = report.phone_due_at is not None and report.phoned_at > report.phone_due_at
        journal(
            report.incident, "phone_report", by, f"已向{report.addressee_zh}电话报告{'（超时）' if late else ''}",
            f"Reported by telephone to the {report.addressee_en or report.addressee_zh}{' (late)' if late else ''}",
            subject=report, after={"late": late},
        )  # fmt: skip
    return report


@verb("incidents.report", roles=WRITERS)
def send(report: Report, *, text: str, by: Actor) -> Report:
    """Send a report: its text is frozen with its SHA-256, its clock stops, the next one's begins."""
    incident = report.incident
    must_reach(by, incident.place)
    Incident.objects.select_for_update().only("pk").get(pk=incident.pk)
    report.refresh_from_db(fields=["sent_at", "withdrawn_at"])
    _must_be_open(report)
    report.text = _checked(text)
    report.sent_at, report.sent_by = now(incident.space), person(by)
    report.sha256 = hashlib.sha256(report.text.encode()).hexdigest()
    report.save()
    late = " 超时" if report.is_late else ""
    journal(
        incident, "report", by, f"已向{report.addressee_zh}报送{report.title_zh}{late}",
        f"{_english(report)} sent to the {report.addressee_en or report.addressee_zh}{' (late)' if report.is_late else ''}",
        subject=report, colour="orange" if report.is_late else "green",
        after={"stage": report.stage, "number": report.number, "late": report.is_late, "sha256": report.sha256},
    )  # fmt: skip
    for one in obligations.for_subject(report).filter(kind=REPORT, state__in=OPEN):
        own = isinstance(by, System) or reach.answers_for(by, one)
        obligations.complete(one, by=by if own else SYSTEM)
    if incident.is_active and report.stage != Stage.FINAL:
        _ask(incident, Stage.FOLLOW, report.sent_at, by=SYSTEM)
    return report


def _must_be_open(report: Report) -> None:
    if report.is_sent:
        raise Refused(_("This report was sent and cannot be changed: write a follow-up"))
    if report.withdrawn_at is not None:
        raise Refused(_("This report is not asked for any more"))


def _checked(text: str, *, empty: bool = False) -> str:
    text = text.replace("\r\n", "\n").strip()
    if not text and not empty:
        raise Refused(_("The report is empty: draft it from the record, or write it"))
    if len(text) > MOST_CHARS:
        raise Refused(_("The report has %(n)s characters; at most %(most)s fit") % {"n": len(text), "most": MOST_CHARS})
    return text


def draft(report: Report) -> str:
    """A report's text from what is recorded now. Eight queries."""
    return report_text.draft(facts_of(report))


def facts_of(report: Report) -> report_text.Facts:
    """What is known for a report."""
    incident = report.incident
    family = [incident, *incident.children.all()]
    listed = [task for each in family for task in tasks.tasks_of(each) if task.state != State.WITHDRAWN]
    totals = totals_of(incident)
    harm = [kind for kind in totals if kind not in {"to_move", "moved", "sheltered"}]
    at = timezone.localtime(now(incident.space))
    changes = list(incident.changes.all())
    first = changes[0] if changes else None
    return report_text.Facts(
        stage=report.stage, number=report.number, is_exercise=incident.space.is_exercise, place=incident.place.name_zh,
        name=incident.name_zh, level=ResponseLevel(first.level_to if first and first.level_to else incident.level).zh,
        plan=incident.plan.name_zh if incident.plan else "",
        matter=incident.matter_zh, started=timezone.localtime(incident.started_at), at=at,
        leader=incident.commander.name_zh if incident.commander else "",
        ended=timezone.localtime(incident.ended_at) if incident.ended_at else None,
        warnings=[f"{timezone.localtime(row.published_at):%H时%M分}{row.headline_zh}" for row in published_for(incident) if row.published_at],
        changes=[(timezone.localtime(each.at), _change_zh(each.level_from, each.level_to)) for each in changes if each.level_to],
        figures=[(figure_kinds.kind(kind).name_zh, f"{figure_kinds.shown(total.value)}{figure_kinds.kind(kind).unit_zh}") for kind, total in totals.items()],
        harm_reported=any(totals[kind].value > 0 for kind in harm), measures=incident.measures_zh, tasks_all=len(listed),
        tasks_done=sum(task.state in {State.DONE, State.CONFIRMED} for task in listed),
        tasks_overdue=sum(task.is_overdue for task in listed), orders=[order.text for order in incident.orders.all()],
    )  # fmt: skip


def _change_zh(before: int | None, after: int) -> str:
    if before is None:
        return f"启动{ResponseLevel(after).zh}响应"
    return f"{'升' if after < before else '降'}为{ResponseLevel(after).zh}响应"
