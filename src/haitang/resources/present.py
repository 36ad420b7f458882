"""How the registers show the present: the column "now" of the lists, and colours and words on the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from haitang.geo.catalogue import Look
from haitang.registry.values import badge
from haitang.resources import queries
from haitang.resources.models import Supply, TeamStatus
from haitang.resources.queries import figure

Text = Any

LEVEL_COLOURS = {"closed": "#868e96", "open": "#2f9e44", "filling": "#f59f00", "full": "#e8590c"}
LEVELS: Sequence[tuple[str, Text]] = (
    (LEVEL_COLOURS["closed"], pgettext_lazy("shelter", "closed")),
    (LEVEL_COLOURS["open"], pgettext_lazy("shelter", "open")),
    (LEVEL_COLOURS["filling"], gettext_lazy("80 % full and more")),
    (LEVEL_COLOURS["full"], pgettext_lazy("shelter", "full")),
)
_BADGES = {"closed": "grey", "open": "green", "filling": "yellow", "full": "orange"}
STATUS_COLOURS = {
    "available": "#2f9e44",
    "assigned": "#f59f00",
    "en_route": "#1c7ed6",
    "on_scene": "#1864ab",
    "returning": "#fab005",
    "out_of_service": "#868e96",
}
STATUSES: Sequence[tuple[str, Text]] = tuple((STATUS_COLOURS[status.value], status.label) for status in TeamStatus)
STOCK_COLOURS = {"enough": "#1971c2", "short": "#e8590c"}
STOCK_LEVELS: Sequence[tuple[str, Text]] = (
    (STOCK_COLOURS["enough"], gettext_lazy("at or above the minimum")),
    (STOCK_COLOURS["short"], gettext_lazy("under the minimum")),
)


def _moment(look: Look) -> datetime | None:
    return look.at if look.is_past else None


def occupancy(look: Look, keys: Sequence[Any]) -> Mapping[Any, Any]:
    """Open or closed, people counted and room. Three small queries."""
    return {pk: occupancy_badge(each) for pk, each in queries.shelters_now(look.space, keys, _moment(look)).items()}


def occupancy_badge(each: queries.ShelterNow) -> Any:
    """A shelter's badge: closed, or people inside of how many there is room for."""
    if not each.is_open:
        return badge(str(LEVELS[0][1]), "grey")
    return badge(f"{each.inside} / {each.capacity}", _BADGES[each.level])


def shelters_on_map(look: Look, keys: Sequence[Any]) -> Mapping[Any, Mapping[str, Any]]:
    """Level and words of shelters at the moment looked at. One query."""
    found = {}
    for pk, each in queries.shelters_now(look.space, keys, _moment(look)).items():
        if each.is_open:
            words = _("open: %(people)s of %(capacity)s") % {"people": each.inside, "capacity": each.capacity}
            if each.counted_at:
                words += " · " + date_format(timezone.localtime(each.counted_at), "m-d H:i")
        else:
            words = _("closed; room for %(capacity)s") % {"capacity": each.capacity}
        found[pk] = {"level": each.level, "people": each.inside, "subtitle": words, "faded": not each.is_open}
    return found


def status(look: Look, keys: Sequence[Any]) -> Mapping[Any, Any]:
    """What teams are doing. One query."""
    return {
        pk: badge(str(each.status.label), each.status.colour)
        for pk, each in queries.teams_now(look.space, keys, _moment(look)).items()
    }


def teams_on_map(look: Look, keys: Sequence[Any]) -> Mapping[Any, Mapping[str, Any]]:
    """Status and words of teams at the moment looked at. One query."""
    return {
        pk: {"status": each.status.value, "subtitle": " · ".join(filter(None, (str(each.status.label), each.task)))}
        for pk, each in queries.teams_now(look.space, keys, _moment(look)).items()
    }


def stock(look: Look, keys: Sequence[Any]) -> Mapping[Any, Any]:
    """How much there is, marked where it is less than the minimum. One query."""
    rows = queries.with_stock(Supply.objects.filter(pk__in=list(keys)), look.space)
    found = {}
    for pk, there, minimum, unit in rows.values_list("pk", "now_stock", "minimum", "unit"):
        shown = f"{figure(there)} {unit}"
        found[pk] = badge(shown, "orange") if there < minimum else format_html("{}", shown)
    return found


def supplies_on_map(look: Look, keys: Sequence[Any]) -> Mapping[Any, Mapping[str, Any]]:
    """Stock and words of supplies, at present. One query."""
    rows = queries.with_stock(Supply.objects.filter(pk__in=list(keys)), look.space)
    return {
        pk: {
            "level": "short" if there < minimum else "enough",
            "subtitle": _("%(stock)s %(unit)s, minimum %(minimum)s")
            % {"stock": figure(there), "unit": unit, "minimum": figure(minimum)},
        }
        for pk, there, minimum, unit in rows.values_list("pk", "now_stock", "minimum", "unit")
    }
