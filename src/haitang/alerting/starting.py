"""One warning for many places: from open alarms of a kind, or from a forecast, each township in its own colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import User
from haitang.alerting import composing, drafting, forecast_grid, services
from haitang.alerting.colours import Colour
from haitang.alerting.drafting import Cause
from haitang.alerting.models import ColourChoice, EventKind, Warning
from haitang.geo.models import Level, Place, PlaceShape
from haitang.monitoring.models import Alarm
from haitang.spaces.models import Space

OPEN = ("active", "acknowledged")


@dataclass(frozen=True)
class Group:
    """The open alarms that announce one kind of event, and the gravest colour in each township."""

    kind: EventKind
    alarms: Sequence[Alarm]
    colours: Mapping[str, Colour]
    names: Sequence[str]

    @property
    def colour(self) -> Colour:
        """The gravest."""
        return max(self.colours.values(), key=lambda one: one.rank)

    @property
    def colour_label(self) -> str:
        """Its name."""
        return str(ColourChoice(self.colour.value).label)

    @property
    def cause(self) -> Cause:
        """The gravest alarm, the earliest of them, speaks for all."""
        first = min(self.alarms, key=lambda one: (-Colour(one.colour).rank, one.opened_at))
        own = drafting.alarm_cause(first)
        if len(self.alarms) == 1:
            return own
        more = len(self.alarms) - 1
        return Cause(own.thread, f"{own.zh}等{more + 1}处报警", f"{own.en} and {more} more alarms", own.at)


def groups(space: Space, user: User) -> list[Group]:
    """The open alarms the user sees, by the kind of event they announce, gravest first. At most four queries."""
    rows = Alarm.objects.visible_to(user).filter(space=space, state__in=OPEN, place__isnull=False)
    kinds = list(EventKind.objects.filter(is_active=True).order_by("code"))
    found: dict[str, list[Alarm]] = {}
    for alarm in rows.select_related("series", "place", "station").order_by("opened_at", "pk")[:2000]:
        if alarm.colour not in list(Colour):
            continue
        kind = next((one for one in kinds if alarm.series.quantity in one.quantities), None)
        if kind is not None:
            found.setdefault(kind.code, []).append(alarm)
    # The township of each place: itself, or the one it lies in.
    townships = list(Place.objects.filter(level=Level.TOWNSHIP).order_by("path"))
    made = []
    for kind in kinds:
        colours: dict[str, Colour] = {}
        names: list[str] = []
        for alarm in found.get(kind.code, []):
            township = next((one for one in townships if alarm.place is not None and one.contains(alarm.place)), None)
            if township is None:
                continue
            if township.code not in colours:
                names.append(township.name)
            before = colours.get(township.code)
            colours[township.code] = max(filter(None, (before, Colour(alarm.colour))), key=lambda one: one.rank)
        if colours:
            made.append(Group(kind, found[kind.code], colours, names))
    return sorted(made, key=lambda one: (-one.colour.rank, -len(one.alarms)))


def from_forecast(data: bytes, thresholds: Mapping[Colour, float], *, below: bool, by: Actor) -> dict[str, Colour]:
    """The townships in the actor's reach that a forecast puts above a threshold, with their colour. Raises GridError."""
    grid = forecast_grid.read(data)
    rows = PlaceShape.objects.filter(place__level=Level.TOWNSHIP).select_related("place")
    reach = None if isinstance(by, System) or by.organisation is None else by.organisation.place
    if reach is not None:
        rows = rows.filter(place__path__startswith=reach.path)
    outlines = {row.place.code: row.geometry for row in rows if row.geometry is not None}
    return forecast_grid.colour_places(forecast_grid.areas(grid, thresholds, below=below), outlines)


def forecast_cause(name: str) -> Cause:
    """A forecast as the cause of a warning."""
    return Cause("", f"根据格点预报（{name[:60]}）", f"From the gridded forecast {name[:60]}")


def draft(space: Space, kind: EventKind, colours: Mapping[str, Colour], cause: Cause, *, by: Actor) -> Warning:
    """Draft one warning in the gravest colour, the other places each in its own."""
    top = max(colours.values(), key=lambda one: one.rank)
    places = list(Place.objects.filter(code__in=colours).order_by("path"))
    own = {code: colour.value for code, colour in colours.items() if colour is not top}
    # The words name the cause; a forecast's file name is for the record only.
    return services.draft(
        space=space, kind=kind, colour=top.value, places=places, cause=cause, by=by, own_colours=own,
        certainty="Observed" if cause.thread else "Likely", audiences=composing.default_audiences("Exercise" if space.is_exercise else "Actual"),
    )  # fmt: skip
