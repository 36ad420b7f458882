from django.http import Http404, HttpRequest, HttpResponse


def answer(request: HttpRequest, **given: object) -> HttpResponse:
    """Under way."""
    raise Http404
