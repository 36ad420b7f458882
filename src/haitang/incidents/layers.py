"""The response on the map: the places of the incidents under way, in their level's colour, at the moment of the slider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from haitang.geo.catalogue import Group, Look, Pair, fill, layer
from haitang.incidents.models import IncidentPlace, State
from haitang.plans.models import ResponseLevel

COLOURS = {level.colour: level.colour for level in ResponseLevel}


def _told(properties: dict[str, Any]) -> Mapping[str, Any]:
    level = ResponseLevel(properties.pop("level"))
    properties["subtitle"] = f"{properties.pop('incident')} · {level.label}"
    properties["url"] = reverse("incidents:incident", args=[properties.pop("pk")])
    return properties


@layer(
    "incidents.responses",
    label=_("Responses under way"),
    group=Group.INCIDENT,
    icon="urgent",
    order=10,
    geometry="place__shape__geometry",
    properties={
        "name": Pair("place__name_zh", "place__name_en"), "incident": Pair("incident__name_zh", "incident__name_en"),
        "level": "incident__level", "colour": "incident__colour", "pk": "incident_id",
    },
    finish=_told,
    style=fill("#d92d20", opacity=0.07, width=2.5, by="colour", colours=COLOURS),
    legend=[(level.colour, level.label) for level in ResponseLevel],
    live=("incidents.start", "incidents.change_level", "incidents.end"),
    time=("incident__started_at", "incident__ended_at"),
    visible=True,
)  # fmt: skip
def responses(look: Look) -> QuerySet[IncidentPlace]:
    """The places that a district's response is for; the townships' own responses lie in the same places."""
    rows = IncidentPlace.objects.visible_to(look.user).filter(incident__space=look.space, incident__parent=None)
    rows = rows.filter(place__shape__geometry__isnull=False)
    return rows if look.is_past else rows.filter(incident__state=State.ACTIVE)
