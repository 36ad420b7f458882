"""Which world the visitor is looking at."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from haitang.spaces.models import Space

SESSION_KEY = "space"


class SpaceMiddleware:
    """Set `request.space`: the exercise chosen in this session, else the live space. A token decides its own space."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Find the space of this request."""
        request.space = current_space(request)  # type: ignore[attr-defined]
        return self.get_response(request)


def current_space(request: HttpRequest) -> Space:
    """The space chosen in the session of a signed-in user; the live space for everybody else."""
    chosen = request.session.get(SESSION_KEY) if request.user.is_authenticated else None
    found = Space.objects.filter(pk=chosen).first() if chosen else None
    return found or Space.live()
