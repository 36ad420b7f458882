"""The one desk for what must be done: the list, one obligation with its record, and the verbs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.models import User
from haitang.accounts.verbs import Refused, may, require
from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery
from haitang.journal.models import Entry
from haitang.obligations import queries, reach, services
from haitang.obligations.actions import Action, actions
from haitang.obligations.forms import (
    EvidenceForm,
    ListFilter,
    OrderForm,
    ReasonForm,
    RemarkForm,
    ReopenForm,
    ReportForm,
    WithdrawForm,
)
from haitang.obligations.models import Obligation, State

PAGE = 50


def _rows(request: HttpRequest) -> tuple[QuerySet[Obligation], str, ListFilter, dict[str, str]]:
    user, space = request.user, queries.space_of(request)
    tab = request.GET.get("tab", "")
    tab = tab if tab in queries.TABS else "mine"
    form = ListFilter(request.GET)
    wanted = form.chosen()
    rows = queries.seen_by(user, space)
    if wanted["kind"]:
        rows = rows.filter(kind=wanted["kind"])
    rows = queries.of_status(queries.searched(rows, wanted["q"]), wanted["status"], user)
    return rows, tab, form, wanted


@require_safe
@login_required
def mine(request: HttpRequest) -> HttpResponse:
    """What I, my organisation and those in my area have to do; the overdue on top."""
    rows, tab, form, wanted = _rows(request)
    counted = () if wanted["status"] in queries.RECORDS else queries.TABS
    counts = {name: queries.of_tab(rows, name, request.user).order_by().count() for name in counted}
    ordered = queries.in_order(queries.of_tab(rows, tab, request.user), wanted["status"])
    pages = Paginator(ordered, PAGE)
    if counts:
        pages.count = counts[tab]  # type: ignore[misc]
    page = pages.get_page(request.GET.get("page"))
    context = {
        "page": page,
        "tab": tab,
        "counts": counts,
        "form": form,
        "wanted": wanted,
        "may_order": may(request.user, "obligations.order"),
        "filtered": any(request.GET.get(name) for name in ("q", "kind", "status")),
    }
    part = request.headers.get("HX-Target") == "todo"
    return render(request, "obligations/parts/list.html" if part else "obligations/list.html", context)


COLUMNS = (
    "id",
    "kind",
    "state",
    "colour",
    "title",
    "organisation",
    "person",
    "place",
    "issued",
    "due",
    "received",
    "done",
    "overdue",
    "note",
    "clause",
)


class _Echo:
    def write(self, text: str) -> str:
        return text


@require_safe
@login_required
def export(request: HttpRequest) -> StreamingHttpResponse:
    """The list as it is filtered, as CSV; spreadsheets open it as UTF-8 and take no cell for a formula."""
    rows, tab, _form, wanted = _rows(request)
    chosen = queries.in_order(queries.of_tab(rows, tab, request.user), wanted["status"])
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield "\ufeff" + writer.writerow(COLUMNS)
        for row in chosen.iterator(chunk_size=1000):
            cells = (
                row.pk, row.kind_info.label, row.state_info.label, row.colour, row.title, row.owner.name,
                row.person.name if row.person else "", row.place.name if row.place else "", _time(row.issued_at), _time(row.due_at),
                _time(row.received_at), _time(row.done_at), _time(row.overdue_at), row.done_note or row.refused_reason, row.clause,
            )  # fmt: skip
            yield writer.writerow([_cell(str(cell)) for cell in cells])

    headers = {"Content-Disposition": f'attachment; filename="obligations-{queries.space_of(request).slug}.csv"'}
    return StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8", headers=headers)


def _time(at: Any) -> str:
    return timezone.localtime(at).isoformat(timespec="seconds") if at else ""


def _cell(text: str) -> str:
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def find(request: HttpRequest, pk: int) -> Obligation:
    """The obligation in this user's reach. Its page shows the world it belongs to, whichever the visitor looked at."""
    rows = Obligation.objects.visible_to(request.user)
    rows = rows.select_related("space", "owner__place", "person", "place", "issued_by", "done_by", "received_by")
    found = get_object_or_404(rows, pk=pk)
    request.space = found.space  # type: ignore[attr-defined]
    return found


