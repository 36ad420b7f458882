"""The duty room: who is on watch where, one shift with its log, hand-over, swap, spot check."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.roles import OFFICIALS
from haitang.accounts.verbs import may
from haitang.duty import open_items, services
from haitang.duty.forms import CheckForm, HandOverForm, NoteForm, SwapForm
from haitang.duty.models import HandOver, Roster, Shift
from haitang.journal.models import Entry
from haitang.journal.services import thread_of
from haitang.spaces.clock import now
from haitang.spaces.models import Space

WEEK = timedelta(days=7)


def _rosters(request: HttpRequest) -> list[Roster]:
    if request.user.role not in OFFICIALS:  # type: ignore[union-attr]
        raise PermissionDenied
    body = request.user.organisation  # type: ignore[union-attr]
    mine = body.path if body else ""
    rosters = Roster.objects.visible_to(request.user).filter(is_active=True).select_related("organisation__place")
    # The duty room of one's own body, or of the one nearest above it, comes first.
    return sorted(rosters, key=lambda roster: -len(_shared(roster.organisation.path, mine)))


def _shared(path: str, mine: str) -> str:
    """The path where it is one's own or above it."""
    return path if mine.startswith(path) else ""


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Who is on watch now in every duty room in reach, and the week ahead of one's own."""
    moment = now(Space.live())
    rosters = _rosters(request)
    shifts = services.on_watch(rosters, moment)
    on_watch = [(roster, shifts.get(roster.pk)) for roster in rosters]
    chosen = next((r for r in rosters if str(r.pk) == request.GET.get("roster")), rosters[0] if rosters else None)
    week = services.plan(chosen, moment, moment + WEEK) if chosen else []
    posts = list(chosen.posts.order_by("rank")) if chosen else []
    unaccepted = (
        HandOver.objects.visible_to(request.user).filter(accepted_at=None).select_related("shift__roster", "to")
    )
    context = {
        "on_watch": on_watch,
        "chosen": chosen,
        "week": week,
        "posts": posts,
        "unaccepted": unaccepted[:20],
        "moment": moment,
    }
    return render(request, "duty/index.html", context)


@require_safe
@login_required
def export(request: HttpRequest) -> HttpResponse:
    """The week's plan of every duty room in reach as CSV."""
    moment = now(Space.live())
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["roster", "start", "end", "post", "person"])
    for roster in _rosters(request):
        for each in services.plan(roster, moment, moment + WEEK):
            for seat in each.seats.all():
                times = [timezone.localtime(at).isoformat(timespec="minutes") for at in (each.start, each.end)]
                writer.writerow([_safe(roster.name), *times, _safe(str(seat.post)), _safe(str(seat.person or ""))])
    answer = HttpResponse("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="duty.csv"'
    return answer


def _safe(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _shift(request: HttpRequest, pk: int) -> Shift:
    rows = Shift.objects.visible_to(request.user).select_related("roster__organisation__place")
    found: Shift = get_object_or_404(rows.prefetch_related("seats__post", "seats__person"), pk=pk)
    return found


@require_safe
@login_required
def shift(request: HttpRequest, pk: int) -> HttpResponse:
    """One shift: who keeps it, what was noted, what is open, its hand-over."""
    found = _shift(request, pk)
    user = request.user
    given = HandOver.objects.filter(shift=found).select_related("by", "accepted_by", "to").first()
    received = HandOver.objects.filter(to=found).select_related("by", "accepted_by", "shift").first()
    moment = now(Space.live())
    is_own = bool(user.organisation and found.roster.organisation.path.startswith(user.organisation.path))  # type: ignore[union-attr]
    is_now = found.start <= moment and given is None
    context = {
        "shift": found, "given": given, "received": received, "is_now": found.covers(moment), "notes": found.notes.select_related("by"),
        "checks": found.checks.select_related("by"), "items": open_items.listed(user, Space.live()) if is_own and is_now else [],  # type: ignore[arg-type]
        "may": {
            "note": is_own and may(user, "duty.note"), "hand_over": is_own and is_now and may(user, "duty.hand_over"),
            "swap": is_own and found.end > moment and may(user, "duty.swap"), "check": may(user, "duty.check"),
        },
        "note_form": NoteForm(), "hand_over_form": HandOverForm(), "swap_form": SwapForm(shift=found), "check_form": CheckForm(),
        "entries": Entry.objects.visible_to(user).filter(thread=thread_of(found)).order_by("-seq")[:30],
    }  # fmt: skip
    return render(request, "duty/shift.html", context)


def _done(request: HttpRequest, found: Shift, form: forms.Form, do: Callable[..., object]) -> HttpResponse:
    if form.is_valid():
        do(**form.cleaned_data, by=request.user)
        messages.success(request, _("Noted."))
    else:
        messages.error(request, " ".join(text for texts in form.errors.values() for text in texts))
    return redirect(found.get_absolute_url())


@require_POST
@login_required
def note(request: HttpRequest, pk: int) -> HttpResponse:
    """Write into the duty log."""
    found = _shift(request, pk)
    return _done(request, found, NoteForm(request.POST), partial(services.note, found))


@require_POST
@login_required
def hand_over(request: HttpRequest, pk: int) -> HttpResponse:
    """Hand over to the next shift."""
    found = _shift(request, pk)
    return _done(request, found, HandOverForm(request.POST), partial(services.hand_over, found))


@require_POST
@login_required
def check(request: HttpRequest, pk: int) -> HttpResponse:
    """Note a spot check."""
    found = _shift(request, pk)
    return _done(request, found, CheckForm(request.POST), partial(services.spot_check, found))


@require_POST
@login_required
def swap(request: HttpRequest, pk: int) -> HttpResponse:
    """Let somebody else take a post."""
    found = _shift(request, pk)
    return _done(request, found, SwapForm(request.POST, shift=found), services.swap)
