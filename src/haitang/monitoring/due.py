"""What monitoring does when its time has come: alarms back from the shelf, expectations, instruments to be cared for."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from haitang.accounts.actors import SYSTEM
from haitang.monitoring.models import Equipment
from haitang.monitoring.services import shelf, watching
from haitang.obligations import services as obligations
from haitang.spaces.clock import now
from haitang.spaces.models import Space, SpaceKind

AHEAD = timedelta(days=30)
"""So long before an instrument's due date its owner is asked."""


def attend(space: Space) -> int:
    """Do what is due by the space's clock; returns how much was done. Called by the worker and by a stepped replay."""
    done = shelf.return_due(space) + watching.look_ahead(space)
    return done + (ask_for_care(space) if space.kind == SpaceKind.LIVE else 0)


def ask_for_care(space: Space, limit: int = 200) -> int:
    """Oblige owners to calibrate and service what is due within `AHEAD`; once for each due date. Two queries where nothing is."""
    horizon = timezone.localtime(now(space)).date() + AHEAD
    asked = 0
    for what in ("calibration", "service"):
        rows = Equipment.objects.filter(**{"archived_at": None, f"{what}_due__lte": horizon})
        rows = rows.filter(Q(**{f"{what}_asked": None}) | ~Q(**{f"{what}_asked": F(f"{what}_due")}))
        for row in rows.select_related("owner", "place", "station").order_by(f"{what}_due", "pk")[:limit]:
            _ask(space, row, what)
            asked += 1
    return asked


def _ask(space: Space, row: Equipment, what: str) -> None:
    due_on = getattr(row, f"{what}_due")
    is_calibration = what == "calibration"
    zh, en = ("校准", "Calibrate") if is_calibration else ("维护", "Service")
    with transaction.atomic():
        obligations.issue(
            space=space, kind="monitoring.calibrate" if is_calibration else "monitoring.service", owner=row.owner, subject=row, thread=row,
            by=SYSTEM, place=row.place, due_at=datetime.combine(due_on, time(17), timezone.get_current_timezone()),
            title_zh=f"{zh}{row.station.name_zh}的{row.name_zh}（{row.code}）",
            title_en=f"{en} {row.name_en or row.name_zh} ({row.code}) at {row.station.name_en or row.station.name_zh}",
            key=f"monitoring.{what}:{row.pk}:{due_on}",
        )  # fmt: skip
        Equipment.objects.filter(pk=row.pk).update(**{f"{what}_asked": due_on})
