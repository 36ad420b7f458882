"""The command: decides on proposed responses, gives orders, confirms what was done; and at the end somebody looks back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

from django.db.models import QuerySet

from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.incidents import services as incidents
from haitang.incidents.models import Incident, LevelChange, Order, ProposalKind, ProposalState, ResponseProposal, State
from haitang.obligations import services as obligations
from haitang.obligations.kinds import KINDS
from haitang.obligations.models import Obligation
from haitang.obligations.models import State as Duty
from haitang.replay.cast.parts import Instruction, Part
from haitang.replay.cast.stage import Intent, Stage
from haitang.spaces.clock import now

REASONS: dict[str, tuple[str, str]] = {
    ProposalKind.START: ("同意启动", "agreed"),
    ProposalKind.RAISE: ("同意提升响应等级", "agreed"),
    ProposalKind.LOWER: ("风雨减弱，同意降低响应等级", "wind and rain are easing"),
    ProposalKind.END: ("预警解除，险情处置完毕，同意终止响应", "warnings have ended and dangers are dealt with"),
}
HASTE = frozenset({ProposalKind.START, ProposalKind.RAISE})
SLOWER = 2.5
"""Lowering and ending a response is thought over longer than starting one."""
SUMMARY_ZH = "本次推演由脚本扮演各方，各环节时间、逾期事项和与历史的对照见附表。预警发布、乡镇叫应、人员转移和任务办结均有记录可查。"
LESSONS_ZH = (
    "未按时应答的乡镇应核对责任人联系方式和代理次序；逾期任务应逐项查明原因；与历史时刻相差较大的环节应分析预报提前量。"
)


def decisions(stage: Stage) -> Iterator[Intent]:
    """Accept what warnings propose: the commander for the district, a township for itself."""
    rows = ResponseProposal.objects.filter(space=stage.space, state=ProposalState.OPEN)
    for proposal in rows.select_related("plan", "place", "owner", "warning", "space", "incident").order_by("pk"):
        who = _decider(stage, proposal)
        if who is None:
            continue
        kind = ProposalKind(proposal.kind)
        name = ("decide", proposal.plan.code, kind.value, proposal.level, stage.offset(proposal.proposed_at))
        median = stage.manners.start_min * (1.0 if kind in HASTE else SLOWER)
        if proposal.place.parent_id is not None:
            # A township waits for the district, whose decision counts for it too.
            median *= SLOWER
        zh, en = REASONS[kind]
        yield Intent(
            stage.after(proposal.proposed_at, median, *name), stage.key(name),
            partial(incidents.decide, proposal, accept=True, by=who, reason=zh, reason_en=en),
        )  # fmt: skip


def _decider(stage: Stage, proposal: ResponseProposal) -> User | None:
    if proposal.place.parent_id is None:
        return stage.commanders[0] if stage.plays(Part.COMMAND) and stage.commanders else None
    bodies = Organisation.objects.filter(place=proposal.place, kind=OrganisationKind.TOWNSHIP).order_by("path")
    body = stage.keep(("township", proposal.place_id), bodies.first)
    people = stage.members(body) if body is not None and stage.plays_for(body) else []
    return people[0] if people else None


def orders(stage: Stage) -> Iterator[Intent]:
    """Give the scenario's orders, once the response has stood at their level for so long."""
    if not stage.plays(Part.COMMAND) or not stage.commanders or not stage.directions.orders:
        return
    for incident in _of_district(stage).filter(state=State.ACTIVE):
        given = set(Order.objects.filter(incident=incident).values_list("text", flat=True))
        changes = list(LevelChange.objects.filter(incident=incident, level_to__isnull=False).order_by("pk"))
        for order in stage.directions.orders:
            reached = next(
                (each.at for each in changes if each.level_to is not None and each.level_to <= order.level), None
            )
            if order.text in given or reached is None:
                continue
            name = ("order", order.level, order.text)
            yield Intent(
                reached + timedelta(minutes=order.after_min), stage.key(name),
                partial(_give, incident, order, stage.commanders[0]),
            )  # fmt: skip


def _give(incident: Incident, order: Instruction, by: User) -> object:
    bodies = list(Organisation.objects.filter(code__in=order.to).order_by("path"))
    due = now(incident.space) + timedelta(minutes=order.due_min)
    return incidents.give(incident, text=order.text, organisations=bodies, by=by, leader=by.name_zh, due_at=due)


def confirmations(stage: Stage) -> Iterator[Intent]:
    """Confirm what was reported done."""
    if not stage.plays(Part.DUTY):
        return
    kinds = [kind.id for kind in KINDS.values() if kind.needs_confirmation]
    rows = Obligation.objects.filter(space=stage.space, state=Duty.DONE, kind__in=kinds).select_related("owner")
    for one in rows.order_by("pk"):
        if one.done_at is None:
            continue
        name = ("confirm", one.kind, one.owner.code, one.title_zh, stage.offset(one.opened_at))
        free = [user for user in stage.duty_officers if user.pk != one.done_by_id]
        officer = stage.pick(free, *name)
        if officer is not None:
            yield Intent(
                stage.after(one.done_at, stage.manners.confirm_min, *name), stage.key(name),
                partial(obligations.confirm, one, by=officer),
            )  # fmt: skip


def evaluations(stage: Stage) -> Iterator[Intent]:
    """When the response has ended and the last report is out: look back."""
    if not stage.plays(Part.COMMAND) or not stage.commanders:
        return
    for incident in _of_district(stage).filter(state=State.ENDED):
        since = _all_told(incident)
        if since is not None:
            name = ("evaluate", stage.offset(incident.started_at))
            yield Intent(
                stage.after(since, stage.manners.evaluate_min, *name), stage.key(name),
                partial(incidents.evaluate, incident, summary=SUMMARY_ZH, lessons=LESSONS_ZH, by=stage.commanders[0]),
            )  # fmt: skip


def _all_told(incident: Incident) -> datetime | None:
    """When the last report was sent; None while one is waited for."""
    reports = list(incident.reports.filter(withdrawn_at=None))
    if any(report.sent_at is None for report in reports):
        return None
    return max([incident.ended_at or incident.started_at, *(report.sent_at for report in reports if report.sent_at)])


def _of_district(stage: Stage) -> QuerySet[Incident]:
    rows: QuerySet[Incident] = Incident.objects.filter(space=stage.space, parent=None, place__parent=None)
    return rows.select_related("place", "owner", "plan", "space").order_by("pk")
