"""The what-if page's answer: what a changed storm would reach in each township, beside what came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from haitang.accounts.models import User
from haitang.geo.models import Level, Place
from haitang.monitoring.models import Colour, Rule
from haitang.monitoring.quantities import QUANTITIES, shown
from haitang.replay import library
from haitang.replay.simulate import Simulation
from haitang.replay.what_if import Change, Peak, Watched, peaks

PLAIN = ("last", "max", "sum", "mean")
CHART_STEP = 15
"""Every so many minutes of the grid one point of the chart."""


@dataclass(frozen=True)
class Reached:
    """One rule: what the storm reached and what the changed one would reach."""

    rule: Rule
    base: Peak
    changed: Peak

    @property
    def unit(self) -> str:
        """The unit as people write it."""
        return shown(QUANTITIES[self.rule.series.quantity].unit)

    @property
    def at(self) -> datetime:
        """When the changed storm reaches it."""
        return datetime.fromtimestamp(self.changed.at_s, UTC)

    @property
    def difference(self) -> float:
        """How much more."""
        return self.changed.value - self.base.value


@dataclass(frozen=True)
class Township:
    """One township: its worst colour in both, and what decides it."""

    place: Place | None
    reached: Sequence[Reached]

    @property
    def base(self) -> int:
        """Worst colour of the storm as it was, 0 to 4."""
        return max(each.base.level for each in self.reached)

    @property
    def changed(self) -> int:
        """Worst colour of the changed storm."""
        return max(each.changed.level for each in self.reached)

    @property
    def colours(self) -> tuple[Colour | None, Colour | None]:
        """Both as colours."""
        return tuple(Colour.of(level) if level else None for level in (self.base, self.changed))  # type: ignore[return-value]

    @property
    def decisive(self) -> Reached:
        """The rule that is worst, and of equal ones the one that rises most."""
        return max(
            self.reached, key=lambda each: (each.changed.level, each.changed.level - each.base.level, each.difference)
        )


@dataclass(frozen=True)
class Outlook:
    """The whole answer."""

    change: Change
    townships: Sequence[Township]
    gauges: Sequence[Reached]
    chart: Mapping[str, Any] | None

    @property
    def tiles(self) -> list[tuple[str, int, int]]:
        """Townships and people by the two worst colours: label, as it was, changed."""
        # The district's own stations stand in the list, but its people live in the townships.
        towns = [each for each in self.townships if each.place is not None and each.place.level == Level.TOWNSHIP]

        def count(of: str, level: int) -> int:
            return sum(getattr(each, of) >= level for each in towns)

        def people(of: str, level: int) -> int:
            return sum(each.place.population or 0 for each in towns if each.place and getattr(each, of) >= level)

        return [
            (_("Places at red"), count("base", 4), count("changed", 4)),
            (_("Places at orange or red"), count("base", 3), count("changed", 3)),
            (_("Residents where it is red"), people("base", 4), people("changed", 4)),
        ]


def outlook(user: User, key: str, change: Change, gauge: str = "") -> Outlook:
    """Compute it: seconds the first time a storm is asked for, then less than one."""
    base, other = library.simulation(key), library.simulation(key, change=change)
    rules = [
        rule
        for rule in Rule.objects.visible_to(user)
        .filter(is_active=True, direction="rising", aggregate__in=PLAIN, silence_s=0)
        .select_related("series__station__place")
        .order_by("code")
        if any(bound is not None for bound in rule.thresholds)
    ]
    watched = [Watched(rule.series.code, rule.aggregate, rule.window_s, rule.thresholds) for rule in rules]
    before, after = peaks(base, watched), peaks(other, watched)
    reached = [
        Reached(rule, was, comes)
        for rule, was, comes in zip(rules, before, after, strict=True)
        if was is not None and comes is not None
    ]
    return Outlook(change, _townships(reached), [each for each in reached if each.rule.series.quantity == "tide_level"],
                   _chart(base, other, gauge, reached))  # fmt: skip


def _townships(reached: Sequence[Reached]) -> list[Township]:
    above = {place.path: place for place in Place.objects.filter(level__in=[Level.DISTRICT, Level.TOWNSHIP])}
    groups: dict[str, list[Reached]] = {}
    for each in reached:
        place = each.rule.series.station.place
        path = place.path if place else ""
        while path and path not in above:
            path = "/".join(path.split("/")[:-2]) + "/" if path.count("/") > 1 else ""
        groups.setdefault(path, []).append(each)
    found = [Township(above.get(path), rows) for path, rows in groups.items()]
    return sorted(found, key=lambda each: (-each.changed, -each.base, each.place.path if each.place else ""))


def _chart(base: Simulation, other: Simulation, gauge: str, reached: Sequence[Reached]) -> dict[str, Any] | None:
    rows = [
        each for each in reached if each.rule.series.station.code == gauge and each.rule.series.quantity == "tide_level"
    ]
    if not rows:
        return None
    rule = rows[0].rule

    def line(simulation: Simulation) -> list[tuple[str, float]]:
        time_s, value = simulation.now_series(rule.series.code)
        step = max(1, round(CHART_STEP * 60 / rule.series.interval_s))
        return [
            (localtime(datetime.fromtimestamp(at, UTC)).isoformat(), round(level, 2))
            for at, level in zip(time_s[::step].tolist(), value[::step].tolist(), strict=True)
        ]

    return {
        "kind": "line", "unit": "m", "digits": 2,
        "series": [
            {"name": _("As it was"), "data": line(base), "dashed": True, "colour": "grey"},
            {"name": _("What if"), "data": line(other), "colour": "blue"},
        ],
        "thresholds": [
            {"value": value, "label": f"{colour.label} {value:.2f}", "colour": colour.value} for colour, value in rule.coloured
        ],
    }  # fmt: skip
