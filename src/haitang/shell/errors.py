"""Pages for requests that went wrong: what happened, what to do now."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.translation import gettext_lazy as _

PAGES = {
    400: (
        _("This request could not be understood"),
        _("Go back and try again; if you came by a link, it may be cut off."),
    ),
    403: (
        _("This is not open to you"),
        _("Your role or area does not include it. If it should, ask your administrator."),
    ),
    404: (_("There is nothing at this address"), _("It may have been moved or closed, or lie outside your area.")),
    429: (_("Too many attempts"), _("Wait a few minutes and try again.")),
    500: (
        _("Something went wrong on our side"),
        _("Nothing was half done. Try again; if it comes back, tell the administrator."),
    ),
}

# The API's word for each, as docs/api.md lists them.
API_CODES = {400: "invalid", 403: "forbidden", 404: "not_found", 429: "rate_limited", 500: "fault"}


def _page(request: HttpRequest, code: int, detail: str = "") -> HttpResponse:
    title, remedy = PAGES[code]
    context = {"code": code, "title": title, "remedy": remedy, "detail": detail}
    if request.path.startswith("/api/"):
        return JsonResponse({"error": API_CODES[code], "detail": f"{title}. {remedy}"}, status=code)
    template = "shell/error_plain.html" if code == 500 else "shell/error.html"
    return HttpResponse(loader.render_to_string(template, context, request), status=code)


def error_400(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Bad request; what cannot be done says why."""
    return _page(request, 400, str(exception or ""))


def error_403(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Forbidden; a verb's refusal says which verb."""
    return _page(request, 403, str(exception or ""))


def error_404(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Not found, or not in the visitor's scope."""
    return _page(request, 404)


def error_500(request: HttpRequest) -> HttpResponse:
    """A fault of ours: this page asks nothing of the database."""
    return _page(request, 500)
