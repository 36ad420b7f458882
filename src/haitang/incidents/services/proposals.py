"""From a published warning to a proposed level (3.1.4): proposed to the commander, or started where the plan says so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from haitang.accounts.actors import SYSTEM, Actor
from haitang.accounts.verbs import Refused, verb
from haitang.alerting import composing
from haitang.alerting.models import MsgType, Status, Warning
from haitang.geo.models import Place
from haitang.incidents.kinds import DECIDE, RESPONDERS
from haitang.incidents.models import Incident, ProposalKind, ProposalState, ResponseProposal, State
from haitang.incidents.services import response, rules, tasks
from haitang.incidents.services.common import commanders, must_reach, person
from haitang.incidents.services.response import Statement
from haitang.journal.services import record
from haitang.obligations import reach
from haitang.obligations import services as obligations
from haitang.obligations.models import OPEN
from haitang.plans import services as plans
from haitang.plans.conditions import ANY, Signal, touches
from haitang.plans.models import Plan, PlanLevel, Start
from haitang.spaces.clock import now
from haitang.spaces.models import Space


def is_meant(warning: Warning) -> bool:
    """Whether a warning asks for a response in its space: an actual one, or an exercise's within an exercise."""
    return warning.status == (Status.EXERCISE if warning.space.is_exercise else Status.ACTUAL)


def in_force(space: Space, *, but: Warning | None = None) -> list[Signal]:
    """The warnings in force in a space as plans read them. Two queries and two per warning drawn by hand."""
    return [_signal(row) for row in _in_force(space) if but is None or row.pk != but.pk]


def _in_force(space: Space) -> list[Warning]:
    status = Status.EXERCISE if space.is_exercise else Status.ACTUAL
    rows = Warning.objects.in_force(now(space)).filter(space=space, status=status).defer("cap_xml")
    return list(rows.select_related("kind", "root"))


def _signal(warning: Warning) -> Signal:
    return Signal(
        warning.kind.hazard, warning.colour, frozenset(place.path for place in composing.townships_of(warning))
    )


def consider(warning: Warning) -> None:
    """Look at what a warning that was published, cancelled or ran out means for the plans. In its transaction."""
    if not is_meant(warning):
        return
    root = warning.root or warning
    if warning.msg_type != MsgType.CANCEL and warning.ended_at is None:
        also = in_force(warning.space, but=warning)
        places = composing.townships_of(warning)
        for found in plans.matching(warning.kind.hazard, warning.colour, places, also=also):
            _consider_level(found, warning)
    _consider_lowering(warning, root)


def _consider_level(found: plans.Proposal, warning: Warning) -> None:
    running = _running(warning.space, found.plan)
    if running is None:
        _ask_or_start(ProposalKind.START, found.level, found.places, warning, None)
        return
    running.warnings.add(warning.root or warning)
    if found.level.level < running.level:
        _ask_or_start(ProposalKind.RAISE, found.level, found.places, warning, running)


def _running(space: Space, plan: Plan) -> Incident | None:
    rows = Incident.objects.filter(space=space, plan=plan, state=State.ACTIVE)
    return rows.select_related("place", "owner", "plan__place", "plan__owner", "space").first()


def _consider_lowering(warning: Warning, root: Warning) -> None:
    """Responses to this chain of warnings whose condition holds no more at their level: lower them, or end them."""
    linked = Incident.objects.filter(space=warning.space, state=State.ACTIVE, warnings=root, plan__isnull=False)
    rows = list(linked.select_related("place", "owner", "plan__place", "plan__owner", "space"))
    signals = in_force(warning.space) if rows else []
    for incident in rows:
        assert incident.plan is not None
        level = plans.level_met(incident.plan, signals)
        if level is None:
            _propose(ProposalKind.END, incident.plan, None, (), warning, incident)
        elif level.level > incident.level:
            _propose(ProposalKind.LOWER, incident.plan, level, (), warning, incident)
    if warning.msg_type == MsgType.CANCEL or warning.ended_at is not None:
        # What was asked for by a warning that is over need not be decided any more.
        _supersede(
            ResponseProposal.objects.filter(
                Q(warning=root) | Q(warning__root=root), kind__in=("start", "raise"), space=warning.space
            )
        )


