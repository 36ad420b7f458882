"""What every page knows of its frame: world, clock, stream, navigation. Nothing costs a query until it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.html import json_script
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from haitang import frame as offered
from haitang.accounts.models import User
from haitang.accounts.roles import Role
from haitang.journal.models import Entry
from haitang.shell.strings import texts
from haitang.spaces.clock import now
from haitang.spaces.models import ClockMode, Space

MAX_SPACES = 8
MAP_CATALOGUE = "onemap:layers"


@dataclass(frozen=True)
class Link:
    """One line of the navigation, ready to be shown."""

    label: Any
    icon: str
    url: str


def address(name: str, *args: Any) -> str:
    """The address of a url name; empty when no installed slice has it."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


class Frame:
    """The frame of one page."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def lang(self) -> str:
        """The page's language as HTML names it."""
        return "en" if get_language() == "en" else "zh-Hans"

    @cached_property
    def theme(self) -> str:
        """Light for the desk unless the reader chose dark."""
        return "dark" if self._request.COOKIES.get("theme") == "dark" else "light"

    @cached_property
    def signed_in(self) -> bool:
        """Whether somebody has signed in."""
        user = getattr(self._request, "user", None)
        return bool(user and user.is_authenticated)

    @cached_property
    def space(self) -> Space | None:
        """The world in view; None where a request failed before one was found."""
        return getattr(self._request, "space", None)

    @cached_property
    def is_exercise(self) -> bool:
        """Whether the page shows an exercise."""
        return bool(self.space and self.space.is_exercise)

    @cached_property
    def spaces(self) -> list[Space]:
        """The live world and the newest exercises. One query."""
        rows = list(Space.objects.order_by("-created_at")[: MAX_SPACES + 1])
        return [space for space in rows if not space.is_exercise] + [space for space in rows if space.is_exercise]

    @cached_property
    def now(self) -> str:
        """The time in the space, for the page's clock."""
        return now(self.space).isoformat()

    @cached_property
    def speed(self) -> float:
        """How fast the clock runs; 0 when it is moved by hand."""
        space = self.space
        if space is None or not space.is_exercise or space.clock_mode == ClockMode.REAL:
            return 1.0
        # A replay's clock is moved by its driver at that speed; between two moves the page lets it run on.
        moved = space.is_open and space.clock_speed != 1.0
        return space.clock_speed if space.clock_mode == ClockMode.SCALED or moved else 0.0

    @cached_property
    def last_entry(self) -> int | str:
        """The newest journal entry when the page was made: the stream goes on from there. One query."""
        if self.space is None:
            return ""
        newest = Entry.objects.filter(space=self.space).order_by("-id").values_list("id", flat=True).first()
        return newest or 0

    @cached_property
    def stream(self) -> str:
        """Where the page asks for its live stream."""
        return address("journal:stream_address") if self.signed_in else ""

    @cached_property
    def layers(self) -> str:
        """The catalogue of map layers."""
        return address(MAP_CATALOGUE)

    @cached_property
    def strings(self) -> SafeString:
        """The texts of the page's program, as the page carries them."""
        return _strings(get_language() or "")

    @cached_property
    def demo(self) -> bool:
        """Whether this is a demonstration."""
        return bool(settings.DEMO)

    @cached_property
    def demo_users(self) -> list[User]:
        """One demonstration account for each role, in the order of the roles; none outside a demonstration."""
        if not settings.DEMO or self.signed_in:
            return []
        first: dict[str, User] = {}
        for user in User.objects.filter(is_demo=True, is_active=True).select_related("organisation").order_by("pk"):
            first.setdefault(user.role, user)
        return [first[role] for role in Role if role in first]

    @cached_property
    def demo_password(self) -> str:
        """The password that all demonstration accounts share."""
        return str(getattr(settings, "DEMO_PASSWORD", ""))

    @cached_property
    def menu(self) -> SafeString:
        """The navigation of whoever signed in, the longest matching address marked as current."""
        user = getattr(self._request, "user", None)
        if user is None:
            return SafeString()
        path, groups = self._request.path, _navigation(user)
        urls = (line.url for _, lines in groups for line in lines)
        here = max((url for url in urls if _leads_to(url, path)), key=len, default="")
        return _drawn(groups, here)


Navigation = tuple[tuple[str, tuple[Link, ...]], ...]
_NAVIGATIONS: dict[tuple[str, str, int], Navigation] = {}


def _navigation(user: Any) -> Navigation:
    """The navigation of a role in a language: some forty addresses and texts, put together once in a process."""
    key = (user.role if user.is_authenticated else "", get_language() or "", len(offered.MENU))
    if key not in _NAVIGATIONS:
        groups = (
            (group, [(item, url) for item in items if (url := address(item.url, *item.args))])
            for group, items in offered.menu_of(user)
        )
        _NAVIGATIONS[key] = tuple(
            (str(group.label), tuple(Link(str(item.label), item.icon, url) for item, url in pairs))
            for group, pairs in groups
            if pairs
        )
    return _NAVIGATIONS[key]


@lru_cache(maxsize=1024)
def _drawn(groups: Navigation, here: str) -> SafeString:
    """The navigation as a page carries it: it differs by role, language and place only."""
    return SafeString(render_to_string("shell/parts/side.html", {"groups": groups, "here": here}))


@lru_cache(maxsize=8)
def _strings(_language: str) -> SafeString:
    return json_script(texts(), "strings")


def _leads_to(url: str, path: str) -> bool:
    return path == url or (url != "/" and path.startswith(url))


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template context: `frame`."""
    return {"frame": Frame(request)}
