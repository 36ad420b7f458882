"""How readings come in: counts by sender and outcome, what waits, and the back-fill of a file."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.roles import OFFICIALS
from haitang.accounts.verbs import Refused, may
from haitang.monitoring import backfill as files
from haitang.monitoring import queries, services
from haitang.monitoring.batch import MAX_BYTES, BatchError
from haitang.monitoring.models import Backfill, Series
from haitang.monitoring.models.readings import Outcome
from haitang.monitoring.mqttd import status
from haitang.monitoring.views.stations import space_of
from haitang.monitoring.way_forms import BackfillForm

SHOWN = 100


@require_safe
@login_required
def health(request: HttpRequest) -> HttpResponse:
    """Whether readings arrive, from whom, and what was wrong with those refused."""
    if request.user.role not in OFFICIALS:
        raise PermissionDenied
    space = space_of(request)
    sources = queries.health(space, request.user)
    outcomes = [outcome for outcome in Outcome if any(outcome.value in each.counts for each in sources)]
    series = list(
        Series.objects.visible_to(request.user)
        .filter(is_active=True, station__is_active=True)
        .select_related("station")
    )
    stale = sorted(
        (each for each in queries.series_now(space, series) if each.is_stale),
        key=lambda e: (e.at is not None, e.at or 0),
    )
    context = {
        "sources": [(each, [each.counts.get(outcome.value, 0) for outcome in outcomes]) for each in sources],
        "outcomes": outcomes, "lag": queries.lag(space), "stale": stale[:SHOWN], "stale_count": len(stale),
        "series_count_text": f"/ {len(series)}", "stale_colour": "yellow" if stale else "green", "form": BackfillForm(), "may_backfill": may(request.user, "monitoring.backfill"),
        "endpoint": status.read(), "may_connect": may(request.user, "monitoring.save_connector"),
        "backfills": Backfill.objects.visible_to(request.user).filter(space=space).select_related("user")[:5],
    }  # fmt: skip
    return render(request, "monitoring/health.html", context)


@require_POST
@login_required
def backfill(request: HttpRequest) -> HttpResponse:
    """Take in a file of readings: a short CSV file at once, anything else by the background work."""
    form = BackfillForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, " ".join(form.errors.get("file", [])))
        return redirect("monitoring:health")
    given = form.cleaned_data["file"]
    first = given.read(4)
    given.seek(0)
    try:
        if given.size > MAX_BYTES or files.is_sheet(first):
            made = services.begin_backfill(
                space_of(request), name=given.name, parts=given.chunks(1_000_000), by=request.user
            )
            return redirect(made)
        receipt = services.backfill(space_of(request), body=given.read(), by=request.user)
    except (BatchError, Refused) as error:
        messages.error(request, str(error))
        return redirect("monitoring:health")
    messages.success(
        request,
        ngettext("%(n)s reading taken in.", "%(n)s readings taken in.", receipt.accepted) % {"n": receipt.accepted},
    )
    return (
        render(request, "monitoring/backfill.html", {"receipt": receipt})
        if receipt.rejections
        else redirect("monitoring:health")
    )


@require_safe
@login_required
def backfill_run(request: HttpRequest, pk: int) -> HttpResponse:
    """How far a file is, and which rows were not taken."""
    found = get_object_or_404(Backfill.objects.visible_to(request.user).filter(space=space_of(request)), pk=pk)
    part = request.headers.get("HX-Target") == "run"
    run = {"run": found, "colour": Backfill.State(found.state).colour}
    return render(request, "monitoring/parts/backfill_run.html" if part else "monitoring/backfill_run.html", run)
