"""Cards made into HTML. A card that fails is named on the page and in the log; the cards beside it still show."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse

from haitang.frame import CardSlot, slots

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shown:
    """A slot with what it shows now."""

    slot: CardSlot
    html: str
    url: str

    @property
    def anchor(self) -> str:
        """The slot's name as an HTML id."""
        return self.slot.id.replace(".", "-")

    @property
    def live(self) -> str:
        """The verbs after which the card is read again."""
        return " ".join(self.slot.live)


def render(request: HttpRequest, slot: CardSlot) -> str:
    """One card's HTML, empty when it has nothing to show."""
    try:
        card = slot.show(request)
        if card is None:
            return ""
        return render_to_string(card.template, {**card.context, "card_colour": card.colour}, request)
    except Exception:
        # A duty officer must not lose the desk because one card is broken.
        log.exception("card %s failed", slot.id)
        return render_to_string("shell/parts/card_failed.html", {"slot": slot}, request)


def columns(request: HttpRequest, shelf: Mapping[str, CardSlot], name: str) -> dict[str, list[Shown]]:
    """All cards of a shelf that this user is shown, by column. A card with nothing to show keeps its live place."""
    found: dict[str, list[Shown]] = {}
    for slot in slots(shelf, request.user):
        html = render(request, slot)
        if html or slot.live:
            found.setdefault(slot.column, []).append(Shown(slot, html, reverse(f"shell:{name}_card", args=[slot.id])))
    return found
