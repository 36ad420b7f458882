"""The evaluation: how long each step took, beside history; kept with the evaluator's words; as PDF, DOCX and JSON."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from haitang.accounts.verbs import Refused, may
from haitang.incidents import services
from haitang.incidents.export import documents, words
from haitang.incidents.forms import EvaluationForm
from haitang.incidents.models import Incident
from haitang.incidents.views.common import context, find
from haitang.incidents.views.reports import DOCX


def _mine(request: HttpRequest, pk: int) -> Incident:
    """An evaluation looks over the whole incident: it is for those who answer for all of its place."""
    found = find(request, pk)
    organisation = request.user.organisation
    if organisation is None or organisation.place is None or not organisation.place.contains(found.place):
        raise PermissionDenied(_("The evaluation is for those who answer for the whole incident."))
    return found


@require_http_methods(["GET", "POST"])
@login_required
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """The evaluation page."""
    found = _mine(request, pk)
    form = EvaluationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not may(request.user, "incidents.evaluate"):
            raise PermissionDenied(_("Your role does not include this."))
        try:
            services.evaluate(found, by=request.user, **form.cleaned_data)
            return redirect("incidents:evaluation", pk=found.pk)
        except Refused as error:
            form.add_error(None, str(error))
    measured = services.measure(found)
    told = context(
        request, found, measured=measured, steps=words.steps(measured), history=words.history(measured), form=form,
        evaluations=found.evaluations.select_related("by"), answers=words.answer_line(measured), townships=words.townships(measured),
        late=words.late(measured),
    )  # fmt: skip
    return render(request, "incidents/evaluation.html", told)


@require_safe
@login_required
def pdf(request: HttpRequest, pk: int) -> HttpResponse:
    """The evaluation as PDF."""
    found = _mine(request, pk)
    answer = HttpResponse(
        documents.evaluation_pdf(services.measure(found), language=get_language() or "zh-hans"),
        content_type="application/pdf",
    )
    answer["Content-Disposition"] = f'attachment; filename="evaluation-{found.pk}.pdf"'
    return answer


@require_safe
@login_required
def docx(request: HttpRequest, pk: int) -> HttpResponse:
    """The evaluation as a document."""
    found = _mine(request, pk)
    answer = HttpResponse(
        documents.evaluation_docx(services.measure(found), language=get_language() or "zh-hans"), content_type=DOCX
    )
    answer["Content-Disposition"] = f'attachment; filename="evaluation-{found.pk}.docx"'
    return answer


@require_safe
@login_required
def data(request: HttpRequest, pk: int) -> JsonResponse:
    """The table of times as JSON."""
    found = _mine(request, pk)
    told = services.as_data(services.measure(found))
    return JsonResponse({"incident": found.pk, "exercise": found.space.is_exercise, "space": found.space.slug, **told})
