"""Figures: reported, never overwritten; a jump is explained; the total is the latest of each place."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor
from haitang.accounts.models import User
from haitang.accounts.roles import OPERATIONS, Role
from haitang.accounts.verbs import Refused, verb
from haitang.geo.models import Place
from haitang.incidents import figure_kinds, totals
from haitang.incidents.figure_kinds import FigureError, FigureKind
from haitang.incidents.models import Figure, Incident
from haitang.incidents.services.common import journal, must_reach, person
from haitang.spaces.clock import now

REPORTERS = OPERATIONS | {Role.DEPARTMENT, Role.TOWNSHIP, Role.GRID, Role.MACHINE}
# Clocks of telephones differ a little.
AHEAD = timedelta(minutes=5)


class NeedsExplanation(Refused):
    """A number that jumped and was not explained."""

    def __init__(self, kind: FigureKind, before: float, after: float) -> None:
        self.kind, self.before, self.after = kind, before, after
        super().__init__(
            _("From %(before)s to %(after)s is a large jump: explain it, the law wants it in writing")
            % {"before": figure_kinds.shown(before), "after": figure_kinds.shown(after)}
        )


@verb("incidents.figure", roles=REPORTERS)
def report_figure(
    incident: Incident,
    *,
    kind: str,
    value: float,
    by: Actor,
    place: Place | None = None,
    at: datetime | None = None,
    source: str = "",
    note: str = "",
    explanation: str = "",
) -> Figure:
    """Report a number for a place, as of a time. A jump from the place's number before it needs an explanation."""
    if kind not in figure_kinds.kinds():
        raise Refused(
            _("“%(kind)s” is not counted; counted are: %(known)s")
            % {"kind": kind, "known": ", ".join(figure_kinds.kinds())}
        )
    what = figure_kinds.kind(kind)
    try:
        value = figure_kinds.check(what, value)
    except FigureError as error:
        raise Refused(_(error.template) % error.params) from error
    where = place or _own_place(incident, by)
    if not incident.place.contains(where):
        raise Refused(_("%(place)s does not belong to this incident's area") % {"place": where.name})
    must_reach(by, where)
    moment = now(incident.space)
    at = at or moment
    if at > moment + AHEAD:
        raise Refused(
            _("The number cannot be as of a later time than now (%(now)s)")
            % {"now": f"{timezone.localtime(moment):%m-%d %H:%M}"}
        )
    # Two reports of the same number at once: the second one is weighed against the first.
    Incident.objects.select_for_update().only("pk").get(pk=incident.pk)
    before = (
        incident.figures.filter(kind=kind, place=where, at__lte=at)
        .order_by("-at", "-pk")
        .values_list("value", flat=True)
        .first()
    )
    explanation = explanation.strip()
    if before is not None and figure_kinds.is_jump(what, before, value) and not explanation:
        raise NeedsExplanation(what, before, value)
    figure = Figure.objects.create(
        incident=incident, kind=kind, place=where, value=value, unit=what.unit_zh, at=at, reported_at=moment, reporter=person(by),
        organisation=by.organisation if isinstance(by, User) else None, source=source.strip()[:200], note=note.strip()[:300],
        explanation=explanation[:500],
    )  # fmt: skip
    number = figure_kinds.shown(value)
    was_zh, was_en = (
        (f"（此前 {figure_kinds.shown(before)}）", f" (was {figure_kinds.shown(before)})")
        if before is not None
        else ("", "")
    )
    why = f"：{explanation}" if explanation else ""
    journal(
        incident, "figure", by, f"{where.name_zh}{what.name_zh} {number} {what.unit_zh}{was_zh}{why}",
        f"{where.name_en or where.name_zh}: {what.name_en} {number}{was_en}{': ' + explanation if explanation else ''}",
        subject=figure, place=where, organisation=figure.organisation, colour=what.colour if value else "", url=incident.get_absolute_url(),
        before={"value": before} if before is not None else None,
        after={"incident": incident.pk, "kind": kind, "value": value, "unit": what.unit_zh, "at": at, "source": figure.source},
    )  # fmt: skip
    return figure


def _own_place(incident: Incident, by: Actor) -> Place:
    own = by.organisation.place if isinstance(by, User) and by.organisation else None
    return own if own is not None and incident.place.contains(own) else incident.place


def rows_of(incidents: Iterable[Incident], user: User | AnonymousUser | None = None) -> dict[str, list[totals.Row]]:
    """All numbers of incidents by kind, in the user's scope if one is given. One query."""
    figures = Figure.objects.filter(incident__in=list(incidents))
    if user is not None:
        figures = figures.filter(pk__in=Figure.objects.visible_to(user).values("pk"))
    found: dict[str, list[totals.Row]] = {kind: [] for kind in figure_kinds.kinds()}
    for kind, path, at, pk, value in figures.order_by("at", "pk").values_list(
        "kind", "place__path", "at", "pk", "value"
    ):
        found.setdefault(kind, []).append(totals.Row(path, at, pk, value))
    return {kind: rows for kind, rows in found.items() if rows}


def totals_of(
    incident: Incident, *, until: datetime | None = None, user: User | AnonymousUser | None = None
) -> dict[str, totals.Total]:
    """The total of each kind that was reported, in the order in which they are shown; with those of its townships' responses."""
    rows = rows_of([incident, *incident.children.all()], user)
    found: dict[str, Any] = {kind: totals.total(each, until) for kind, each in rows.items()}
    return {kind: total for kind, total in found.items() if total is not None}
