"""Pages about one's own account that allauth does not bring."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def password_forgotten(request: HttpRequest) -> HttpResponse:
    """Who forgot his password asks a person: a mail account that was taken over must not open this platform."""
    return render(request, "accounts/password_forgotten.html")
