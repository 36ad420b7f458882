"""The storm on the map: where it stood, hour by hour, and how far its strong wind reaches now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from haitang.accounts.roles import OFFICIALS
from haitang.geo.catalogue import NAME, Group, Look, circle, fill, layer
from haitang.replay.models import StormFix

SOURCE = gettext_lazy("Real track (best track, replayed)")


def _fix(properties: dict[str, Any]) -> Mapping[str, Any]:
    properties["title"] = properties.pop("name")
    properties["subtitle"] = _("%(pressure)s hPa, %(wind)s m/s") % {
        "pressure": properties.pop("pressure"),
        "wind": properties.pop("wind"),
    }
    return properties


PROPERTIES = {"name": NAME, "at": "at", "pressure": "central_hpa", "wind": "wind_ms"}


@layer(
    "replay.storm",
    label=gettext_lazy("Storm track"),
    group=Group.SENSING,
    icon="storm",
    order=5,
    point=("lon", "lat"),
    properties=PROPERTIES,
    finish=_fix,
    style=circle("#7048e8", radius=5, label=""),
    live=("replay.",),
    timed=True,
    visible=True,
    roles=OFFICIALS,
    note=SOURCE,
)
def track(look: Look) -> QuerySet[StormFix]:
    """Where the storm stood up to the moment looked at."""
    return StormFix.objects.visible_to(look.user).filter(space=look.space, at__lte=look.at)


@layer(
    "replay.ring",
    label=gettext_lazy("Ring of 30-knot wind"),
    group=Group.SENSING,
    icon="storm",
    order=6,
    properties=PROPERTIES,
    finish=_fix,
    style=fill("#7048e8", opacity=0.08, label=""),
    live=("replay.",),
    time=("at", "until"),
    visible=True,
    roles=OFFICIALS,
    note=SOURCE,
)
def ring(look: Look) -> QuerySet[StormFix]:
    """How far the wind of 30 knots reaches at that moment."""
    return StormFix.objects.visible_to(look.user).filter(space=look.space)
