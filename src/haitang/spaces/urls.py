"""Addresses of the spaces slice."""

from django.urls import path

from haitang.spaces import views

app_name = "spaces"
urlpatterns = [path("switch/<int:pk>/", views.switch, name="switch")]
