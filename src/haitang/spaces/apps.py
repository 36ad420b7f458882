"""Worlds: the live one and exercises."""

from django.apps import AppConfig


class SpacesApp(AppConfig):
    """The spaces slice."""

    name = "haitang.spaces"