def _ask_or_start(
    kind: ProposalKind, level: PlanLevel, places: Sequence[Place], warning: Warning, running: Incident | None
) -> None:
    proposal = _propose(kind, level.plan, level, places, warning, running)
    if proposal is None or level.start != Start.AUTO:
        return
    full = response.statement_for(plan=level.plan, level=level.level, warning=warning)
    if not response.missing(full):  # what the law wants stated cannot be made up: then the commander is asked
        decide(
            proposal, accept=True, by=SYSTEM, reason="预案规定立即启动", reason_en="the plan starts this level at once"
        )


def _propose(
    kind: ProposalKind,
    plan: Plan,
    level: PlanLevel | None,
    places: Sequence[Place],
    warning: Warning,
    incident: Incident | None,
) -> ResponseProposal | None:
    """Ask, unless the same is asked already or was declined for the same warning; older questions of the plan fall away."""
    number = level.level if level else None
    of_plan = ResponseProposal.objects.filter(space=warning.space, plan=plan)
    same = of_plan.filter(kind=kind, level=number)
    root = warning.root or warning
    declined = same.filter(state=ProposalState.DECLINED, incident=incident).filter(
        Q(warning=root) | Q(warning__root=root)
    )
    if same.filter(state=ProposalState.OPEN).exists() or declined.exists():
        return None
    _supersede(of_plan)
    proposal = ResponseProposal.objects.create(
        space=warning.space, kind=kind, plan=plan, place=plan.place, owner=plan.owner, level=number,
        colour=level.colour if level else "green", hazard=warning.kind.hazard, warning=warning,
        places=[place.code for place in places], incident=incident, proposed_at=now(warning.space),
    )  # fmt: skip
    zh, en = proposal.titles
    thread = incident or warning.root or warning
    record(
        space=proposal.space, verb="incidents.propose", by=SYSTEM, subject=proposal, place=plan.place, organisation=plan.owner,
        thread=thread, colour=proposal.colour, text_zh=f"{zh}（{warning.headline_zh}）",
        text_en=f"{en} ({warning.headline_en or warning.headline_zh})",
        after={"kind": kind.value, "level": number, "plan": plan.code, "warning": warning.pk, "places": proposal.places},
    )  # fmt: skip
    _ask_commander(proposal, zh, en)
    return proposal


def _ask_commander(proposal: ResponseProposal, zh: str, en: str) -> None:
    of_district = proposal.place.parent_id is None
    first = next(iter(commanders(proposal.place)), None) if of_district else None
    minutes = rules.decide_minutes()
    obligations.issue(
        space=proposal.space, kind=DECIDE, owner=(first and first.organisation) or proposal.owner, person=first,
        subject=proposal, title_zh=zh, title_en=en, by=SYSTEM, due_at=now(proposal.space) + timedelta(minutes=minutes),
        place=proposal.place, thread=proposal.incident or proposal.warning.root or proposal.warning,
        colour="red" if proposal.kind in (ProposalKind.START, ProposalKind.RAISE) else "blue", url=proposal.get_absolute_url(),
        detail_zh=f"{proposal.warning.headline_zh}，符合《{proposal.plan.name_zh}》的响应条件。" if proposal.level else proposal.warning.headline_zh,
        detail_en=proposal.warning.headline_en, clause=_clause(proposal),
    )  # fmt: skip


def _clause(proposal: ResponseProposal) -> str:
    row = proposal.plan.levels.filter(level=proposal.level).first() if proposal.level else None
    return row.clause if row else ""


def link_warnings(incident: Incident) -> None:
    """Note which warnings in force a response answers: those its plan speaks of, for places it is about."""
    if incident.plan is None:
        return
    spoken = plans.hazards_of(incident.plan)
    here = incident.place.path
    for warning in _in_force(incident.space):
        touched = any(touches(place.path, here) for place in composing.townships_of(warning))
        if touched and (warning.kind.hazard in spoken or ANY in spoken):
            incident.warnings.add(warning.root or warning)


def settle(incident: Incident) -> None:
    """The response was started, changed or ended: older questions about it need no answer any more."""
    if incident.plan_id is not None:
        _supersede(ResponseProposal.objects.filter(space=incident.space, plan=incident.plan_id))


def _supersede(rows: QuerySet[ResponseProposal]) -> None:
    for old in rows.filter(state=ProposalState.OPEN):
        old.state, old.decided_at = ProposalState.SUPERSEDED, now(old.space)
        old.save(update_fields=["state", "decided_at"])
        _close_question(old, by=SYSTEM, reason=_("Overtaken by a later warning or decision"))


