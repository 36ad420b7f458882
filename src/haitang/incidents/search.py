"""Incidents found from the map's search box."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from haitang.geo.catalogue import Hit, Look, hits, search_source
from haitang.incidents.models import Incident


def _hit(incident: Incident) -> Hit:
    return Hit(
        title=incident.name, subtitle=f"{incident.numeral.label} · {incident.get_state_display()}", url=incident.get_absolute_url(),
        lon=incident.place.lon, lat=incident.place.lat,
    )  # fmt: skip


@search_source("incidents.incidents", label=_("Incidents"), order=20, icon="urgent")
def incidents(look: Look, text: str, limit: int) -> Iterable[Hit]:
    """Incidents of the space in reach by name."""
    rows = Incident.objects.visible_to(look.user).filter(space=look.space).select_related("place")
    return hits(rows, text, limit, names=("name_zh", "name_en"), make=_hit)
