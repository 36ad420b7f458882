from django.http import Http404, HttpRequest, HttpResponse


def mine(request: HttpRequest, **given: object) -> HttpResponse:
    """Under way."""
    raise Http404


def export(request: HttpRequest, **given: object) -> HttpResponse:
    """Under way."""
    raise Http404


def detail(request: HttpRequest, **given: object) -> HttpResponse:
    """Under way."""
    raise Http404


def act(request: HttpRequest, **given: object) -> HttpResponse:
    """Under way."""
    raise Http404
