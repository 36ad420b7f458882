"""Warnings: the list, one warning with its record and its answers, and what can be done with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, Q, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from haitang.accounts.models import User
from haitang.accounts.verbs import Forbidden, Refused, may
from haitang.alerting import answers, cap, composing, dissemination, drafting, guards, measure, services, telling
from haitang.alerting.answers import span
from haitang.alerting.colours import Colour
from haitang.alerting.feed import CAP_TYPE
from haitang.alerting.forms import CancelForm, FileForm, FilterForm, ReasonForm
from haitang.alerting.mapping import picture
from haitang.alerting.models import Audience, State, Warning
from haitang.alerting.views.common import language_of, mine, space_of
from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery
from haitang.delivery.states import State as DeliveryState
from haitang.geo.catalogue import matching
from haitang.journal.models import Entry
from haitang.obligations import services as obligations
from haitang.obligations.models import Obligation
from haitang.spaces.clock import now

PAGE, EXPORTED = 25, 10_000
OPEN = (State.DRAFT, State.SUBMITTED, State.APPROVED, State.PUBLISHED)
_RANK = Case(*(When(colour=c.value, then=Value(c.rank)) for c in Colour), output_field=IntegerField())
SORTS: Mapping[str, Sequence[Any]] = {
    "-composed": ("-composed_at", "-pk"),
    "composed": ("composed_at", "pk"),
    "-published": ("-published_at", "-pk"),
    "published": ("published_at", "pk"),
    "-expires": ("-expires", "-pk"),
    "expires": ("expires", "pk"),
    "-colour": (_RANK.desc(), "-composed_at"),
    "colour": (_RANK.asc(), "-composed_at"),
}


def _chosen(request: HttpRequest) -> tuple[FilterForm, Any, str]:
    form = FilterForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    rows = mine(request)
    if wanted.get("q"):
        rows = matching(rows, wanted["q"], "headline_zh", "headline_en", "identifier", "kind__name_zh", "kind__name_en")
    if wanted.get("state"):
        rows = rows.filter(state__in=OPEN) if wanted["state"] == "open" else rows.filter(state=wanted["state"])
    if wanted.get("colour"):
        rows = rows.filter(colour=wanted["colour"])
    if wanted.get("kind"):
        rows = rows.filter(kind=wanted["kind"])
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "-composed"
    return form, rows.defer("cap_xml", "geometry", "parent__geometry", "root__geometry").order_by(*SORTS[sort]), sort


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Warnings in reach, newest first."""
    form, rows, sort = _chosen(request)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    shown = list(page.object_list)
    counted = answers.counts(shown, request.user)
    for row in shown:
        row.answered = counted.get(row.pk)
    context = {
        "page": page, "rows": shown, "form": form, "sort": sort, "may_draft": may(request.user, "alerting.draft"),
        "is_filtered": any(request.GET.get(name) for name in form.fields),
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "warnings"
    return render(request, "alerting/parts/warnings.html" if part else "alerting/warnings.html", context)


@require_safe
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The list as it is filtered, as CSV or XLSX."""
    if form not in ("csv", "xlsx"):
        raise Http404
    _form, rows, _sort = _chosen(request)
    found = list(rows.prefetch_related("areas__place")[:EXPORTED])
    counted = answers.counts(found, request.user)
    head = [
        _("Identifier"), _("State"), _("Message type"), _("Kind of event"), _("Colour"), _("Headline (Chinese)"),
        _("Headline (English)"), _("Warned area"), _("Composed at"), _("Published at"), _("Valid until"), _("Ended at"),
        _("Townships that answered"), _("Townships asked"),
    ]  # fmt: skip
    lines = [head, *(_line(row, counted.get(row.pk, ("", ""))) for row in found)]
    name = f"warnings-{space_of(request).slug}.{form}"
    data, kind = _csv(lines) if form == "csv" else _xlsx(lines)
    return HttpResponse(data, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _line(row: Warning, counted: tuple[Any, Any]) -> list[Any]:
    def at(moment: Any) -> str:
        return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}" if moment else ""

    area = "、".join(area.place.name_zh for area in row.areas.all())
    return [
        row.identifier, row.get_state_display(), row.get_msg_type_display(), row.kind.name, row.get_colour_display(),
        row.headline_zh, row.headline_en, area, at(row.composed_at), at(row.published_at), at(row.expires), at(row.ended_at),
        *counted,
    ]  # fmt: skip


def _safe(value: Any) -> Any:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def _csv(lines: Sequence[Sequence[Any]]) -> tuple[bytes, str]:
    out = io.StringIO()
    csv.writer(out).writerows([[_safe(cell) for cell in line] for line in lines])
    return out.getvalue().encode("utf-8-sig"), "text/csv; charset=utf-8"


def _xlsx(lines: Sequence[Sequence[Any]]) -> tuple[bytes, str]:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet(str(_("Warnings")))
    for line in lines:
        sheet.append([_safe(str(cell) if not isinstance(cell, int) else cell) for cell in line])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue(), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


PARTS = {
    "decide": "alerting/parts/decide.html",
    "board": "alerting/parts/board.html",
    "record": "alerting/parts/record.html",
}


@require_safe
@login_required
def warning(request: HttpRequest, pk: int) -> HttpResponse:
    """One warning."""
    rows = mine(request).select_related("composed_by", "edited_by", "submitted_by", "approved_by")
    found = get_object_or_404(rows, pk=pk)
    part = request.headers.get("HX-Target", "")
    context = {
        "warning": found,
        "thread": dissemination.thread_name(found),
        "may": _may(request.user, found),
        "part": part,
    }
    if part in ("", "decide") or part not in PARTS:
        context |= _decision(request, found)
    if part in ("", "board") or part not in PARTS:
        context |= _board(request, found)
    if part in ("", "record") or part not in PARTS:
        context["entries"] = _entries(request, found)
    if part in PARTS:
        return render(request, PARTS[part], context)
    area = composing.where_of(found)
    context |= {
        "placed": [row for row in found.areas.select_related("place") if row.is_chosen],
        "files": list(found.resources.defer("content")), "file_form": FileForm(auto_id="file_%s"),
        "area": area, "own": picture(found, area), "chain": services.chain_of(found, Warning.objects.visible_to(request.user)), "steps": _steps(found),
        "audiences": [label for value, label in Audience.choices if value in found.audiences],
        "public": found.may_leave and found.is_open,
    }  # fmt: skip
    return render(request, "alerting/warning.html", context)


def _may(user: Any, found: Warning) -> dict[str, bool]:
    """What this user can do with the warning now: role, reach and state together."""
    in_reach = drafting.reaches(user, found)
    wrote = user.pk in (found.composed_by_id, found.edited_by_id, found.submitted_by_id)
    state = found.state
    possible = {
        "edit": state == State.DRAFT,
        "submit": state == State.DRAFT,
        "attach": state == State.DRAFT,
        "approve": state == State.SUBMITTED and not wrote,
        "reject": state in (State.SUBMITTED, State.APPROVED),
        "publish": state == State.APPROVED,
        "discard": state in (State.DRAFT, State.SUBMITTED, State.APPROVED),
        "update": found.is_in_force,
        "step": found.is_in_force,
        "cancel": found.is_in_force,
        "remind": found.is_in_force,
    }
    return {name: yes and in_reach and may(user, f"alerting.{name}") for name, yes in possible.items()}


def _decision(request: HttpRequest, found: Warning) -> dict[str, Any]:
    """What a writer and an approver need to see before the warning goes out; what followed it afterwards."""
    if found.is_open or found.state == State.DISCARDED:
        follower = mine(request).filter(parent=found).exclude(state=State.DISCARDED).first()
        return {"follower": follower, "next_approver": None}
    at = now(found.space).replace(microsecond=0)
    _alert, data, findings = composing.check(found, at=at)
    findings = findings + guards.look(found, at=at)
    languages = ("zh", "en") if found.headline_en else ("zh",)
    reached = dissemination.townships(found)
    approvers = dissemination.approvers(found) if found.state in (State.DRAFT, State.SUBMITTED) else []
    return {
        "findings": findings_for(findings, language_of(request)),
        "errors": len(cap.errors(findings)),
        "previews": [(language, composing.previews(found, due=composing.answer_due(found.colour, at), language=language)) for language in languages],
        "xml": data.decode() if data else "",
        "reached": reached,
        "gaps": [one.place for one in reached if one.organisation is None],
        "reach": _reach(found, reached),
        "waves": dissemination.audience_preview(found),
        "ways": telling.ways(found),
        "approvers": approvers,
        "wrote": request.user.pk in (found.composed_by_id, found.edited_by_id, found.submitted_by_id),
    }  # fmt: skip


def _reach(found: Warning, reached: Sequence[dissemination.Township]) -> list[tuple[Any, int, str]]:
    """Whom each audience comes to: its name, how many, which."""
    bodies = [one.organisation for one in reached if one.organisation is not None]
    departments = list(found.kind.departments.all())
    places = [one.place for one in reached]
    comma = _(", ")
    rows = {
        Audience.RESPONSIBLE: (len(bodies), comma.join(one.name for one in bodies)),
        Audience.DEPARTMENTS: (len(departments), comma.join(one.name for one in departments)),
        Audience.RESIDENTS: (
            len(dissemination.subscribers(places)) if Audience.RESIDENTS in found.audiences else 0,
            "",
        ),
        Audience.LOUDSPEAKER: (len(bodies), comma.join(place.name for place in places)),
    }
    return [(audience.label, *rows[audience]) for audience in rows if audience in found.audiences]


def findings_for(findings: Sequence[cap.Finding], language: str) -> list[dict[str, Any]]:
    """What the validator found, gravest first, in the reader's language; the same finding in two languages stands once."""
    order = {"error": 0, "warning": 1, "advice": 2}
    colours = {"error": "red", "warning": "yellow", "advice": "blue"}
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for finding in sorted(findings, key=lambda one: order[one.level.value]):
        row = {
            "colour": colours[finding.level.value], "level": finding.level.value, "what": finding.what(language),
            "fix": finding.fix(language), "value": finding.value, "xpath": finding.xpath, "code": finding.code,
        }  # fmt: skip
        seen.setdefault((finding.code, finding.value), row)
    return list(seen.values())


def _board(request: HttpRequest, found: Warning) -> dict[str, Any]:
    if not found.is_open:
        return {"board": None, "channels": []}
    board = answers.board(found, request.user)
    own = {row.place_id: row.colour_info for row in found.areas.all() if row.colour and row.colour != found.colour}
    for each in board.rows:
        place: Any = each.place
        place.own_colour = own.get(place.pk)
    return {"board": board, "curve": _curve(found, board), "channels": _channels(request, found)}


def _curve(found: Warning, board: answers.Board) -> dict[str, Any] | None:
    points = answers.curve(found, board.rows)
    if len(points) < 2:
        return None
    due = next((row.obligation.due_at for row in board.rows if row.obligation), None)
    return {
        "kind": "line", "unit": "%", "min": 0, "max": 100,
        "series": [{"name": pgettext("warning", "Answered"), "data": [[at.isoformat(), share] for at, share in points], "step": True, "area": True}],
        "marks": [{"at": due.isoformat(), "label": _("answer due")}] if due else [],
    }  # fmt: skip


def _channels(request: HttpRequest, found: Warning) -> list[dict[str, Any]]:
    """How far the messages got, by channel: those about the warning and those about its answers. One query."""
    about = Q(message__about_type="alerting.warning", message__about_id=str(found.pk))
    asked = [str(pk) for pk in answers.asked(found).values_list("pk", flat=True)]
    about |= Q(message__about_type=Obligation._meta.label_lower, message__about_id__in=asked)
    rows = Delivery.objects.visible_to(request.user).filter(about).order_by().values_list("channel", "state")
    counted: dict[str, dict[str, int]] = {}
    for channel, state in rows:
        states = counted.setdefault(channel, {})
        states[state] = states.get(state, 0) + 1
    return [
        {
            "label": CHANNELS[name].label, "icon": CHANNELS[name].icon, "total": sum(states.values()),
            "states": [(DeliveryState(state), number) for state in DeliveryState.values if (number := states.get(state))],
        }
        for name, states in counted.items() if name in CHANNELS
    ]  # fmt: skip


def _entries(request: HttpRequest, found: Warning) -> list[Entry]:
    """What people and the ladder did. Every single message and every request would drown it; the board shows those."""
    about = [str(pk) for pk in obligations.for_subject(found).values_list("pk", flat=True)]
    own = Q(subject_type=Warning._meta.label_lower, subject_id=str(found.pk))
    own |= Q(subject_type=Obligation._meta.label_lower, subject_id__in=about)
    rows = Entry.objects.visible_to(request.user).filter(
        own, thread=dissemination.thread_name(found), space=found.space
    )
    rows = rows.exclude(verb__in=("obligations.issue", "obligations.withdraw"))
    return list(rows.order_by("-seq")[:60])


STEPS = ("extend", "upgrade", "downgrade")


@require_POST
@login_required
def step(request: HttpRequest, pk: int, what: str) -> HttpResponse:
    """Extend, raise or lower a warning in force by one press: an update is drafted and submitted."""
    if what not in STEPS:
        raise Http404
    found = get_object_or_404(mine(request), pk=pk)
    try:
        made = services.step(found, what, by=request.user)
    except Refused as error:
        messages.error(request, str(error))
        return redirect(found.get_absolute_url())
    messages.success(request, _("Submitted. It can go out once another person has approved it."))
    return redirect(made.get_absolute_url())


def _steps(found: Warning) -> list[dict[str, Any]]:
    """The steps on a warning's way out: who did them, when, and how long each took."""
    made = [
        ("cause", _("Cause"), found.cause_at, found.cause_text),
        ("draft", _("Drafted"), found.composed_at, found.composed_by),
        ("submit", _("Submitted"), found.submitted_at, found.submitted_by),
        ("approve", _("Approved"), found.approved_at, found.approved_by),
        ("publish", _("Published"), found.published_at, None),
    ]
    gaps = {step.end: step.seconds for step in measure.steps([(name, at) for name, _label, at, _who in made])}
    steps = [{"label": label, "at": at, "who": who, "took": span(gaps.get(name))} for name, label, at, who in made]
    # An update has the cause of the warning it follows, long ago.
    return steps if found.cause_at and not found.parent_id else steps[1:]


@require_safe
@login_required
def cap_xml(request: HttpRequest, pk: int) -> HttpResponse:
    """The message as it went out, byte for byte; of a draft, as it would go out now."""
    found = get_object_or_404(mine(request).defer(None), pk=pk)
    data = bytes(found.cap_xml or b"") or composing.check(found, at=now(found.space).replace(microsecond=0))[1]
    if not data:
        raise Http404
    name = found.identifier or f"draft-{found.pk}"
    return HttpResponse(data, content_type=CAP_TYPE, headers={"Content-Disposition": f'inline; filename="{name}.xml"'})


def _act(verb: Callable[..., Any], done: Callable[[Warning], str]) -> Callable[[HttpRequest, int], HttpResponse]:
    @require_POST
    @login_required
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        found = get_object_or_404(mine(request), pk=pk)
        verb(found, by=request.user)
        messages.success(request, done(found))
        return redirect(found.get_absolute_url())

    return view


submit = _act(services.submit, lambda _found: _("Submitted. It can go out once another person has approved it."))
publish = _act(services.publish, lambda found: _("Published: %(headline)s") % {"headline": found.headline})
discard = _act(services.discard, lambda _found: _("Discarded."))


@require_POST
@login_required
def approve(request: HttpRequest, pk: int) -> HttpResponse:
    """Approve, and publish in the same breath if asked to."""
    found = get_object_or_404(mine(request), pk=pk)
    services.approve(found, by=request.user, note=request.POST.get("note", "").strip())
    if request.POST.get("then") == "publish":
        services.publish(found, by=request.user)
        messages.success(request, _("Approved and published: %(headline)s") % {"headline": found.headline})
    else:
        messages.success(request, _("Approved. The duty room can publish it now."))
    return redirect(found.get_absolute_url())


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def reject(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a warning back to its composer."""
    found = get_object_or_404(mine(request), pk=pk)
    _must(request, "alerting.reject", found)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        services.reject(found, by=request.user, reason=form.cleaned_data["reason"])
        messages.success(request, _("Sent back to %(who)s.") % {"who": found.composed_by or _("its composer")})
        return redirect(found.get_absolute_url())
    return render(request, "alerting/reason.html", {
        "warning": found, "form": form, "title": _("Send back"), "sub": found.headline, "submit": _("Send back"),
    })  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Draft the cancellation of a warning and submit it."""
    found = get_object_or_404(mine(request), pk=pk)
    _must(request, "alerting.cancel", found)
    form = CancelForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        follower = services.cancel(found, by=request.user, **form.cleaned_data)
        messages.success(request, _("Submitted. The warning ends when the cancellation is approved and published."))
        return redirect(follower.get_absolute_url())
    return render(request, "alerting/reason.html", {
        "warning": found, "form": form, "title": _("End the warning"), "sub": found.headline, "submit": _("Submit the cancellation"),
    })  # fmt: skip


def _must(request: HttpRequest, verb: str, found: Warning) -> None:
    """A form is not shown to somebody who could not send it."""
    if not may(request.user, verb) or not drafting.reaches(request.user, found):
        raise Forbidden(_("This is not for your role, or outside your area."))


@require_POST
@login_required
def remind(request: HttpRequest, pk: int, answer: int) -> HttpResponse:
    """Call a township that has not answered once more."""
    found = get_object_or_404(mine(request), pk=pk)
    rows = Obligation.objects.visible_to(request.user).filter(space=found.space)
    people: list[User] = services.remind(found, get_object_or_404(rows, pk=answer), by=request.user)
    names = _(", ").join(user.name for user in people)
    messages.success(request, _("Called again: %(names)s") % {"names": names})
    return redirect(f"{found.get_absolute_url()}#board")
