"""Looking ahead along the disaster chains: what to watch for, kept as rows that are confirmed, expire or are put away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from haitang.accounts.actors import SYSTEM, Actor, System
from haitang.accounts.verbs import Forbidden, Refused, verb
from haitang.geo.models import Place
from haitang.journal.services import record
from haitang.monitoring import chains
from haitang.monitoring.models import Alarm, AlarmKind, Chain, Evaluator, Series, WatchItem, WatchState
from haitang.monitoring.models.alarms import OPEN
from haitang.monitoring.models.network import Colour
from haitang.monitoring.services.alarms import NOBODY, WATCHERS
from haitang.monitoring.services.events import township
from haitang.monitoring.services.network import KEEPERS
from haitang.spaces.clock import now
from haitang.spaces.models import Space

LINGERS = timedelta(hours=3)
"""An alarm that was cleared still counts as evidence for so long: water follows rain that has ended."""
REMEMBERED = timedelta(hours=24)
"""What a person said has come counts for so long."""
AGAIN = timedelta(minutes=30)
"""With the same evidence the chains are looked along again after so long."""
_looked: dict[tuple[int, str], tuple[Any, datetime]] = {}


@dataclass(frozen=True)
class Present:
    """One chain as it stands: what was observed, by which alarms, what is expected, and the edges' learned probabilities."""

    chain: Chain
    seen: Mapping[str, chains.Seen]
    alarms: Mapping[str, Sequence[Alarm]]
    outlooks: Sequence[chains.Outlook]
    probabilities: Mapping[str, float]
    tally: Mapping[str, tuple[int, int]]


@verb("monitoring.register_chain", roles=KEEPERS)
def register_chain(*, code: str, by: Actor, **fields: Any) -> Chain:
    """Put a disaster chain on record, or change the one with this code."""
    found = Chain.objects.filter(code=code).first()
    row = found or Chain(code=code)
    before = {name: getattr(row, name) for name in fields} if found else None
    for name, value in fields.items():
        setattr(row, name, value)
    row.full_clean()
    if before == fields:
        return row
    row.save()
    graph = chains.parse(row.body)
    size = {"nodes": len(graph.nodes), "edges": len(graph.edges)}
    record(
        space=Space.live(), verb="monitoring.register_chain", by=by, subject=row, after=size,
        text_zh=f"登记灾害链：{row.name_zh}（{size['nodes']} 个节点，{size['edges']} 条链路）",
        text_en=f"Registered hazard chain {row.name_en or row.name_zh} ({size['nodes']} nodes, {size['edges']} edges)",
    )  # fmt: skip
    return row


def evidence(space: Space, user: Any = None) -> list[Alarm]:
    """Alarms that speak: those that stand, and those cleared a short while ago; of a user's reach, if given. One query."""
    rows = Alarm.objects.filter(space=space, kind=AlarmKind.THRESHOLD)
    if user is not None:
        rows = rows.filter(pk__in=Alarm.objects.visible_to(user).values("pk"))
    rows = rows.filter(Q(state__in=OPEN) | Q(cleared_at__gte=now(space) - LINGERS))
    return list(rows.select_related("series", "place__parent", "station").order_by("opened_at", "pk")[:5000])


def shown_by(chain: Chain, alarms: Sequence[Alarm]) -> set[str]:
    """Which nodes of the chain these alarms show."""
    rows = {(each.series.quantity, Colour(each.peak_colour).level, 0.0) for each in alarms}
    return set(chains.observed(chain.graph, sorted(rows)))


