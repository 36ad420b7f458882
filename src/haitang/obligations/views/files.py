from django.http import Http404, HttpRequest, HttpResponse


def evidence(request: HttpRequest, **given: object) -> HttpResponse:
    """Under way."""
    raise Http404
