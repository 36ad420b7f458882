"""Places, geometry, coordinates, grid cells and tiles: the ground everything else stands on."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy as _


class GeoApp(AppConfig):
    """The geo slice."""

    name = "haitang.geo"
    verbose_name = _("Places")

    def ready(self) -> None:
        """Keep the views for QGIS in step with the tables."""
        pre_migrate.connect(_drop_views, sender=self)
        post_migrate.connect(_create_views, sender=self)


def _drop_views(**_signal: Any) -> None:
    from haitang.geo.postgis import drop_views

    drop_views()


def _create_views(**_signal: Any) -> None:
    from haitang.geo.postgis import create_views

    create_views()