def present(space: Space, chain: Chain, alarms: Sequence[Alarm] | None = None, *, user: Any = None) -> Present:
    """The chain as it stands now. Three queries and some tens of milliseconds."""
    moment = now(space)
    alarms = evidence(space) if alarms is None else alarms
    graph = chain.graph
    rows = [(each.series.quantity, Colour(each.peak_colour).level, _hours(moment - each.opened_at)) for each in alarms]
    seen = chains.observed(graph, rows)
    by: dict[str, list[Alarm]] = {}
    for alarm in alarms:
        for name in chains.observed(graph, [(alarm.series.quantity, Colour(alarm.peak_colour).level, 0.0)]):
            by.setdefault(name, []).append(alarm)
    told = WatchItem.objects.filter(
        space=space, chain=chain, state=WatchState.CONFIRMED, confirmed_by=None, ended_at__gte=moment - REMEMBERED
    )
    if user is not None:
        told = told.filter(pk__in=WatchItem.objects.visible_to(user).values("pk"))
    for item in told:
        if item.node in graph.nodes and item.node not in seen and item.ended_at:
            seen[item.node] = chains.Seen(_hours(moment - item.ended_at), Colour(item.colour).level)
    tally = _tally(space, chain)
    probabilities = {
        edge.id: chains.learned(edge.probability, *tally.get(edge.id, (0, 0))) for edge in graph.edges
    }  # fmt: skip
    measured = set(Series.objects.filter(is_active=True).order_by().values_list("quantity", flat=True).distinct())
    watched = [name for name, node in graph.nodes.items() if any(sign.quantity in measured for sign in node.signs)]
    outlooks = chains.ahead(graph, seen, watched=watched, probabilities=probabilities)
    return Present(chain, seen, by, outlooks, probabilities, tally)


def _tally(space: Space, chain: Chain) -> dict[str, tuple[int, int]]:
    """How often the last step of an expectation came true and how often not, by edge; in this world."""
    hits: Counter[str] = Counter()
    misses: Counter[str] = Counter()
    ended = WatchItem.objects.filter(space=space, chain=chain, state__in=(WatchState.CONFIRMED, WatchState.EXPIRED))
    for state, edges in ended.order_by("pk").values_list("state", "edges"):
        if edges:
            (hits if state == WatchState.CONFIRMED else misses)[edges[-1]] += 1
    return {edge: (hits[edge], misses[edge]) for edge in {*hits, *misses}}


def look_ahead(space: Space) -> int:
    """Renew what is expected in a world; returns how many expectations began or ended. Idempotent.

    Called every few seconds by the worker, and by a stepped replay; with the same evidence it computes every half hour.
    """
    if not Chain.objects.filter(is_active=True).exists():
        return 0
    moment = now(space)
    alarms = evidence(space)
    due = WatchItem.objects.filter(space=space, state=WatchState.OPEN, until_at__lte=moment).exists()
    told = WatchItem.objects.filter(space=space, state=WatchState.CONFIRMED, ended_at__gte=moment - REMEMBERED).count()
    signature = (told, tuple((each.pk, each.peak_colour) for each in alarms))
    before, looked_at = _looked.get((space.pk, space.slug), (None, moment))
    if not due and (not (alarms or told) or (before == signature and timedelta(0) <= moment - looked_at < AGAIN)):
        return 0
    changed = sum(_renew(space, chain, alarms, by=SYSTEM) for chain in Chain.objects.filter(is_active=True))
    _looked[space.pk, space.slug] = signature, moment
    return changed


@verb("monitoring.expect", roles=NOBODY)
def _renew(space: Space, chain: Chain, alarms: Sequence[Alarm], *, by: Actor) -> int:
    """Begin, confirm and end expectations along one chain."""
    list(Evaluator.objects.select_for_update().filter(pk=space.pk).values_list("pk"))
    moment = now(space)
    here = present(space, chain, alarms)
    standing = {
        item.node: item for item in WatchItem.objects.select_related("place", "chain", "space").filter(
            space=space, chain=chain, state=WatchState.OPEN)
    }  # fmt: skip
    changed = 0
    for item in list(standing.values()):
        came = next((each for each in here.alarms.get(item.node, ())), None)
        if came is not None:
            _end(item, WatchState.CONFIRMED, by, came)
        elif item.until_at <= moment:
            _end(item, WatchState.EXPIRED, by)
        else:
            continue
        standing.pop(item.node)
        changed += 1
    if not here.seen:
        return changed
    since = moment - timedelta(hours=max(each.age_h for each in here.seen.values()))
    had = set(
        WatchItem.objects.filter(space=space, chain=chain, opened_at__gte=since).exclude(state=WatchState.OPEN)
        .values_list("node", flat=True)
    )  # fmt: skip
    for outlook in here.outlooks:
        node, chance = chain.graph.nodes[outlook.node], outlook.within[6.0]
        item = standing.get(node.id)
        if item is not None:
            if abs(item.probability - chance) >= 0.05 and chance > 0:
                item.probability = chance
                item.save(update_fields=["probability"])
        elif node.watch_from and chance >= node.watch_from and node.id not in had:
            causes = here.alarms.get(outlook.path[0])
            if causes:
                _begin(space, chain, node, outlook, causes, by)
                changed += 1
    return changed


