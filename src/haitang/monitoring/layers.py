"""Stations and alarms on the map, at the moment the slider shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import OFFICIALS, Role
from haitang.geo.catalogue import NAME, Group, Look, Pair, circle, fill, layer
from haitang.geo.models import Level, Place
from haitang.monitoring import queries
from haitang.monitoring.models import Alarm, Colour, Series, Station, StationKind
from haitang.monitoring.models.alarms import OPEN
from haitang.monitoring.quantities import figure, shown

COLOURS = {colour.value: colour.value for colour in Colour}
_MISSING = {"0": "#2f9e44", "1": "#ffd43b", "2": "#fd7e14", "3": "#e8590c"}
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


def _reached(look: Look, keys: Sequence[Any]) -> Mapping[Any, Mapping[str, Any]]:
    """For each township the kinds of station, of those there are, by which most of its people are not watched."""
    from haitang.monitoring import blind_spots, unwatched

    people = unwatched.ground()
    live, silent = unwatched.stations(look.space, look.user)
    missing: defaultdict[int, list[str]] = defaultdict(list)
    for kind in StationKind:
        here = [each for each in live if each.kind == kind]
        if not here and not any(each.kind == kind for each in silent):
            continue
        x, y = np.array([each.west for each in here], float), np.array([each.south for each in here], float)
        far, _which = blind_spots.nearest(people.lon, people.lat, x, y)
        beyond = np.bincount(
            people.of, weights=people.people * (far > unwatched.REACH_KM[kind] * 1000), minlength=len(people.places)
        )
        total = np.bincount(people.of, weights=people.people, minlength=len(people.places))
        for place, share in zip(people.places, beyond / np.maximum(total, 1e-9), strict=True):
            if share > 0.5:
                missing[place.pk].append(str(kind.label))
    return {
        key: {
            "missing": str(min(len(missing[key]), 3)),
            "subtitle": gettext("Not watched: %(kinds)s") % {"kinds": ", ".join(missing[key])} if missing[key] else gettext("watched by every kind of station"),
        }
        for key in keys
    }  # fmt: skip


@layer(
    "monitoring.unwatched",
    label=_("Blind spots"),
    group=Group.SENSING,
    icon="eye-off",
    order=40,
    geometry="shape__geometry",
    properties={"name": NAME},
    extra=_reached,
    style=fill("#2f9e44", opacity=0.25, by="missing", colours=_MISSING),
    legend=[("#2f9e44", _("watched")), ("#ffd43b", _("one kind of station is missing")), ("#fd7e14", _("two kinds")), ("#e8590c", _("three or more kinds"))],
    live=("monitoring.register", "registry.geo", "geo."),
    roles=OFFICIALS | {Role.ENTERPRISE},
    note=_("Missing: for more than half of the people no live station of that kind stands near enough."),
)  # fmt: skip
def blind(look: Look) -> QuerySet[Place]:
    """Townships by how many kinds of station do not watch them."""
    return Place.objects.visible_to(look.user).filter(
        level=Level.TOWNSHIP, shape__geometry__isnull=False, population__gt=0
    )
