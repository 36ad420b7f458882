"""Who must do what by when."""

from django.apps import AppConfig


class ObligationsApp(AppConfig):
    """The obligations slice."""

    name = "haitang.obligations"