def _begin(
    space: Space, chain: Chain, node: chains.Node, outlook: chains.Outlook, causes: Sequence[Alarm], by: Actor
) -> None:
    moment = now(space)
    cause = max(causes, key=lambda each: (Colour(each.peak_colour).level, -each.pk))
    item = WatchItem.objects.create(
        space=space, chain=chain, node=node.id, name_zh=node.name_zh, name_en=node.name_en, do_zh=node.do_zh, do_en=node.do_en,
        colour=node.colour, probability=outlook.within[6.0], from_at=moment + timedelta(hours=outlook.low_h),
        until_at=moment + timedelta(hours=max(outlook.high_h, outlook.low_h + 1)), place=_where(causes), path=list(outlook.path),
        edges=list(outlook.edges), cause=cause, opened_at=moment,
    )  # fmt: skip
    _journal(
        item, "monitoring.expect", by, after={"node": node.id, "probability": round(item.probability, 2), "from": item.from_at, "until": item.until_at},
        zh=f"预计 6 小时内可能发生：{node.name_zh}（{item.percent}%）", en=f"May follow within 6 hours: {node.name_en} ({item.percent} %)",
    )  # fmt: skip


def _where(causes: Sequence[Alarm]) -> Place | None:
    """The township of the causes; what lies above them where they are several."""
    places = {place.pk: place for each in causes if (place := township(each.place))}
    if len(places) != 1:
        some = next(iter(places.values()), None)
        return (some.parent or some) if some else None
    return next(iter(places.values()))


@verb("monitoring.settle", roles=WATCHERS)
def settle(item: WatchItem, *, came: bool, by: Actor, note: str = "") -> WatchItem:
    """Say that what was expected has come, or that nobody needs to watch for it any more."""
    list(Evaluator.objects.select_for_update().filter(pk=item.space_id).values_list("pk"))
    rows = WatchItem.objects.select_for_update(of=("self",)).select_related("place", "chain", "space")
    if not isinstance(by, System):
        rows = rows.filter(pk__in=WatchItem.objects.visible_to(by).filter(pk=item.pk).values("pk"))
    found = rows.filter(pk=item.pk).first()
    if found is None:
        raise Forbidden(_("This is outside your scope."))
    if found.state != WatchState.OPEN:
        raise Refused(_("This was settled before: %(state)s.") % {"state": WatchState(found.state).label})
    found.note = note.strip()[:200]
    _end(found, WatchState.CONFIRMED if came else WatchState.CLOSED, by)
    return found


_ENDED = {
    WatchState.CONFIRMED: ("confirm_expected", "预计情况已出现", "Has come"),
    WatchState.EXPIRED: ("expire_expected", "预计情况未出现", "Did not come"),
    WatchState.CLOSED: ("close_expected", "不再关注", "No longer watched for"),
}


def _end(item: WatchItem, state: WatchState, by: Actor, alarm: Alarm | None = None) -> None:
    item.state, item.ended_at, item.confirmed_by = state, now(item.space), alarm
    item.ended_by_id = None if isinstance(by, System) else by.pk
    item.save(update_fields=["state", "ended_at", "ended_by", "confirmed_by", "note"])
    verb_, zh, en = _ENDED[state]
    more = f"（{item.note}）" if item.note else ""
    _journal(
        item, f"monitoring.{verb_}", by, after={"state": state, "alarm": alarm.pk if alarm else None, "note": item.note},
        zh=f"{zh}：{item.name_zh}{more}", en=f"{en}: {item.name_en}" + (f" ({item.note})" if item.note else ""),
    )  # fmt: skip


def _journal(item: WatchItem, name: str, by: Actor, *, zh: str, en: str, after: Mapping[str, Any]) -> None:
    record(
        space=item.space, verb=name, by=by, subject=item, thread=item, place=item.place, colour=item.colour, after=after,
        text_zh=zh, text_en=en,
    )  # fmt: skip


def _hours(span: timedelta) -> float:
    return max(0.0, span.total_seconds() / 3600)
