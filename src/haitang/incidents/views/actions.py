"""What is done to an incident from its page: started, raised, lowered, ended; orders and notes."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from haitang.accounts.verbs import Refused, may
from haitang.incidents import services
from haitang.incidents.forms import EndForm, LevelForm, NoteForm, OrderForm, StartForm
from haitang.incidents.models import Order
from haitang.incidents.views.common import context, find, space_of
from haitang.spaces.clock import now


def _must(request: HttpRequest, verb: str) -> None:
    """A form is shown to those who may send it."""
    if not may(request.user, verb):
        raise PermissionDenied(_("Your role does not include this."))


@require_http_methods(["GET", "POST"])
@login_required
def start(request: HttpRequest) -> HttpResponse:
    """Start a response by decision."""
    _must(request, "incidents.start")
    form = StartForm(
        request.POST or None,
        user=request.user,
        initial={"plan": request.GET.get("plan"), "level": request.GET.get("level")},
    )
    if request.method == "POST" and form.is_valid():
        told = form.cleaned_data
        try:
            made = services.start(
                space=space_of(request), level=told["level"], by=request.user, plan=told["plan"], place=told["place"],
                category=told["category"] if not told["plan"] else "", name_zh=told["name_zh"], name_en=told["name_en"],
                statement=form.statement(),
            )  # fmt: skip
            return redirect(made)
        except Refused as error:
            form.add_error(None, str(error))
    return render(request, "incidents/start.html", {"form": form})


@require_http_methods(["GET", "POST"])
@login_required
def level(request: HttpRequest, pk: int) -> HttpResponse:
    """Raise or lower the response."""
    found = find(request, pk)
    _must(request, "incidents.change_level")
    initial = {"matter_zh": found.matter_zh, "matter_en": found.matter_en, "level": request.GET.get("level")}
    form = LevelForm(request.POST or None, incident=found, initial=initial)
    if request.method == "POST" and form.is_valid():
        told = form.cleaned_data
        try:
            services.change_level(
                found, level=told["level"], by=request.user, statement=form.statement(), reason_zh=told["reason_zh"]
            )
            return redirect(found)
        except Refused as error:
            form.add_error(None, str(error))
    return render(
        request,
        "incidents/form.html",
        context(request, found, form=form, title=_("Raise or lower the response"), submit=_("Change the level")),
    )


@require_http_methods(["GET", "POST"])
@login_required
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """End the response."""
    found = find(request, pk)
    _must(request, "incidents.end")
    form = EndForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.end(found, by=request.user, reason_zh=form.cleaned_data["reason_zh"])
            return redirect(found)
        except Refused as error:
            form.add_error(None, str(error))
    told = context(request, found, form=form, title=_("End the response"), submit=_("End the response"), danger=True,
                   text=_("Open tasks and orders are withdrawn, townships' responses end too, and the final report becomes due."))  # fmt: skip
    return render(request, "incidents/form.html", told)


@require_http_methods(["GET", "POST"])
@login_required
def order(request: HttpRequest, pk: int) -> HttpResponse:
    """Take down a leader's instruction."""
    found = find(request, pk)
    _must(request, "incidents.order")
    form = OrderForm(request.POST or None, incident=found, initial={"leader": request.user.name_zh})
    if request.method == "POST" and form.is_valid():
        told = form.cleaned_data
        try:
            services.give(
                found, text=told["text"], organisations=list(told["organisations"]), by=request.user, leader=told["leader"],
                due_at=form.due(now(found.space)),
            )  # fmt: skip
            return redirect(f"{found.get_absolute_url()}#orders")
        except Refused as error:
            form.add_error(None, str(error))
    return render(
        request,
        "incidents/form.html",
        context(request, found, form=form, title=_("Leader's order"), submit=_("Give the order")),
    )


@require_POST
@login_required
def withdraw_order(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an order back."""
    rows = Order.objects.visible_to(request.user).select_related(
        "incident__place", "incident__owner", "incident__space"
    )
    found = get_object_or_404(rows, pk=pk, incident__space=space_of(request))
    services.withdraw_order(found, by=request.user, reason=request.POST.get("reason", "")[:300])
    return redirect(found.get_absolute_url())


@require_POST
@login_required
def note(request: HttpRequest, pk: int) -> HttpResponse:
    """Write a line into the log."""
    found = find(request, pk)
    form = NoteForm(request.POST)
    if form.is_valid():
        services.note(found, text=form.cleaned_data["text"], by=request.user)
    else:
        messages.error(request, " ".join(form.errors.get("text", [])))
    return redirect(f"{found.get_absolute_url()}#timeline")
