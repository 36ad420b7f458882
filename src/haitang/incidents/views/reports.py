"""Reports upward on screen: drafted, mended, telephoned, sent, taken as a file."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from haitang.accounts.verbs import Refused
from haitang.incidents import services
from haitang.incidents.export import documents
from haitang.incidents.forms import ReportForm
from haitang.incidents.models import Report
from haitang.incidents.views.common import context, find, space_of
from haitang.journal.models import Entry

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def _find(request: HttpRequest, pk: int) -> Report:
    rows = Report.objects.visible_to(request.user).filter(incident__space=space_of(request))
    rows = rows.select_related(
        "incident__place", "incident__owner", "incident__space", "incident__plan", "incident__commander", "sent_by"
    )
    found: Report = get_object_or_404(rows, pk=pk)
    return found


@require_http_methods(["GET", "POST"])
@login_required
def report(request: HttpRequest, pk: int) -> HttpResponse:
    """One report: the draft with its clock, or the text as it went out."""
    found = _find(request, pk)
    form = ReportForm(
        request.POST or None, initial={"text": found.text or (services.draft(found) if found.is_open else "")}
    )
    if request.method == "POST" and request.POST.get("again"):
        form = ReportForm(initial={"text": services.draft(found)})
    elif request.method == "POST" and form.is_valid():
        verb = services.send if request.POST.get("send") else services.save_report
        try:
            verb(found, text=form.cleaned_data["text"], by=request.user)
        except Refused as error:
            form.add_error("text", str(error))
        else:
            messages.success(request, _("Sent and frozen") if found.is_sent else _("Draft kept"))
            return redirect(found)
    entries = (
        Entry.objects.visible_to(request.user)
        .filter(subject_type=Report._meta.label_lower, subject_id=str(found.pk))
        .order_by("-id")
    )
    return render(
        request, "incidents/report.html", context(request, found.incident, report=found, form=form, entries=entries)
    )


@require_POST
@login_required
def new(request: HttpRequest, pk: int) -> HttpResponse:
    """Begin the report that is to be written now."""
    return redirect(services.add_report(find(request, pk), by=request.user))


@require_POST
@login_required
def phoned(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that it was given by telephone."""
    return redirect(services.phone_report(_find(request, pk), by=request.user))


@require_safe
@login_required
def docx(request: HttpRequest, pk: int) -> HttpResponse:
    """The report as a document."""
    found = _find(request, pk)
    answer = HttpResponse(documents.report_docx(found), content_type=DOCX)
    answer["Content-Disposition"] = f'attachment; filename="report-{found.incident_id}-{found.number}.docx"'
    return answer
