"""What can be done with shelters, teams and supplies in a world. What is on record about them changes in their registers.

Every verb acts in one space: heads counted, teams sent and sandbags taken in an exercise leave the live world alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Model, Sum
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused, verb
from haitang.journal.services import record, thread_of
from haitang.resources import queries
from haitang.resources.models import (
    MOVES,
    HeadCount,
    MoveKind,
    Shelter,
    ShelterState,
    StockMove,
    Supply,
    Team,
    TeamState,
    TeamStatus,
)
from haitang.resources.queries import figure
from haitang.spaces.clock import now
from haitang.spaces.models import Space

COUNTERS = frozenset({Role.DUTY_OFFICER, Role.COMMANDER, Role.DEPARTMENT, Role.TOWNSHIP, Role.GRID})
OPENERS = frozenset({Role.DUTY_OFFICER, Role.COMMANDER, Role.DEPARTMENT, Role.TOWNSHIP})
SENDERS = frozenset({Role.DUTY_OFFICER, Role.COMMANDER, Role.DEPARTMENT, Role.TOWNSHIP, Role.SOCIAL})
KEEPERS = frozenset({Role.DUTY_OFFICER, Role.COMMANDER, Role.DEPARTMENT, Role.TOWNSHIP})

PEOPLE_MOST = 100_000
QUANTITY_MOST = Decimal(1_000_000_000)
# A count may be written down a little before it is reported, and clocks differ; a count from the future is a slip.
_AHEAD = timedelta(minutes=5)


# -- shelters ---------------------------------------------------------------------------------------------------


@verb("resources.open_shelter", roles=OPENERS)
def open_shelter(shelter: Shelter, *, space: Space, by: Actor, thread: Model | str = "") -> ShelterState:
    """Open a shelter; one that is open stays as it is."""
    shelter = _held(shelter, by)
    standing = ShelterState.objects.filter(space=space, shelter=shelter, closed_at__isnull=True).first()
    if standing is not None:
        return standing
    if shelter.archived_at is not None:
        raise Refused(_("%(row)s is archived: fetch it back first.") % {"row": shelter})
    opened = ShelterState.objects.create(space=space, shelter=shelter, opened_at=now(space), opened_by_id=by.pk)
    record(
        space=space, verb="resources.open_shelter", by=by, subject=shelter, place=shelter.place, organisation=shelter.owner,
        thread=thread, before={"open": False}, after={"open": True, "capacity": shelter.capacity},
        text_zh=f"开放避难场所：{shelter.name_zh}（可容纳 {shelter.capacity} 人）",
        text_en=f"Shelter opened: {shelter.name_en or shelter.name_zh} (room for {shelter.capacity})",
    )  # fmt: skip
    return opened


@verb("resources.close_shelter", roles=OPENERS)
def close_shelter(shelter: Shelter, *, space: Space, by: Actor, thread: Model | str = "") -> ShelterState:
    """Close a shelter. Refused while people are counted in it."""
    shelter = _held(shelter, by)
    standing = (
        ShelterState.objects.select_for_update().filter(space=space, shelter=shelter, closed_at__isnull=True).first()
    )
    if standing is None:
        raise Refused(_("%(row)s is not open.") % {"row": shelter})
    inside = queries.shelters_now(space, [shelter.pk])[shelter.pk].inside
    if inside:
        raise Refused(_("%(count)s people are counted in %(row)s: count 0 when they have left, then close it.")
                      % {"count": inside, "row": shelter})  # fmt: skip
    standing.closed_at, standing.closed_by_id = now(space), by.pk
    standing.save(update_fields=["closed_at", "closed_by"])
    record(
        space=space, verb="resources.close_shelter", by=by, subject=shelter, place=shelter.place, organisation=shelter.owner,
        thread=thread, before={"open": True}, after={"open": False}, text_zh=f"关闭避难场所：{shelter.name_zh}",
        text_en=f"Shelter closed: {shelter.name_en or shelter.name_zh}",
    )  # fmt: skip
    return standing


@verb("resources.count_heads", roles=COUNTERS)
def count_heads(
    shelter: Shelter,
    *,
    space: Space,
    people: int,
    by: Actor,
    at: datetime | None = None,
    source: str = "",
    thread: Model | str = "",
) -> HeadCount:
    """Put a count of the people in a shelter on record; earlier counts stay. People in a closed shelter open it.

    `at` is when they were counted, in the space's time: now, unless given.
    """
    shelter = _held(shelter, by)
    if not 0 <= people <= PEOPLE_MOST:
        raise Refused(_("%(value)s people: a count is 0 to %(most)s.") % {"value": people, "most": f"{PEOPLE_MOST:,}"})
    moment = now(space)
    if at is not None and at > moment + _AHEAD:
        raise Refused(
            _("The count is dated %(at)s, later than it is: give the time of counting.") % {"at": f"{at:%m-%d %H:%M}"}
        )
    before = queries.shelters_now(space, [shelter.pk])[shelter.pk]
    if people and not before.is_open:
        ShelterState.objects.create(
            space=space, shelter=shelter, opened_at=min(at or moment, moment), opened_by_id=by.pk
        )
    when = at or moment
    # A count that arrives late does not take the place of a later one.
    is_newest = not HeadCount.objects.filter(space=space, shelter=shelter, is_newest=True, at__gt=when).exists()
    if is_newest:
        HeadCount.objects.filter(space=space, shelter=shelter, is_newest=True).update(is_newest=False)
    count = HeadCount.objects.create(
        space=space, shelter=shelter, at=when, people=people, reporter_id=by.pk, source=source[:80], is_newest=is_newest
    )
    over = people > shelter.capacity
    record(
        space=space, verb="resources.count_heads", by=by, subject=shelter, place=shelter.place, organisation=shelter.owner,
        thread=thread, colour="orange" if over else "", before={"people": before.people},
        after={"people": people, "capacity": shelter.capacity, "at": count.at, "source": source},
        text_zh=f"{shelter.name_zh}：安置 {people} 人，可容纳 {shelter.capacity} 人" + ("，已超员" if over else ""),
        text_en=f"{shelter.name_en or shelter.name_zh}: {people} people, room for {shelter.capacity}" + (" - over capacity" if over else ""),
    )  # fmt: skip
    return count


# -- teams ------------------------------------------------------------------------------------------------------


@verb("resources.set_team_status", roles=SENDERS)
def set_team_status(
    team: Team, *, space: Space, status: TeamStatus | str, by: Actor, task: str = "", thread: Model | str = ""
) -> TeamState:
    """Move a team to another status. Refused, with what is possible, if it cannot follow the present one."""
    team = _held(team, by)
    wanted = _status(status)
    present = queries.teams_now(space, [team.pk])[team.pk]
    allowed = MOVES[present.status]
    if wanted not in allowed:
        raise Refused(
            _("%(team)s is “%(now)s”; from there it can go to: %(allowed)s.")
            % {
                "team": team,
                "now": present.status.label,
                "allowed": "、".join(str(each.label) for each in TeamStatus if each in allowed),
            }
        )
    if wanted == TeamStatus.ASSIGNED and team.archived_at is not None:
        raise Refused(_("%(row)s is archived: fetch it back first.") % {"row": team})
    kept = task or ("" if wanted in (TeamStatus.AVAILABLE, TeamStatus.OUT_OF_SERVICE) else present.task)
    TeamState.objects.filter(space=space, team=team, is_newest=True).update(is_newest=False)
    state = TeamState.objects.create(
        space=space, team=team, status=wanted, at=now(space), by_id=by.pk, task=kept[:200],
        thread=thread if isinstance(thread, str) else thread_of(thread),
    )  # fmt: skip
    told_zh, told_en = (f"：{task}", f": {task}") if task else ("", "")
    record(
        space=space, verb="resources.set_team_status", by=by, subject=team, place=team.place, organisation=team.owner,
        thread=thread, before={"status": present.status}, after={"status": wanted, "task": kept, "members": team.members},
        text_zh=f"{team.name_zh} {_ZH[wanted]}{told_zh}", text_en=f"{team.name_en or team.name_zh} {_EN[wanted]}{told_en}",
    )  # fmt: skip
    return state


_ZH = {
    TeamStatus.AVAILABLE: "待命",
    TeamStatus.ASSIGNED: "受领任务",
    TeamStatus.EN_ROUTE: "出动",
    TeamStatus.ON_SCENE: "到达现场",
    TeamStatus.RETURNING: "返程",
    TeamStatus.OUT_OF_SERVICE: "停勤",
}
_EN = {
    TeamStatus.AVAILABLE: "is available",
    TeamStatus.ASSIGNED: "was assigned",
    TeamStatus.EN_ROUTE: "is on its way",
    TeamStatus.ON_SCENE: "is on the scene",
    TeamStatus.RETURNING: "is returning",
    TeamStatus.OUT_OF_SERVICE: "is out of service",
}


def _status(status: TeamStatus | str) -> TeamStatus:
    try:
        return TeamStatus(status)
    except ValueError:
        raise Refused(_("There is no status %(value)s.") % {"value": str(status)[:20]}) from None


# -- supplies ---------------------------------------------------------------------------------------------------


@verb("resources.take_stock", roles=KEEPERS)
def take_stock(
    supply: Supply, *, space: Space, quantity: Any, by: Actor, to: str = "", note: str = "", thread: Model | str = ""
) -> StockMove:
    """Take a quantity out of a store. Refused if there is not so much."""
    supply, amount = _held(supply, by), _quantity(quantity)
    there = queries.stock_now(space, [supply.pk])[supply.pk]
    if amount > there:
        raise Refused(_("%(supply)s: %(there)s %(unit)s are there, %(wanted)s cannot be taken.")
                      % {"supply": supply, "there": figure(there), "unit": supply.unit, "wanted": figure(amount)})  # fmt: skip
    return _move(supply, space, MoveKind.TAKE, -amount, there, by=by, to=to, note=note, thread=thread)


@verb("resources.return_stock", roles=KEEPERS)
def return_stock(
    supply: Supply, *, space: Space, quantity: Any, by: Actor, to: str = "", note: str = "", thread: Model | str = ""
) -> StockMove:
    """Bring back what was taken. Refused if it is more than is out; what is new comes in by the register."""
    supply, amount = _held(supply, by), _quantity(quantity)
    moved = StockMove.objects.filter(space=space, supply=supply, kind__in=(MoveKind.TAKE, MoveKind.RETURN))
    out = -(moved.aggregate(total=Sum("quantity"))["total"] or Decimal(0))
    if amount > out:
        raise Refused(_("%(supply)s: only %(out)s %(unit)s are out. Put new stock on record in the register.")
                      % {"supply": supply, "out": figure(max(out, Decimal(0))), "unit": supply.unit})  # fmt: skip
    there = queries.stock_now(space, [supply.pk])[supply.pk]
    return _move(supply, space, MoveKind.RETURN, amount, there, by=by, to=to, note=note, thread=thread)


def settle_ledger(supply: Supply, *, by_pk: int | None) -> StockMove | None:
    """Write the line by which the live ledger adds up to the stock on record, if one is missing.

    A listener calls it when the register changed a stock: the store was counted, or something new came in.
    """
    space = Space.live()
    total = StockMove.objects.filter(space=space, supply=supply).aggregate(total=Sum("quantity"))["total"] or Decimal(0)
    stock = Decimal(supply.stock)
    if total == stock:
        return None
    return StockMove.objects.create(
        space=space,
        supply=supply,
        at=now(space),
        kind=MoveKind.COUNT,
        quantity=stock - total,
        balance=stock,
        by_id=by_pk,
    )


def _move(supply: Supply, space: Space, kind: MoveKind, change: Decimal, there: Decimal, *, by: Actor, to: str, note: str,
          thread: Model | str) -> StockMove:  # fmt: skip
    after = there + change
    if not space.is_exercise:
        supply.stock = after
        supply.save(update_fields=["stock"])
    move = StockMove.objects.create(
        space=space, supply=supply, at=now(space), kind=kind, quantity=change, balance=after, to=to[:120], note=note[:200],
        thread=thread if isinstance(thread, str) else thread_of(thread), by_id=by.pk,
    )  # fmt: skip
    is_short = after < supply.minimum
    zh, en = ("领用", "taken") if kind == MoveKind.TAKE else ("归还", "brought back")
    for_zh, for_en = (f"，用于{to}", f", for {to}") if to else ("", "")
    record(
        space=space, verb=f"resources.{kind}_stock", by=by, subject=supply, place=supply.place, organisation=supply.owner,
        thread=thread, colour="yellow" if is_short else "", before={"stock": there},
        after={"stock": after, "quantity": change, "to": to},
        text_zh=f"{supply.name_zh}{zh} {figure(abs(change))} {supply.unit}{for_zh}，余 {figure(after)}" + ("，低于最低储备" if is_short else ""),
        text_en=f"{supply.name_en or supply.name_zh}: {figure(abs(change))} {supply.unit} {en}{for_en}, {figure(after)} left"
        + (", under the minimum" if is_short else ""),
    )  # fmt: skip
    return move


def _quantity(value: Any) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise Refused(_("%(value)s is not a quantity: write a number.") % {"value": str(value)[:30]}) from None
    if not amount.is_finite() or not 0 < amount <= QUANTITY_MOST or amount != round(amount, 2):
        raise Refused(
            _("%(value)s is not a quantity: write a number above 0 with at most two decimals.")
            % {"value": str(value)[:30]}
        )
    return amount


# -- parts ------------------------------------------------------------------------------------------------------


def _held(row: Any, by: Actor) -> Any:
    """The row, locked until the transaction ends and fresh; Forbidden if it is not within the actor's reach."""
    rows = type(row).objects.select_related("place", "owner").defer("geometry")
    if not isinstance(by, System):
        rows = rows.visible_to(by)
    found = rows.select_for_update(of=("self",)).filter(pk=row.pk).first()
    if found is None:
        raise Forbidden(_("%(row)s lies outside your reach.") % {"row": row})
    return found
