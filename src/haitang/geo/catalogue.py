"""What the map can show and find. A slice declares it in its `layers.py` and `search.py`; `onemap` serves it.

    @layer("resources.shelters", label=_("Shelters"), group=Group.RESOURCE, point=("lon", "lat"),
           properties={"name": NAME, "capacity": "capacity"}, style=circle(colour="#2f9e44"), live=("resources.",))
    def shelters(look: Look) -> QuerySet[Shelter]:
        return Shelter.objects.visible_to(look.user)

The decorated function gives the rows and answers for their scope: it starts from `.visible_to(look.user)`, and where
rows belong to a space it filters by `look.space`. The decorator stands here, below every slice, because a slice may
not import `onemap`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

Text = str | Promise
Value = Any


class Group(Enum):
    """The headings under which layers are listed, in this order."""

    BASE = "base"
    SENSING = "sensing"
    WARNING = "warning"
    INCIDENT = "incident"
    RESOURCE = "resource"
    RISK = "risk"
    OTHER = "other"

    @property
    def label(self) -> Text:
        """The heading, in the reader's language."""
        return _GROUP_LABELS[self]


_GROUP_LABELS: dict[Group, Text] = {
    Group.BASE: _("Ground"),
    Group.SENSING: _("Monitoring"),
    Group.WARNING: _("Warnings"),
    Group.INCIDENT: _("Incidents"),
    Group.RESOURCE: _("Resources"),
    Group.RISK: _("Risks"),
    Group.OTHER: pgettext_lazy("layers", "Other"),
}


@dataclass(frozen=True)
class Look:
    """Somebody looking at the map: who, at which world, at which moment, in which language, at which part."""

    user: Any
    space: Any
    at: datetime
    # True when the slider stands on another moment than the space's present.
    is_past: bool = False
    language: str = "zh-hans"
    # West, south, east, north in degrees.
    bbox: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Pair:
    """A property kept in two languages; the reader gets the one of his language."""

    zh: str
    en: str


NAME = Pair("name_zh", "name_en")
# A property: the path of a field, or a pair of paths.
Property = str | Pair
Rows = Callable[[Look], QuerySet[Any]]
# Additional properties for the rows on the map, by primary key: the reading at the time, a count ...
Extra = Callable[[Look, Sequence[Any]], Mapping[Any, Mapping[str, Value]]]
Finish = Callable[[dict[str, Value]], Mapping[str, Value]]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of the map.

    Either `geometry` (path of a GeometryField; the envelope columns stand beside it) or `point` (paths of longitude
    and latitude) says where a row is. `time` names the columns from and until which a row holds, so that the slider
    can show another moment; `None` for the end means that the row never ends.
    """

    id: str
    label: Text
    rows: Rows
    group: Group = Group.OTHER
    icon: str = "map-pin"
    order: int = 100
    geometry: str = "geometry"
    point: tuple[str, str] | None = None
    properties: Mapping[str, Property] = field(default_factory=dict)
    extra: Extra | None = None
    # Called with every feature's properties: choices to labels, numbers to text, an address to `url`.
    finish: Finish | None = None
    # geojson: sent whole (up to some 20,000 rows). mvt: sent as vector tiles.
    kind: str = "geojson"
    style: Mapping[str, Value] = field(default_factory=dict)
    legend: Sequence[tuple[str, Text]] = ()
    # Verbs (or beginnings of verbs) of the journal after which the layer is read again.
    live: Sequence[str] = ()
    time: tuple[str, str | None] | None = None
    # True for a layer without such columns whose rows or `extra` answer for `look.at` themselves.
    timed: bool = False
    # For mvt: the column with the stored rank by which points are thinned at small scales (small first); the key if None.
    rank: str | None = None
    min_zoom: int = 0
    visible: bool = False
    # Listed for visitors who have not signed in; their rows are still what `visible_to` gives them.
    public: bool = False
    roles: Collection[str] | None = None
    # What every viewer is told about the data: simulated, approximate, where from.
    note: Text = ""

    @cached_property
    def envelope(self) -> tuple[str, str, str, str]:
        """The paths of west, south, east and north."""
        if self.point:
            lon, lat = self.point
            return lon, lat, lon, lat
        stem = self.geometry.removesuffix("geometry")
        return f"{stem}west", f"{stem}south", f"{stem}east", f"{stem}north"

    def open_to(self, user: Any) -> bool:
        """Whether the layer is in this user's catalogue at all."""
        if not user.is_authenticated:
            return self.public
        return self.roles is None or user.role in self.roles

    def at(self, look: Look) -> QuerySet[Any]:
        """The rows that hold at the moment looked at, within the box looked at."""
        rows = self.rows(look)
        if self.time:
            since, until = self.time
            holds = Q(**{f"{since}__lte": look.at})
            if until:
                holds &= Q(**{f"{until}__isnull": True}) | Q(**{f"{until}__gt": look.at})
            rows = rows.filter(holds)
        if look.bbox:
            rows = rows.filter(self.touching(look.bbox))
        return rows

    def touching(self, bbox: tuple[float, float, float, float]) -> Q:
        """Rows whose envelope shares a point with the box."""
        west, south, east, north = bbox
        left, low, right, high = self.envelope
        return Q(**{f"{left}__lte": east, f"{right}__gte": west, f"{low}__lte": north, f"{high}__gte": south})


