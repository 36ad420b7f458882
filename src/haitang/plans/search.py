"""Plans found from the map's search box."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from haitang.geo.catalogue import Hit, Look, hits, search_source
from haitang.plans.models import Plan


def _hit(plan: Plan) -> Hit:
    return Hit(
        title=plan.name,
        subtitle=str(plan.get_kind_display()),
        url=plan.get_absolute_url(),
        lon=plan.place.lon,
        lat=plan.place.lat,
    )


@search_source("plans.plans", label=_("Plans"), order=60, icon="book")
def plans(look: Look, text: str, limit: int) -> Iterable[Hit]:
    """Plans in reach by name or code."""
    rows = Plan.objects.visible_to(look.user).filter(is_active=True).select_related("place")
    return hits(rows, text, limit, names=("name_zh", "name_en", "code"), make=_hit)
