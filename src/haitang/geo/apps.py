"""Places, geometry, coordinates, grid cells and tiles: the ground everything else stands on."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GeoApp(AppConfig):
    """The geo slice."""

    name = "haitang.geo"
    verbose_name = _("Places")
