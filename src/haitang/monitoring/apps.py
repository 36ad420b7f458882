"""Stations, series, readings, rules, alarms."""

from django.apps import AppConfig


class MonitoringApp(AppConfig):
    """The monitoring slice."""

    name = "haitang.monitoring"

    def ready(self) -> None:
        """A change of stations, series or rules makes the doors and the evaluator read them again."""
        from haitang.monitoring import edition

        edition.connect()
