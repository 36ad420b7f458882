"""One obligation on the phone: read, press, photograph, send."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from haitang.obligations.views.desk import context_of, find


@require_safe
@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """What is asked, with large buttons; the camera and the place for the report."""
    found = find(request, pk)
    return render(request, "obligations/phone.html", context_of(request, found))
