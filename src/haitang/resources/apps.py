"""Shelters, rescue teams, supplies."""

from django.apps import AppConfig


class ResourcesApp(AppConfig):
    """The resources slice."""

    name = "haitang.resources"
