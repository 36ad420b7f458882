"""Switch between the live world and exercises."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from haitang.spaces.middleware import SESSION_KEY
from haitang.spaces.models import Space


@login_required
@require_POST
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Look at another space from now on."""
    space = get_object_or_404(Space, pk=pk)
    request.session[SESSION_KEY] = space.pk
    target = request.POST.get("next", "/")
    return redirect(target if url_has_allowed_host_and_scheme(target, {request.get_host()}) else "/")
