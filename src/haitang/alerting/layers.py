"""Warnings in force and warnings received on the map, at the moment the slider shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from haitang.alerting.models import ColourChoice, MsgType, ReceivedWarning, Warning, WarningPlace
from haitang.geo.catalogue import Group, Look, Pair, Property, fill, layer

COLOURS = {colour.value: colour.value for colour in ColourChoice}
LEGEND = [(colour.value, colour.label) for colour in ColourChoice]
LIVE = ("alerting.publish", "alerting.expire")
STYLE = fill("grey", opacity=0.4, width=1.6, by="colour", colours=COLOURS, label="")


def _standing(look: Look) -> Any:
    """What stood at that moment: an end by time needs no row to be written."""
    rows = Warning.objects.visible_to(look.user).filter(
        space=look.space, published_at__isnull=False, expires__gt=look.at
    )
    return rows.exclude(msg_type=MsgType.CANCEL)


def _finish(properties: dict[str, Any]) -> Mapping[str, Any]:
    until = timezone.localtime(properties.pop("expires"))
    place = properties.pop("place", "")
    parts = [place, gettext("until %(time)s") % {"time": f"{until:%m-%d %H:%M}"}]
    properties["subtitle"] = " · ".join(part for part in parts if part)
    # Whoever is signed in works on the warning's page; the public page is for everybody.
    page = "alerting:warning" if properties.pop("signed_in", False) else "alerting:public_warning"
    properties["url"] = reverse(page, args=[properties.pop("pk")])
    return properties


def _reader(look: Look, keys: Sequence[Any]) -> Mapping[Any, Mapping[str, Any]]:
    return {key: {"signed_in": look.user.is_authenticated} for key in keys}


def _properties(prefix: str) -> dict[str, Property]:
    return {
        "name": Pair(f"{prefix}headline_zh", f"{prefix}headline_en"), "text": Pair(f"{prefix}instruction_zh", f"{prefix}instruction_en"),
        "colour": f"{prefix}colour", "expires": f"{prefix}expires", "pk": f"{prefix}pk",
    }  # fmt: skip


@layer(
    "alerting.warnings",
    label=_("Warnings in force"),
    group=Group.WARNING,
    icon="speakerphone",
    order=10,
    geometry="place__shape__geometry",
    properties={**_properties("warning__"), "colour": "colour", "place": Pair("place__name_zh", "place__name_en")},
    extra=_reader,
    finish=_finish,
    style=STYLE,
    legend=LEGEND,
    live=LIVE,
    time=("warning__published_at", "warning__ended_at"),
    visible=True,
    public=True,
)
def warnings(look: Look) -> QuerySet[WarningPlace]:
    """The chosen places of the warnings that stand."""
    rows = WarningPlace.objects.filter(is_chosen=True, place__shape__geometry__isnull=False)
    return rows.filter(warning__in=_standing(look).order_by().values("pk"))


@layer(
    "alerting.drawn",
    label=_("Drawn areas of warnings"),
    group=Group.WARNING,
    icon="polygon",
    order=11,
    properties=_properties(""),
    extra=_reader,
    finish=_finish,
    style=STYLE,
    legend=LEGEND,
    live=LIVE,
    time=("published_at", "ended_at"),
    visible=True,
    public=True,
)
def drawn(look: Look) -> QuerySet[Warning]:
    """What was drawn for the warnings that stand."""
    rows: QuerySet[Warning] = _standing(look).filter(geometry__isnull=False)
    return rows


def _finish_received(properties: dict[str, Any]) -> Mapping[str, Any]:
    properties["subtitle"] = properties.pop("sender")
    properties["name"] = properties["name"] or properties.pop("event")
    properties["url"] = reverse("alerting:received_message", args=[properties.pop("pk")])
    return properties


@layer(
    "alerting.received",
    label=_("Received warnings"),
    group=Group.WARNING,
    icon="inbox",
    order=20,
    properties={"name": "headline", "event": "event", "sender": "sender", "colour": "colour", "pk": "pk"},
    finish=_finish_received,
    style=fill("grey", opacity=0.12, width=1.2, by="colour", colours=COLOURS, label=""),
    legend=LEGEND,
    live=("alerting.receive",),
    time=("sent_at", "expires"),
)
def received(look: Look) -> QuerySet[ReceivedWarning]:
    """What other platforms warn of."""
    rows = ReceivedWarning.objects.visible_to(look.user).filter(space=look.space, geometry__isnull=False)
    return rows.exclude(msg_type=MsgType.CANCEL)
