"""The one map: everybody's layers, tiles, search and time."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OnemapApp(AppConfig):
    """The onemap slice."""

    name = "haitang.onemap"
    verbose_name = _("One map")
