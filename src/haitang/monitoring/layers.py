"""Stations and alarms on the map, at the moment the slider shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from haitang.geo.catalogue import NAME, Group, Look, Pair, circle, layer
from haitang.monitoring import queries
from haitang.monitoring.models import Alarm, Colour, Series, Station, StationKind
from haitang.monitoring.models.alarms import OPEN
from haitang.monitoring.quantities import figure, shown

COLOURS = {colour.value: colour.value for colour in Colour}
LEGEND = [(colour.value, colour.label) for colour in reversed(Colour)]


def _stations(look: Look, keys: Sequence[Any]) -> Mapping[Any, Mapping[str, Any]]:
    """The newest readings at that moment, and the colour of the alarms that stood."""
    moment = look.at if look.is_past else None
    series = list(Series.objects.filter(station__in=list(keys), is_active=True).select_related("station"))
    told: defaultdict[int, list[str]] = defaultdict(list)
    for each in queries.series_now(look.space, series, moment):
        if each.value is not None:
            told[each.series.station_id].append(f"{each.series.label} {each.figure} {each.series.kind.symbol}".strip())
    colours = queries.highest(queries.standing(look.space, moment).filter(station__in=list(keys)), "station", moment)
    return {
        key: {"subtitle": " · ".join(told[key]) or gettext("no data yet"), "colour": colours.get(key, "")}
        for key in keys
    }


def _station(properties: dict[str, Any]) -> Mapping[str, Any]:
    properties["kind_label"] = StationKind(properties["kind"]).label
    properties["url"] = reverse("monitoring:station", args=[properties.pop("pk")])
    properties["simulated"] = properties.pop("demo", False)
    if properties.pop("approximate", False):
        properties["text"] = gettext("The position is approximate.")
    return properties


@layer(
    "monitoring.stations",
    label=_("Stations"),
    group=Group.SENSING,
    icon="antenna",
    order=10,
    point=("west", "south"),
    properties={"name": NAME, "kind": "kind", "pk": "pk", "demo": "is_demo", "approximate": "is_approximate"},
    extra=_stations,
    finish=_station,
    style=circle("#2b8a3e", radius=5, by="colour", colours=COLOURS),
    legend=(("#2b8a3e", _("no alarm")), *LEGEND),
    live=("monitoring.raise", "monitoring.rise", "monitoring.lower", "monitoring.clear", "monitoring.register"),
    visible=True,
    public=True,
)
def stations(look: Look) -> QuerySet[Station]:
    """Stations in use, coloured by their gravest alarm."""
    return Station.objects.visible_to(look.user).filter(is_active=True, west__isnull=False)


def _alarms(look: Look, keys: Sequence[Any]) -> Mapping[Any, Mapping[str, Any]]:
    """The colour that each alarm had at that moment."""
    if not look.is_past:
        return {}
    return {key: {"colour": colour.value} for key, colour in queries.colours_at(keys, look.at).items()}


def _alarm(properties: dict[str, Any]) -> Mapping[str, Any]:
    colour = Colour(properties["colour"])
    properties["subtitle"] = (
        f"{properties.pop('what')} {figure(properties.pop('peak'))} {shown(properties.pop('unit'))} · {colour.label}"
    )
    properties["url"] = reverse("monitoring:alarm", args=[properties.pop("pk")])
    properties["simulated"] = properties.pop("demo", False)
    properties["size"] = 1 + 0.15 * colour.level
    return properties


@layer(
    "monitoring.alarms",
    label=_("Alarms"),
    group=Group.SENSING,
    icon="alert-triangle",
    order=5,
    point=("station__west", "station__south"),
    properties={
        "name": Pair("station__name_zh", "station__name_en"), "what": Pair("what_zh", "what_en"), "colour": "colour",
        "peak": "peak_value", "unit": "unit", "pk": "pk", "demo": "station__is_demo",
    },
    extra=_alarms,
    finish=_alarm,
    style=circle("red", radius=9, by="colour", colours=COLOURS),
    legend=LEGEND,
    live=("monitoring.raise", "monitoring.rise", "monitoring.lower", "monitoring.clear"),
    time=("opened_at", "cleared_at"),
    visible=True,
)  # fmt: skip
def alarms(look: Look) -> QuerySet[Alarm]:
    """Alarms that stood at that moment, in the colour they had."""
    rows = Alarm.objects.visible_to(look.user).filter(space=look.space, station__west__isnull=False)
    # The gravest last: it is drawn over the others of its station.
    return (rows if look.is_past else rows.filter(state__in=OPEN)).order_by("level", "pk")
