"""What makes the platform an app on a phone: manifest, service worker, the page for no connection."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control


@cache_control(max_age=3600)
def manifest(request: HttpRequest) -> JsonResponse:
    """The web app manifest."""
    icons = [{"src": static(f"icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png"} for size in (192, 512)]
    return JsonResponse(
        {
            "name": _("Haitang emergency management"),
            "short_name": _("Haitang"),
            "start_url": reverse("shell:phone"),
            "scope": "/",
            "display": "standalone",
            "background_color": "#10324f",
            "theme_color": "#10324f",
            "icons": icons,
        },
        content_type="application/manifest+json",
    )


@cache_control(no_cache=True)
def service_worker(request: HttpRequest) -> HttpResponse:
    """The service worker, from the root so that it serves the whole platform."""
    path = settings.WEB / "dist" / "sw.js"
    if not path.exists():
        raise Http404("the front end is not built")
    return HttpResponse(path.read_bytes(), content_type="text/javascript; charset=utf-8")


def offline(request: HttpRequest) -> HttpResponse:
    """What a phone shows when the platform cannot be reached."""
    return render(request, "shell/offline.html")
