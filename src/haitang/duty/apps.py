"""Rosters, hand-over, spot checks, the duty log."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DutyApp(AppConfig):
    """The duty slice."""

    name = "haitang.duty"
    verbose_name = _("Duty")
