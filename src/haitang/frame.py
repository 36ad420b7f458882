"""What a slice offers the frame people see: places in the menu, cards on the desk, panels on the wall.

A slice declares them in its `menu.py` and `cards.py`, which are imported at start; `shell` shows them and knows no
slice by name. The declarations stand here, beside the slices, because a slice may not import `shell`.

    menu_item("incidents:list", label=_("Incidents"), icon="urgent", group=Menu.RESPONSE, roles=OFFICIALS)

    @desk_card("incidents.current", order=20, live=("incidents.",))
    def current(request: HttpRequest) -> Card | None:
        return Card("incidents/desk_card.html", {"incidents": ...})
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

Text = str | Promise


class Menu(Enum):
    """The headings of the navigation, in this order."""

    SITUATION = "situation"
    WARNING = "warning"
    SETTINGS = "settings"
    RESPONSE = "response"
    RESOURCES = "resources"
    RISKS = "risks"
    SERVICE = "service"
    SYSTEM = "system"

    @property
    def label(self) -> Text:
        """The heading, in the reader's language."""
        return _MENU_LABELS[self]


_MENU_LABELS: dict[Menu, Text] = {
    Menu.SITUATION: _("Situation"),
    Menu.WARNING: _("Monitoring and warning"),
    Menu.SETTINGS: _("Monitoring and warning: settings"),
    Menu.RESPONSE: _("Response"),
    Menu.RESOURCES: pgettext_lazy("menu", "Resources"),
    Menu.RISKS: _("Risk prevention"),
    Menu.SERVICE: _("Public service"),
    Menu.SYSTEM: _("Administration"),
}


@dataclass(frozen=True, kw_only=True)
class MenuItem:
    """One place in the navigation; `url` is a url name, `roles` None means whoever signed in."""

    url: str
    label: Text
    icon: str
    group: Menu
    roles: Collection[str] | None = None
    order: int = 100
    args: Sequence[Any] = ()

    def open_to(self, user: Any) -> bool:
        """Whether this user is shown the item."""
        return bool(user.is_authenticated) and (self.roles is None or user.role in self.roles)


@dataclass(frozen=True)
class Card:
    """What a card or panel shows now: a template and its context. `colour` marks the panel's edge."""

    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    colour: str = ""


Show = Callable[[HttpRequest], Card | None]


@dataclass(frozen=True, kw_only=True)
class CardSlot:
    """A declared card: who sees it, where it stands, and after which verbs of the journal it is read again."""

    id: str
    show: Show
    order: int = 100
    roles: Collection[str] | None = None
    live: Sequence[str] = ()
    # On the desk: "main" (wide) or "side". On the wall: "left" or "right".
    column: str = ""

    def open_to(self, user: Any) -> bool:
        """Whether this user is shown the card."""
        return self.roles is None or getattr(user, "role", None) in self.roles


MENU: dict[tuple[str, tuple[Any, ...]], MenuItem] = {}
DESK: dict[str, CardSlot] = {}
WALL: dict[str, CardSlot] = {}
PHONE: dict[str, CardSlot] = {}


def menu_item(url: str, **declared: Any) -> MenuItem:
    """Declare a place in the navigation. See `MenuItem` for what can be declared."""
    item = MenuItem(url=url, **declared)
    MENU[(url, tuple(item.args))] = item
    return item


def _slot(shelf: dict[str, CardSlot], id: str, column: str, declared: Mapping[str, Any]) -> Callable[[Show], Show]:
    def decorate(show: Show) -> Show:
        known = shelf.get(id)
        if known and known.show is not show:
            raise RuntimeError(f"card {id} is declared twice")
        shelf[id] = CardSlot(id=id, show=show, **{"column": column, **declared})
        return show

    return decorate


def desk_card(id: str, **declared: Any) -> Callable[[Show], Show]:
    """Declare a card of the desk; the decorated function gives what it shows now, None for nothing."""
    return _slot(DESK, id, "main", declared)


def wall_panel(id: str, **declared: Any) -> Callable[[Show], Show]:
    """Declare a panel of the wall display: large figures and lists, nothing to press."""
    return _slot(WALL, id, "left", declared)


def phone_card(id: str, **declared: Any) -> Callable[[Show], Show]:
    """Declare a card at the head of the phone's first page."""
    return _slot(PHONE, id, "main", declared)


def slots(shelf: Mapping[str, CardSlot], user: Any) -> list[CardSlot]:
    """The cards of a shelf that this user is shown, in order."""
    return sorted((slot for slot in shelf.values() if slot.open_to(user)), key=lambda slot: (slot.order, slot.id))


def menu_of(user: Any) -> list[tuple[Menu, list[MenuItem]]]:
    """The navigation of this user: headings that have items, with the items."""
    mine = sorted((item for item in MENU.values() if item.open_to(user)), key=lambda item: (item.order, item.url))
    return [(group, found) for group in Menu if (found := [item for item in mine if item.group is group])]