def _close_question(proposal: ResponseProposal, *, by: Actor, reason: str, decided: bool = False) -> None:
    for one in obligations.for_subject(proposal).filter(kind=DECIDE, state__in=OPEN):
        if decided:
            own = by is SYSTEM or reach.answers_for(by, one)  # type: ignore[arg-type]
            obligations.complete(one, by=by if own else SYSTEM, note=reason[:300])
        else:
            tasks.withdraw([one], reason)


@verb("incidents.decide", roles=RESPONDERS)
def decide(
    proposal: ResponseProposal, *, accept: bool, by: Actor, reason: str = "", reason_en: str = "",
    statement: Statement | None = None, with_townships: bool = True,
) -> Incident | None:  # fmt: skip
    """Accept or decline a proposed response. Accepting the district's accepts its townships' of the same warning too."""
    must_reach(by, proposal.place)
    current = ResponseProposal.objects.select_for_update().only("state").get(pk=proposal.pk)
    if current.state != ProposalState.OPEN:
        raise Refused(_("This was decided already: %(state)s") % {"state": ProposalState(current.state).label})
    if not accept and not reason.strip():
        raise Refused(_("Say why the response is not started: whoever reads this later must understand it"))
    proposal.state = ProposalState.ACCEPTED if accept else ProposalState.DECLINED
    proposal.decided_at, proposal.decided_by, proposal.reason = now(proposal.space), person(by), reason.strip()[:300]
    proposal.save(update_fields=["state", "decided_at", "decided_by", "reason"])
    _close_question(proposal, by=by, reason=reason, decided=True)
    if not accept:
        zh, en = proposal.titles
        record(
            space=proposal.space, verb="incidents.decline", by=by, subject=proposal, place=proposal.place, organisation=proposal.owner,
            thread=proposal.incident or proposal.warning.root or proposal.warning, text_zh=f"不采纳：{zh}（{reason.strip()}）",
            text_en=f"Declined: {en} ({reason.strip()})", after={"reason": reason.strip()},
        )  # fmt: skip
        return proposal.incident
    return _carry_out(proposal, by, (reason.strip(), (reason_en or reason).strip()), statement, with_townships)


def _carry_out(
    proposal: ResponseProposal, by: Actor, reason: tuple[str, str], statement: Statement | None, with_townships: bool
) -> Incident:
    zh, en = reason
    places = list(Place.objects.filter(code__in=proposal.places).order_by("path"))
    incident = proposal.incident
    if proposal.kind == ProposalKind.END:
        assert incident is not None
        return response.end(
            incident,
            by=by,
            reason_zh=zh or f"依据“{proposal.warning.headline_zh}”",
            reason_en=en or proposal.warning.headline_en,
        )
    assert proposal.level is not None
    if incident is not None:
        response.change_level(
            incident, level=proposal.level, by=by, statement=statement, places=places, warning=proposal.warning,
            reason_zh=zh, reason_en=en,
        )  # fmt: skip
    else:
        incident = response.start(
            space=proposal.space, plan=proposal.plan, level=proposal.level, places=places, warning=proposal.warning, by=by,
            statement=statement, reason_zh=zh, reason_en=en, hazard=proposal.hazard,
        )  # fmt: skip
        proposal.incident = incident
        proposal.save(update_fields=["incident"])
    if with_townships and proposal.place.parent_id is None:
        _townships_too(proposal, incident, by)
    return incident


def _townships_too(proposal: ResponseProposal, incident: Incident, by: Actor) -> None:
    """The townships' own plans run along; a statement a township's plan lacks is the district's."""
    rows = ResponseProposal.objects.filter(space=proposal.space, warning=proposal.warning, state=ProposalState.OPEN)
    below = rows.filter(place__path__startswith=proposal.place.path, kind__in=(ProposalKind.START, ProposalKind.RAISE))
    for other in below.exclude(place=proposal.place).select_related(
        "plan", "place", "owner", "warning", "space", "incident"
    ):
        assert other.level is not None
        own = response.statement_for(plan=other.plan, level=other.level, warning=other.warning)
        hours = (incident.term_until - incident.level_at).total_seconds() / 3600 if incident.term_until else None
        full = Statement(
            matter_zh=own.matter_zh or incident.matter_zh, matter_en=own.matter_en or incident.matter_en,
            measures_zh=own.measures_zh or incident.measures_zh, measures_en=own.measures_en or incident.measures_en,
            term_hours=own.term_hours or hours,
        )  # fmt: skip
        decide(other, accept=True, by=by, statement=full)
