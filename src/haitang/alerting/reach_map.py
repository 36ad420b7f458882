"""Who of a warning is not reached, on the map and as a list: townships by their answers, villages by their door-knocks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from haitang.alerting import answers, composing
from haitang.alerting.dissemination import KNOCK
from haitang.alerting.mapping import bounds
from haitang.alerting.models import Warning
from haitang.geo.catalogue import fill
from haitang.geo.models import Place
from haitang.obligations import services as obligations
from haitang.obligations.models import Obligation, State

# In the order in which they want somebody's attention; name, colour.
STANDINGS = {
    "gap": (gettext_lazy("Nobody responsible"), "orange"),
    "overdue": (gettext_lazy("Not reached, overdue"), "red"),
    "declined": (gettext_lazy("Cannot answer"), "orange"),
    "waiting": (gettext_lazy("Waiting for an answer"), "yellow"),
    "ended": (gettext_lazy("No longer asked"), "grey"),
    "answered": (gettext_lazy("Has answered"), "green"),
}


@dataclass(frozen=True)
class Spot:
    """One place with how it stands, whose it is, and the obligation where there is one."""

    place: Place
    standing: str
    who: str = ""
    obligation: Obligation | None = None
    confirmed: int = 0
    is_village: bool = False

    @property
    def label(self) -> str:
        """The standing in the reader's language."""
        return str(STANDINGS[self.standing][0])

    @property
    def colour(self) -> str:
        """The standing's colour."""
        return STANDINGS[self.standing][1]

    @property
    def is_reached(self) -> bool:
        """Whether nobody needs to look at it any more."""
        return self.standing == "answered"


def spots(warning: Warning, user: Any) -> list[Spot]:
    """Every township of the warning that the reader sees and the villages where doors are knocked at, worst first."""
    board = answers.board(warning, user)
    asked = [row.obligation for row in board.rows if row.obligation]
    said = _said([one.pk for one in asked])
    found = [
        Spot(row.place, _of_row(row, said), row.obligation.owner.name if row.obligation else "", row.obligation,
             said.get(row.obligation.pk, (0, 0))[0] if row.obligation else 0)
        for row in board.rows
    ]  # fmt: skip
    knocks = obligations.for_subject(warning).filter(
        kind=KNOCK, pk__in=Obligation.objects.visible_to(user).values("pk")
    )
    found += [
        Spot(one.place, _of_knock(one), one.owner.name, one, is_village=True) for one in knocks if one.place is not None
    ]
    order = list(STANDINGS)
    return sorted(found, key=lambda spot: (order.index(spot.standing), spot.place.path))


def _said(pks: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Positive and negative answers of single persons, by obligation. One query."""
    from haitang.obligations.models import Reply

    found: dict[int, tuple[int, int]] = {}
    for pk, negative in Reply.objects.filter(obligation__in=pks).values_list("obligation", "is_negative"):
        yes, no = found.get(pk, (0, 0))
        found[pk] = (yes, no + 1) if negative else (yes + 1, no)
    return found


def _of_row(row: answers.Row, said: dict[int, tuple[int, int]]) -> str:
    if row.obligation is None:
        return "gap"
    if row.is_answered:
        return "answered"
    if row.is_overdue:
        return "overdue"
    if row.is_waiting:
        return "declined" if said.get(row.obligation.pk, (0, 0))[1] else "waiting"
    return "ended"


def _of_knock(one: Obligation) -> str:
    if one.state in (State.DONE, State.CONFIRMED):
        return "answered"
    if one.state == State.REFUSED:
        return "declined"
    return ("overdue" if one.is_overdue else "waiting") if one.is_open else "ended"


def features(found: Sequence[Spot]) -> dict[str, Any]:
    """The places whose outline is known as GeoJSON, villages above their township. One query."""
    outlines = {place.pk: shape for place, shape in composing.outlines_of([spot.place for spot in found])}
    return {"type": "FeatureCollection", "features": [
        {"type": "Feature", "geometry": json.loads(shapely.to_geojson(outlines[spot.place.pk])),
         "properties": {"name": spot.place.name, "subtitle": f"{spot.label} {spot.who}".strip(), "standing": spot.standing,
                        **({"url": spot.obligation.get_absolute_url()} if spot.obligation else {})}}
        for spot in sorted(found, key=lambda spot: (spot.is_village, spot.place.path)) if spot.place.pk in outlines
    ]}  # fmt: skip


def picture(warning: Warning, found: Sequence[Spot]) -> dict[str, Any] | None:
    """A map layer that is read again when somebody answers; None where no outline is known. One query."""
    shapes = [shape for _place, shape in composing.outlines_of([spot.place for spot in found])]
    if not shapes:
        return None
    layer = {
        "id": "own.reach", "label": _("Who is reached"), "kind": "geojson", "url": reverse("alerting:reach_map", args=[warning.pk]),
        "style": fill("grey", opacity=0.45, width=2, by="standing", colours={name: colour for name, (_label, colour) in STANDINGS.items()}),
        "legend": [(str(label), colour) for label, colour in STANDINGS.values()], "live": ["alerting.", "obligations."], "visible": True,
    }  # fmt: skip
    return {"layers": [layer], "bounds": bounds(shapes)}


def summary(found: Sequence[Spot]) -> list[tuple[str, str, int]]:
    """How many townships stand where: label, colour, number; the villages apart."""
    rows = [
        (str(label), colour, sum(spot.standing == standing and not spot.is_village for spot in found))
        for standing, (label, colour) in STANDINGS.items()
    ]
    knocked = [spot for spot in found if spot.is_village]
    if knocked:
        done = sum(spot.is_reached for spot in knocked)
        rows.append(
            (
                _("villages told at the door, of %(n)s") % {"n": len(knocked)},
                "green" if done == len(knocked) else "yellow",
                done,
            )
        )
    return [row for row in rows if row[2] or row[1] == "yellow"]
