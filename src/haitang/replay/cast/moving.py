"""Townships count: people to be moved, moved, in shelters; and, when the storm has passed, what it broke."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.geo.models import Place
from haitang.incidents import figure_kinds
from haitang.incidents import services as incidents
from haitang.incidents.models import Figure, Incident, State
from haitang.obligations.models import Obligation
from haitang.obligations.models import State as Duty
from haitang.replay.cast import ground
from haitang.replay.cast.parts import draw
from haitang.replay.cast.stage import Intent, Stage
from haitang.resources import queries as shelters
from haitang.resources import services as resources
from haitang.resources.models import Shelter

# How a township reports: when so much of the time of its task is over, so much of its people is moved.
PARTS: Sequence[tuple[float, float]] = ((0.3, 0.35), (0.65, 0.75), (1.0, 1.0))
WHY = "分批转移，本批人员已到位"
HIT = 8
"""So many townships report losses of a kind."""
BACK_MIN = 95.0
"""People go home so long after the response has ended."""


@dataclass(frozen=True)
class Charge:
    """One township of an incident with people to move: who counts, and its tasks."""

    incident: Incident
    body: Organisation
    place: Place
    people: int
    clerk: User
    lists: Obligation | None
    moving: Obligation | None


def figures(stage: Stage) -> Iterator[Intent]:
    """Report how many must leave once the lists are checked, and how many have left as the moving goes on."""
    charges = list(_charges(stage))
    known = _told(charges)
    for charge in charges:
        told = known[charge.place.pk]
        if charge.lists is not None and charge.lists.received_at is not None and "to_move" not in told:
            yield _count(
                stage,
                charge,
                "to_move",
                charge.people,
                stage.after(charge.lists.received_at, 40.0, "to_move", charge.body.code),
            )
        moving = charge.moving
        if moving is None or moving.started_at is None:
            continue
        if "to_move" not in told:
            yield _count(stage, charge, "to_move", charge.people, moving.started_at)
        yield from _moved(stage, charge, moving, told)


def _moved(stage: Stage, charge: Charge, moving: Obligation, told: Mapping[str, float]) -> Iterator[Intent]:
    """The next part of the people, and how many of those that have left are in shelters."""
    assert moving.started_at is not None
    whole = ground.done_at(stage, moving) - moving.started_at
    moved, there = told.get("moved", -1.0), told.get("sheltered", -1.0)
    parts = [(when, round(charge.people * share)) for when, share in PARTS]
    for when, value in parts:
        if value > moved:
            yield _count(stage, charge, "moved", value, moving.started_at + whole * (0.95 * when), told.get("moved"))
            break
    arrived = round(max(0.0, moved) * stage.directions.sheltered)
    if arrived > there:
        since = _last(charge.incident, charge.place, "moved") or moving.started_at
        at = stage.after(since, stage.manners.begin_min, "sheltered", charge.body.code, arrived)
        yield _count(stage, charge, "sheltered", arrived, at, told.get("sheltered"))


def heads(stage: Stage) -> Iterator[Intent]:
    """Count heads in shelters as people arrive; when the response has ended, count them out and close."""
    charges = list(_charges(stage))
    known = _told(charges)
    for charge in charges:
        sheltered = int(known[charge.place.pk].get("sheltered", 0))
        if sheltered:
            yield from _fill(stage, charge, sheltered)


def _fill(stage: Stage, charge: Charge, people: int) -> Iterator[Intent]:
    found = list(Shelter.objects.filter(place__path__startswith=charge.place.path, archived_at=None).order_by("code"))
    state = shelters.shelters_now(stage.space, [row.pk for row in found])
    rest = people
    for shelter in found:
        here = min(rest, shelter.capacity)
        rest -= here
        now = state[shelter.pk]
        if here and (now.people or 0) < here:
            since = _last(charge.incident, charge.place, "sheltered") or charge.incident.level_at
            name = ("heads", shelter.code, here)
            yield Intent(
                stage.after(since, 12.0, *name), stage.key(name),
                partial(resources.count_heads, shelter, space=stage.space, people=here, by=charge.clerk, thread=charge.incident),
            )  # fmt: skip


def homeward(stage: Stage) -> Iterator[Intent]:
    """After the response: everybody goes home, and the shelters close."""
    ended = Incident.objects.filter(space=stage.space, parent=None, place__parent=None).exclude(state=State.ACTIVE)
    for incident in ended.select_related("place").order_by("pk"):
        for code in sorted(stage.directions.moved):
            pair = _township(stage, code)
            if pair is None or incident.ended_at is None:
                continue
            body, clerk = pair
            assert body.place is not None
            found = Shelter.objects.filter(place__path__startswith=body.place.path, archived_at=None).order_by("code")
            state = shelters.shelters_now(stage.space, [row.pk for row in found])
            for shelter in found:
                now = state[shelter.pk]
                if not now.is_open:
                    continue
                name = ("home", shelter.code)
                at = stage.after(incident.ended_at, BACK_MIN, *name)
                if now.inside:
                    deed = partial(
                        resources.count_heads, shelter, space=stage.space, people=0, by=clerk, thread=incident
                    )
                    yield Intent(at, stage.key(name), deed)
                else:
                    yield Intent(
                        at + timedelta(minutes=10), stage.key(("close", shelter.code)),
                        partial(resources.close_shelter, shelter, space=stage.space, by=clerk, thread=incident),
                    )  # fmt: skip


def losses(stage: Stage) -> Iterator[Intent]:
    """What the storm broke, divided among the townships by lot, reported once it has passed."""
    since = stage.directions.losses_from
    if since is None:
        return
    for incident in _running(stage):
        bodies = stage.keep("townships", _townships)
        for kind, whole in sorted(stage.directions.losses.items()):
            shares = _shares(stage, kind, bodies, whole)
            known = set(Figure.objects.filter(incident=incident, kind=kind).values_list("place__code", flat=True))
            for body, value in shares:
                people = stage.members(body)
                if (
                    not value
                    or not people
                    or body.place is None
                    or body.place.code in known
                    or not stage.plays_for(body)
                ):
                    continue
                name = ("loss", kind, body.code)
                yield Intent(
                    stage.after(since, stage.manners.losses_min, *name), stage.key(name),
                    partial(incidents.report_figure, incident, kind=kind, value=value, place=body.place, by=people[0]),
                )  # fmt: skip


def _shares(stage: Stage, kind: str, bodies: Sequence[Organisation], whole: int) -> list[tuple[Organisation, int]]:
    """A number divided among those of the townships on whom the lot falls; the parts add up to it."""
    drawn = {body.pk: draw(stage.run.seed, "loss", kind, body.code).random() for body in bodies}
    hit = sorted(bodies, key=lambda body: drawn[body.pk], reverse=True)[:HIT]
    total = sum(drawn[body.pk] for body in hit) or 1.0
    parts, given, seen = [], 0, 0.0
    for body in hit:
        seen += drawn[body.pk]
        upto = round(whole * seen / total)
        parts.append((body, upto - given))
        given = upto
    return parts


def _charges(stage: Stage) -> Iterator[Charge]:
    """Townships of running incidents that have people to move and are played."""
    if not stage.directions.moved:
        return
    codes = sorted(stage.directions.moved)
    found = {code: pair for code in codes if (pair := _township(stage, code)) is not None}
    for incident in _running(stage):
        rows = Obligation.objects.filter(
            space=stage.space, subject_type="incidents.incident", subject_id=str(incident.pk),
            owner__in=[body.pk for body, _clerk in found.values()],
        )  # fmt: skip
        tasks = list(rows.exclude(state=Duty.WITHDRAWN).select_related("owner").order_by("pk"))
        for code, (body, clerk) in found.items():
            own = {str(task.data.get("code")): task for task in tasks if task.owner_id == body.pk}
            assert body.place is not None
            yield Charge(
                incident, body, body.place, stage.directions.moved[code], clerk,
                own.get(stage.directions.list_action), own.get(stage.directions.move_action),
            )  # fmt: skip


def _running(stage: Stage) -> list[Incident]:
    rows = Incident.objects.filter(space=stage.space, parent=None, place__parent=None, state=State.ACTIVE)
    return list(rows.select_related("place", "owner", "space").order_by("pk"))


def _township(stage: Stage, code: str) -> tuple[Organisation, User] | None:
    """The township of a place and who counts for it; None where the cast does not play it."""
    rows = Organisation.objects.filter(place__code=code, kind=OrganisationKind.TOWNSHIP).select_related("place")
    body = stage.keep(("by place", code), rows.order_by("path").first)
    if body is None or not stage.plays_for(body):
        return None
    people = stage.members(body)
    return (body, people[0]) if people else None


def _townships() -> list[Organisation]:
    rows = Organisation.objects.filter(kind=OrganisationKind.TOWNSHIP, place__isnull=False).select_related("place")
    return list(rows.order_by("path"))


def _told(charges: Sequence[Charge]) -> dict[int, dict[str, float]]:
    """The newest number of each kind that each place has reported, by its key. One query."""
    incidents_here = {charge.incident.pk for charge in charges}
    found: defaultdict[int, dict[str, float]] = defaultdict(dict)
    rows = Figure.objects.filter(incident__in=incidents_here, place__in={charge.place.pk for charge in charges})
    for place, kind, value in rows.order_by("at", "pk").values_list("place_id", "kind", "value"):
        found[place][kind] = value
    return found


def _last(incident: Incident, place: Place, kind: str) -> datetime | None:
    rows = Figure.objects.filter(incident=incident, place=place, kind=kind).order_by("-at", "-pk")
    return rows.values_list("at", flat=True).first()


def _count(
    stage: Stage, charge: Charge, kind: str, value: int, at: datetime, before: float | None = None
) -> Intent:  # fmt: skip
    name = ("figure", kind, charge.body.code, value)
    jump = figure_kinds.is_jump(figure_kinds.kind(kind), before, value)
    deed = partial(
        incidents.report_figure, charge.incident, kind=kind, value=value, place=charge.place, by=charge.clerk,
        explanation=WHY if jump else "",
    )  # fmt: skip
    return Intent(at, stage.key(name), deed)
