"""Addresses of the journal slice."""

from django.urls import path

from haitang.journal import views

app_name = "journal"
urlpatterns = [path("stream-address/", views.stream_address, name="stream_address")]
