"""The append-only record and its live stream."""

from django.apps import AppConfig


class JournalApp(AppConfig):
    """The journal slice."""

    name = "haitang.journal"