@require_safe
@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One obligation: what is asked, how it stands, who was told, what was shown, what happened."""
    found = find(request, pk)
    part = request.headers.get("HX-Target") == "obligation"
    return render(
        request, "obligations/parts/detail.html" if part else "obligations/detail.html", context_of(request, found)
    )


def context_of(request: HttpRequest, found: Obligation) -> dict[str, Any]:
    """What the pages of one obligation show."""
    user = request.user
    entries = Entry.objects.visible_to(user).filter(subject_type=found._meta.label_lower, subject_id=str(found.pk))
    told = Delivery.objects.visible_to(user).filter(
        space=found.space, message__about_type=found._meta.label_lower, message__about_id=str(found.pk)
    )  # fmt: skip
    asked = actions(user, found)
    return {
        "obligation": found,
        "kind": found.kind_info,
        "actions": [action for action in asked if not action.asks],
        "forms": [(action, form_of(action, found, user)) for action in asked if action.asks],
        "entries": entries.order_by("seq"),
        "replies": list(found.replies.filter(round=found.round).select_related("user")),
        "evidence": list(found.evidence.select_related("added_by")),
        "evidence_form": EvidenceForm(auto_id="id_evidence_%s") if _may_add(user, found) else None,
        "remark_form": RemarkForm(auto_id="id_remark_%s")
        if reach.answers_for(user, found) or reach.directs(user, found)
        else None,
        "told": [
            (each, CHANNELS[each.channel].label if each.channel in CHANNELS else each.channel)
            for each in told.select_related("message").order_by("-pk")[:50]
        ],
        "tab": "todo",
    }


def _may_add(user: User, found: Obligation) -> bool:
    return reach.answers_for(user, found) and (found.is_open or found.state == State.DONE)


def form_of(action: Action, found: Obligation, user: User) -> Any:
    """The form that a button opens."""
    auto_id = f"id_{action.verb}_%s"
    if action.asks == "page":
        return None
    if action.asks == "report":
        return ReportForm(auto_id=auto_id)
    if action.asks == "reopen":
        return ReopenForm(auto_id=auto_id, user=user)
    return (WithdrawForm if action.verb == "withdraw" else ReasonForm)(auto_id=auto_id)


@login_required
def order(request: HttpRequest) -> HttpResponse:
    """Give a task to organisations."""
    require("obligations.order", request.user)
    form = OrderForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        issued = services.order(
            space=queries.space_of(request), kind=given["kind"], owners=list(given["owners"]), title_zh=given["title_zh"],
            title_en=given["title_en"], detail_zh=given["detail_zh"], due_at=given["due_at"], colour=given["colour"], by=request.user,
        )  # fmt: skip
        count = len(issued)
        messages.success(
            request, ngettext("Given to %(n)s organisation.", "Given to %(n)s organisations.", count) % {"n": count}
        )
        return redirect(issued[0].get_absolute_url() if count == 1 else f"{reverse('obligations:mine')}?tab=all")
    return render(request, "obligations/order.html", {"form": form}, status=400 if form.is_bound else 200)


# -- verbs ------------------------------------------------------------------------------------------------------


def _report(request: HttpRequest, found: Obligation) -> None:
    reach.must_be_here(found)
    form = _valid(ReportForm(request.POST, request.FILES))
    services.complete(
        found,
        by=request.user,
        note=form.cleaned_data["note"],
        photos=form.cleaned_data["photos"],
        position=form.position(),
    )
    messages.success(request, _("Reported. Thank you."))


def _refuse(request: HttpRequest, found: Obligation) -> None:
    services.refuse(found, by=request.user, reason=_valid(ReasonForm(request.POST)).cleaned_data["reason"])
    messages.success(request, _("It went back to whoever issued it, with your reason."))


def _decline(request: HttpRequest, found: Obligation) -> None:
    services.decline(found, by=request.user, reason=_valid(ReasonForm(request.POST)).cleaned_data["reason"])
    messages.success(request, _("Noted. Whoever comes next is asked."))


def _reopen(request: HttpRequest, found: Obligation) -> None:
    given = _valid(ReopenForm(request.POST, user=request.user)).cleaned_data
    services.reopen(found, by=request.user, reason=given["reason"], due_at=given["due_at"], owner=given["owner"])


def _withdraw(request: HttpRequest, found: Obligation) -> None:
    services.withdraw(found, by=request.user, reason=_valid(WithdrawForm(request.POST)).cleaned_data["reason"])


def _evidence(request: HttpRequest, found: Obligation) -> None:
    form = _valid(EvidenceForm(request.POST, request.FILES))
    given = form.cleaned_data
    kept = services.add_evidence(
        found, by=request.user, files=given["photos"], note=given["note"], position=form.position()
    )
    messages.success(request, _("%(n)s files added.") % {"n": len(kept)})


def _remark(request: HttpRequest, found: Obligation) -> None:
    services.remark(found, by=request.user, text=_valid(RemarkForm(request.POST)).cleaned_data["text"])


ACTS: dict[str, tuple[str, Callable[[HttpRequest, Obligation], object]]] = {
    "receive": ("receive", lambda request, found: services.receive(found, by=request.user)),
    "start": ("start", lambda request, found: services.start(found, by=request.user)),
    "done": ("done", _report),
    "confirm": ("confirm", lambda request, found: services.confirm(found, by=request.user)),
    "decline": ("decline", _decline),
    "refuse": ("refuse", _refuse),
    "reopen": ("reopen", _reopen),
    "withdraw": ("withdraw", _withdraw),
    "evidence": ("evidence", _evidence),
    "remark": ("remark", _remark),
}


@require_POST
@login_required
def act(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Do one thing, then show the page the person came from."""
    found = find(request, pk)
    if verb not in ACTS:
        raise Http404
    name, do = ACTS[verb]
    require(f"obligations.{name}", request.user)
    do(request, found)
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()})
    return redirect(back if safe else found.get_absolute_url())


def _valid(form: Any) -> Any:
    if not form.is_valid():
        raise Refused(
            " ".join(
                f"{form.fields[name].label or ''} {' '.join(errors)}".strip()
                if name in form.fields
                else " ".join(errors)
                for name, errors in form.errors.items()
            )
        )
    return form
