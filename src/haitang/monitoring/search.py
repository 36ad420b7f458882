"""Stations found from the map's search box."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from haitang.geo.catalogue import Hit, Look, hits, search_source
from haitang.monitoring.models import Station


def _hit(station: Station) -> Hit:
    return Hit(
        title=station.name, subtitle=str(station.get_kind_display()), url=station.get_absolute_url(),
        lon=station.west, lat=station.south,
    )  # fmt: skip


@search_source("monitoring.stations", label=_("Stations"), order=30, icon="antenna", public=True)
def stations(look: Look, text: str, limit: int) -> Iterable[Hit]:
    """Stations in reach by name or code."""
    rows = Station.objects.visible_to(look.user).filter(is_active=True)
    return hits(rows, text, limit, names=("name_zh", "name_en", "code"), make=_hit)
