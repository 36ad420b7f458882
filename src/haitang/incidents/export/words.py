"""The evaluation's words: names of steps, spans and sentences, in the reader's language; the same on the page and in files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from haitang.geo.names import localised
from haitang.incidents.figure_kinds import shown
from haitang.incidents.services.evaluation import Measured
from haitang.incidents.timetable import Tally

MOST_LATE = 40

STEPS = {
    "reading": gettext_lazy("First reading at the threshold"),
    "alarm": gettext_lazy("Alarm"),
    "warning": gettext_lazy("Warning published"),
    "answered_50": gettext_lazy("50 % of the townships answered"),
    "answered_90": gettext_lazy("90 % of the townships answered"),
    "answered_95": gettext_lazy("95 % of the townships answered"),
    "proposed": gettext_lazy("Response proposed"),
    "started": gettext_lazy("Response started"),
    "first_task": gettext_lazy("First task done"),
    "all_tasks": gettext_lazy("All tasks done"),
    "moved_90": gettext_lazy("90 % of the people moved"),
    "ended": gettext_lazy("Response ended"),
}


@dataclass(frozen=True)
class StepRow:
    """A step as it is shown."""

    name: str
    label: str
    at: datetime | None
    since: str
    took: str
    total: str


@dataclass(frozen=True)
class HistoryRow:
    """A moment of history beside the exercise's."""

    label: str
    at: datetime | None
    history: datetime | None
    value: str
    difference: str
    earlier: bool | None


def span(length: timedelta | None) -> str:
    """A span as people say it: seconds below a minute, then minutes, then hours and minutes, then days and hours."""
    if length is None:
        return "—"
    seconds = round(abs(length.total_seconds()))
    if seconds < 60:
        return ngettext("%(n)s s", "%(n)s s", seconds) % {"n": seconds}
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("%(m)s min") % {"m": minutes}
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return _("%(h)s h %(m)s min") % {"h": hours, "m": minutes}
    days, hours = divmod(hours, 24)
    return _("%(d)s d %(h)s h") % {"d": days, "h": hours}


def moment(at: datetime | None) -> str:
    """A local time with its day; a dash for none."""
    return f"{timezone.localtime(at):%m-%d %H:%M}" if at else "—"


def steps(measured: Measured) -> list[StepRow]:
    """The time table."""
    return [
        StepRow(
            row.name,
            str(STEPS[row.name]),
            row.at,
            str(STEPS[row.since]) if row.since else "",
            span(row.took),
            span(row.total),
        )
        for row in measured.steps
    ]


def history(measured: Measured) -> list[HistoryRow]:
    """History beside the exercise."""
    found = []
    for row in measured.history:
        earlier = row.earlier
        told = ""
        if earlier is not None:
            told = (_("%(span)s earlier") if earlier >= timedelta() else _("%(span)s later")) % {"span": span(earlier)}
        found.append(
            HistoryRow(
                localised(row.label_zh, row.label_en),
                row.at,
                row.history,
                row.value,
                told,
                None if earlier is None else earlier >= timedelta(),
            )
        )
    return found


@dataclass(frozen=True)
class TownshipRow:
    """A township as it is shown."""

    place: Any
    answered: str
    tally: Tally
    moved: str


def townships(measured: Measured) -> list[TownshipRow]:
    """The table of townships."""
    return [
        TownshipRow(
            row.place,
            span(row.answered_after) if row.asked else "—",
            row.tally,
            f"{_count(row.moved)} / {_count(row.to_move)}",
        )
        for row in measured.townships
    ]


def _count(value: float | None) -> str:
    return "—" if value is None else shown(value)


@dataclass(frozen=True)
class LateRow:
    """Something late as it is shown."""

    what: Any
    whose: str
    kind: str
    span: str
    is_open: bool


def late(measured: Measured) -> list[LateRow]:
    """The worst of what was late."""
    return [LateRow(row.what, row.whose, row.kind, span(row.by), row.is_open) for row in measured.late[:MOST_LATE]]


def answer_line(measured: Measured) -> str:
    """How many of the townships answered the warning."""
    asked = len(measured.events.answers)
    if not asked:
        return _("No township was asked for an answer.")
    answered = sum(each is not None for each in measured.events.answers)
    return _("%(answered)s of %(asked)s townships answered.") % {"answered": answered, "asked": asked}


def summary(measured: Measured) -> list[tuple[str, str]]:
    """The head of the paper: (name, value) pairs."""
    incident = measured.incident
    first = next((row.total for row in reversed(measured.steps) if row.total is not None), None)
    return [
        (_("Incident"), incident.name),
        (_("Place"), incident.place.name),
        (_("Plan"), incident.plan.name if incident.plan else "—"),
        (_("Highest level"), _highest(incident)),
        (_("Started"), moment(incident.started_at)),
        (pgettext("incident", "Ended"), moment(incident.ended_at)),
        (_("First reading to last step"), span(first)),
        (_("Commander"), str(incident.commander or "—")),
        (_("Tasks"), _("%(all)s, on time %(on_time)s, late %(late)s, overdue %(overdue)s, open %(open)s")
            % {name: getattr(measured.tally, name) for name in ("all", "on_time", "late", "overdue", "open")}),
        (_("Answers"), answer_line(measured)),
    ]  # fmt: skip


def _highest(incident: Any) -> str:
    from haitang.plans.models import ResponseLevel

    levels = [change.level_to for change in incident.changes.all() if change.level_to]
    return str(ResponseLevel(min(levels)).label) if levels else "—"


def mark(measured: Measured) -> str:
    """What every page of an exercise's paper carries; empty for the real thing."""
    return _("EXERCISE") if measured.incident.space.is_exercise else ""
