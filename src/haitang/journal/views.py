"""The journal for people: the address of the live stream. Lists of entries are pages of the frame."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

from haitang.journal.address import stream_url


@login_required
@never_cache
def stream_address(request: HttpRequest) -> JsonResponse:
    """A fresh address of the live stream of the space in view; the browser asks again when it has expired."""
    return JsonResponse({"url": stream_url(request, request.space.pk)})  # type: ignore[attr-defined]
