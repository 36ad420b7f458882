"""Addresses of the delivery slice."""

from django.http import HttpRequest, HttpResponse
from django.urls import path


def message(request: HttpRequest, pk: int) -> HttpResponse:
    """A message's page."""
    return HttpResponse(status=404)


app_name = "delivery"
urlpatterns = [path("messages/<int:pk>/", message, name="message")]
