"""A proposed response: read, accepted with one press, accepted with other words, or declined with a reason."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.verbs import Refused
from haitang.geo.models import Place
from haitang.incidents import services
from haitang.incidents.forms import DecideForm, DeclineForm
from haitang.incidents.models import ResponseProposal
from haitang.incidents.services import response
from haitang.incidents.services.tasks import standing
from haitang.incidents.views.common import rights, space_of
from haitang.plans import services as plans

# More names than these are folded away.
MOST_NAMES = 4


def _find(request: HttpRequest, pk: int) -> ResponseProposal:
    rows = ResponseProposal.objects.visible_to(request.user).filter(space=space_of(request))
    rows = rows.select_related(
        "plan__place", "plan__owner", "place", "owner", "warning__kind", "warning__space", "incident__place", "space"
    )
    found: ResponseProposal = get_object_or_404(rows, pk=pk)
    return found


def _page(
    request: HttpRequest, found: ResponseProposal, form: DecideForm | None = None, decline: DeclineForm | None = None
) -> HttpResponse:
    actions: list[dict[str, Any]] = []
    if found.level:
        places = list(Place.objects.filter(code__in=found.places).order_by("path"))
        listed = plans.actions_at(found.plan, found.level)
        meant = plans.organisations_of(found.plan, {code for action in listed for code in action.by}, places)
        known = standing(found.incident) if found.incident else set()
        for action in listed:
            bodies = {body.pk: body for code in action.by for body in meant.get(code, ())}
            new = [body for body in bodies.values() if (action.level.level, action.code, body.code) not in known]
            blank = [code for code in action.by if not meant.get(code)]
            if new or blank:
                actions.append(
                    {
                        "action": action,
                        "bodies": new,
                        "shown": new[:MOST_NAMES],
                        "more": new[MOST_NAMES:],
                        "blank": blank,
                    }
                )
    told = {
        "proposal": found, "actions": actions, "form": form or DecideForm(initial=_initial(found)), "decline": decline or DeclineForm(),
        "may": rights(request), "places": Place.objects.filter(code__in=found.places).order_by("path"),
        "tasks": sum(len(each["bodies"]) for each in actions),
        "below": ResponseProposal.objects.visible_to(request.user).filter(space=found.space, warning=found.warning, state="open", place__path__startswith=found.place.path).exclude(place=found.place).count(),
    }  # fmt: skip
    return render(request, "incidents/proposal.html", told)


def _initial(found: ResponseProposal) -> dict[str, Any]:
    if not found.level:
        return {}
    return vars(response.statement_for(plan=found.plan, level=found.level, warning=found.warning))


@require_safe
@login_required
def proposal(request: HttpRequest, pk: int) -> HttpResponse:
    """The proposal's page."""
    return _page(request, _find(request, pk))


@require_POST
@login_required
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Follow it: with one press as plan and warning say, or with the words of the form."""
    found = _find(request, pk)
    form = None
    if "matter_zh" in request.POST:
        form = DecideForm(request.POST)
        if not form.is_valid():
            return _page(request, found, form)
    try:
        made = services.decide(
            found, accept=True, by=request.user, reason=form.cleaned_data["reason"] if form else "",
            statement=form.statement() if form else None,
        )  # fmt: skip
    except Refused as error:
        form = form or DecideForm(data={**_initial(found), "reason": ""})
        form.full_clean()
        form.add_error(None, str(error))
        return _page(request, found, form)
    return redirect(made or found)


@require_POST
@login_required
def decline(request: HttpRequest, pk: int) -> HttpResponse:
    """Do not follow it, and say why."""
    found = _find(request, pk)
    form = DeclineForm(request.POST)
    if not form.is_valid():
        return _page(request, found, decline=form)
    services.decide(found, accept=False, by=request.user, reason=form.cleaned_data["reason"])
    return redirect("incidents:index")
