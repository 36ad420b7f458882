"""Incidents and the response to them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IncidentsApp(AppConfig):
    """The incidents slice."""

    name = "haitang.incidents"
    verbose_name = _("Incidents")
