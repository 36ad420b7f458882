from django.http import Http404, HttpRequest, HttpResponse


def detail(request: HttpRequest, **given: object) -> HttpResponse:
    """Under way."""
    raise Http404
