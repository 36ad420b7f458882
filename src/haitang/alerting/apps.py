"""Public warnings."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AlertingApp(AppConfig):
    """The alerting slice."""

    name = "haitang.alerting"
    verbose_name = _("Warnings")
