"""What channels make of a warning's area: few points, or whole townships; and whom that reaches besides or misses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from shapely.ops import unary_union

from haitang.alerting import composing, spill
from haitang.alerting.composing import Where
from haitang.alerting.models import Warning
from haitang.alerting.spill import Home, Spill
from haitang.geo.models import PlaceShape


@dataclass(frozen=True)
class Way:
    """One way of telling an area, with what it costs."""

    label: Any
    spill: Spill


def ways(warning: Warning, area: Where | None = None) -> list[Way]:
    """The message itself, channels of at most 100 points, and channels that know townships. At most four queries."""
    area = area or composing.where_of(warning)
    meant = composing.shape_of(warning, area)
    if meant is None:
        return []
    near = composing.townships_under(area.named)
    rows = PlaceShape.objects.filter(place__in=near).select_related("place")
    homes = [Home(row.geometry, row.place.population or 0) for row in rows if row.geometry is not None]
    if not any(home.people for home in homes):
        return []
    made = [Way(_("with at most %(n)s points") % {"n": spill.CHANNEL_POINTS}, spill.compare(meant, spill.simplified(meant), homes))]  # fmt: skip
    if warning.geometry is not None:
        whole = unary_union([home.shape for home in homes])
        made.append(Way(_("by whole townships"), spill.compare(meant, whole, homes)))
    return made
