"""Who of a warning is not reached: map and list."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from haitang.alerting import dissemination, reach_map
from haitang.alerting.views.common import mine
from haitang.alerting.views.warnings import _may


@require_safe
@login_required
def reach(request: HttpRequest, pk: int) -> HttpResponse:
    """The map of who is not reached, by township and village."""
    found = get_object_or_404(mine(request), pk=pk)
    if not found.is_open:
        raise Http404
    rows = reach_map.spots(found, request.user)
    context = {
        "warning": found,
        "thread": dissemination.thread_name(found),
        "rows": rows,
        "missing": [spot for spot in rows if not spot.is_reached],
        "summary": reach_map.summary(rows),
        "own": reach_map.picture(found, rows),
        "may": _may(request.user, found),
    }
    part = request.headers.get("HX-Target") == "reach"
    return render(request, "alerting/parts/reach.html" if part else "alerting/reach.html", context)


@require_safe
@login_required
def places(request: HttpRequest, pk: int) -> HttpResponse:
    """The places as GeoJSON, read again whenever somebody answers."""
    found = get_object_or_404(mine(request), pk=pk)
    rows = reach_map.spots(found, request.user) if found.is_open else []
    return JsonResponse(reach_map.features(rows), headers={"Cache-Control": "private, no-store"})
