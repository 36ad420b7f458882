"""The frame's own cards: the map, and what happened last."""

from __future__ import annotations

from django.http import HttpRequest

from haitang.accounts.actors import LOADER
from haitang.accounts.roles import OFFICIALS
from haitang.frame import Card, desk_card
from haitang.journal.models import Entry

LATEST = 12
# What the platform does by itself many times a minute is no news for a desk.
QUIET = ("delivery.", "registry.", "config.", "accounts.")


@desk_card("shell.map", order=30)
def one_map(request: HttpRequest) -> Card:
    """The map of whoever looks, with the layers that are on by default."""
    return Card("shell/cards/map.html")


@desk_card("shell.latest", order=50, column="side", roles=OFFICIALS, live=("*",))
def latest(request: HttpRequest) -> Card:
    """What happened last, in reach."""
    space = request.space  # type: ignore[attr-defined]
    rows = Entry.objects.visible_to(request.user).filter(space=space).exclude(actor_name=LOADER.name)
    for beginning in QUIET:
        rows = rows.exclude(verb__startswith=beginning)
    return Card("shell/cards/latest.html", {"entries": rows.order_by("-id")[:LATEST]})