LAYERS: dict[str, Layer] = {}


def layer(id: str, **declared: Any) -> Callable[[Rows], Rows]:
    """Declare a layer: the decorated function gives its rows. See `Layer` for what can be declared."""

    def decorate(rows: Rows) -> Rows:
        add_layer(Layer(id=id, rows=rows, **declared))
        return rows

    return decorate


def add_layer(declared: Layer) -> Layer:
    """Put a ready-made layer into the catalogue (the register kit does)."""
    known = LAYERS.get(declared.id)
    if known and known.rows is not declared.rows:
        raise RuntimeError(f"layer {declared.id} is declared twice")
    LAYERS[declared.id] = declared
    return declared


def circle(colour: str, *, radius: float = 6, by: str = "", colours: Mapping[str, str] | None = None,
           label: str = "name") -> dict[str, Value]:  # fmt: skip
    """Style of points: one colour, or one colour for each value of the property `by`."""
    return {
        "type": "circle",
        "colour": colour,
        "radius": radius,
        "by": by,
        "colours": dict(colours or {}),
        "label": label,
    }


def fill(colour: str, *, opacity: float = 0.25, outline: str = "", width: float = 1, by: str = "",
         colours: Mapping[str, str] | None = None, label: str = "name") -> dict[str, Value]:  # fmt: skip
    """Style of areas."""
    return {"type": "fill", "colour": colour, "opacity": opacity, "outline": outline or colour, "width": width,
            "by": by, "colours": dict(colours or {}), "label": label}  # fmt: skip


def line(colour: str, *, width: float = 1.5, dash: Sequence[float] = (), by: str = "",
         colours: Mapping[str, str] | None = None, label: str = "") -> dict[str, Value]:  # fmt: skip
    """Style of lines."""
    return {"type": "line", "colour": colour, "width": width, "dash": list(dash), "by": by,
            "colours": dict(colours or {}), "label": label}  # fmt: skip


@dataclass(frozen=True)
class Hit:
    """Something found: shown in the list, flown to on the map, opened at its address."""

    title: str
    subtitle: str = ""
    url: str = ""
    lon: float | None = None
    lat: float | None = None
    # West, south, east, north of something with an extent.
    bounds: tuple[float, float, float, float] | None = None
    # Better hits first; 0 an exact name, 1 a name that begins so, 2 anything else. `rate` works it out.
    rank: int = 2


Search = Callable[[Look, str, int], Iterable[Hit]]


@dataclass(frozen=True, kw_only=True)
class SearchSource:
    """One kind of thing that can be searched."""

    id: str
    label: Text
    search: Search
    order: int = 100
    icon: str = "map-pin"
    public: bool = False


SEARCH_SOURCES: dict[str, SearchSource] = {}


def search_source(id: str, **declared: Any) -> Callable[[Search], Search]:
    """Declare a search: the decorated function gives at most `limit` hits for the words, within the user's scope."""

    def decorate(search: Search) -> Search:
        known = SEARCH_SOURCES.get(id)
        if known and known.search is not search:
            raise RuntimeError(f"search source {id} is declared twice")
        SEARCH_SOURCES[id] = SearchSource(id=id, search=search, **declared)
        return search

    return decorate


def matching(rows: QuerySet[Any], text: str, *fields: str) -> QuerySet[Any]:
    """Rows in which every word of the text occurs in one of the fields. Works for Chinese words of any length."""
    for word in text.split():
        some = Q()
        for name in fields:
            some |= Q(**{f"{name}__icontains": word})
        rows = rows.filter(some)
    return rows


def rate(text: str, *names: str) -> int:
    """The rank of a hit with these names: 0 exact, 1 begins with the text, 2 contains it."""
    wanted = text.strip().casefold()
    folded = [name.casefold() for name in names]
    return 0 if wanted in folded else 1 if any(name.startswith(wanted) for name in folded) else 2


def hits(rows: QuerySet[Any], text: str, limit: int, *, names: Sequence[str], also: Sequence[str] = (),
         make: Callable[[Any], Hit]) -> list[Hit]:  # fmt: skip
    """The usual search: the best `limit` rows that match in `names` or `also`, exact names first."""
    exact, begins = Q(), Q()
    for name in names:
        exact |= Q(**{f"{name}__iexact": text})
        begins |= Q(**{f"{name}__istartswith": text})
    found: dict[Any, Model] = {}
    matched = matching(rows, text, *names, *also)
    for some in (matched.filter(exact), matched.filter(begins), matched):
        if len(found) < limit:
            found.update((row.pk, row) for row in some[:limit] if row.pk not in found)
    return [
        replace(make(row), rank=rate(text, *(str(getattr(row, name)) for name in names)))
        for row in list(found.values())[:limit]
    ]
