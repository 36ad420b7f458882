"""Quality: limits set, readings corrected. Readings themselves are never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.verbs import Forbidden, Refused, verb
from haitang.journal.services import record
from haitang.monitoring import edition
from haitang.monitoring.models import Correction, CorrectionKind, QualityLimits, Series
from haitang.monitoring.quality import LimitError
from haitang.monitoring.quality_defaults import default
from haitang.monitoring.quantities import figure
from haitang.monitoring.services.network import KEEPERS
from haitang.spaces.clock import now
from haitang.spaces.models import Space


@verb("monitoring.set_quality", roles=KEEPERS)
def set_quality(*, by: Actor, quantity: str = "", series: Series | None = None, **fields: Any) -> QualityLimits:
    """Say what readings of a quantity, or of one series, are tested against."""
    if series is not None:
        _mine(series, by)
    found = QualityLimits.objects.filter(quantity=quantity, series=series).first()
    row = found or QualityLimits(quantity=quantity, series=series)
    before = {name: getattr(row, name) for name in fields} if found else None
    for name, value in fields.items():
        setattr(row, name, value)
    row.full_clean()
    _fits(row)
    after = {name: getattr(row, name) for name in fields}
    if before == after:
        return row
    row.save()
    edition.bump()
    what = series.code if series is not None else quantity
    record(
        space=Space.live(), verb="monitoring.set_quality", by=by, subject=row,
        place=series.station.place if series is not None else None,
        organisation=series.station.operator if series is not None else None, before=before, after=after,
        text_zh=f"设定数据质量控制参数：{what}", text_en=f"Set the quality limits of {what}",
    )  # fmt: skip
    return row


@verb("monitoring.clear_quality", roles=KEEPERS)
def clear_quality(limits: QualityLimits, *, by: Actor) -> None:
    """Take a row of limits away: what it spoke of is tested as its quantity, or as built in."""
    if limits.series is not None:
        _mine(limits.series, by)
    what = limits.series.code if limits.series is not None else limits.quantity
    record(
        space=Space.live(), verb="monitoring.clear_quality", by=by, subject=limits,
        place=limits.series.station.place if limits.series is not None else None,
        text_zh=f"取消数据质量控制参数：{what}", text_en=f"Cleared the quality limits of {what}",
    )  # fmt: skip
    limits.delete()
    edition.bump()


@verb("monitoring.correct", roles=KEEPERS)
def correct_readings(
    series: Series, *, space: Space, start: datetime, end: datetime, kind: str, reason: str, by: Actor, value: float | None = None
) -> Correction:  # fmt: skip
    """Say what is wrong with a stretch of readings: shift them, replace them or take them out of use. Raw values stay."""
    _mine(series, by)
    reason = reason.strip()
    if not reason:
        raise Refused(_("Say why: without a reason nobody can judge the correction later."))
    if end < start:
        raise Refused(_("The correction ends before it begins. Give the later time last."))
    if kind not in CorrectionKind.values:
        raise Refused(_("Choose what to do with the readings: add, replace or take out of use."))
    if kind != CorrectionKind.REMOVE and value is None:
        raise Refused(_("Give the number: how much to add, or what to put in place."))
    row = Correction.objects.create(
        space=space, series=series, start=start, end=end, kind=kind, reason=reason,
        value=None if kind == CorrectionKind.REMOVE else value, made_at=now(space), made_by_id=by.pk,
    )  # fmt: skip
    zh = {"offset": f"加 {figure(value, 4)}", "replace": f"改为 {figure(value, 4)}", "remove": "停用"}[kind]
    en = {
        "offset": f"add {figure(value, 4)}",
        "replace": f"replace by {figure(value, 4)}",
        "remove": "taken out of use",
    }[kind]
    _record(
        row, "monitoring.correct", by, after={"start": start, "end": end, "kind": kind, "value": row.value, "reason": reason},
        zh=f"订正观测数据 {series.code}：{zh}（{reason}）", en=f"Corrected {series.code}: {en} ({reason})",
    )  # fmt: skip
    return row


@verb("monitoring.withdraw_correction", roles=KEEPERS)
def withdraw_correction(correction: Correction, *, by: Actor) -> Correction:
    """Take a correction back: the readings are used as they came."""
    _mine(correction.series, by)
    if correction.withdrawn_at is not None:
        raise Refused(_("This correction was withdrawn before."))
    correction.withdrawn_at = now(correction.space)
    correction.save(update_fields=["withdrawn_at"])
    _record(
        correction, "monitoring.withdraw_correction", by, after={"correction": correction.pk},
        zh=f"撤销数据订正 {correction.series.code}", en=f"Withdrew a correction of {correction.series.code}",
    )  # fmt: skip
    return correction


def _record(row: Correction, name: str, by: Actor, *, after: dict[str, Any], zh: str, en: str) -> None:
    station = row.series.station
    record(
        space=row.space, verb=name, by=by, subject=row, place=station.place, organisation=station.operator, after=after,
        text_zh=zh, text_en=en,
    )  # fmt: skip


def _mine(series: Series, by: Actor) -> None:
    if not isinstance(by, System) and not Series.objects.visible_to(by).filter(pk=series.pk).exists():
        raise Forbidden(_("This series is outside your scope."))


def _fits(row: QualityLimits) -> None:
    """What a row says must fit what it leaves to others."""
    quantity, interval = (row.series.quantity, row.series.interval_s) if row.series else (row.quantity, 300)
    base = default(quantity, interval)
    if row.series is not None:
        general = QualityLimits.objects.filter(quantity=quantity, series=None).first()
        base = general.over(base) if general else base
    try:
        row.over(base).check()
    except LimitError as error:
        raise ValidationError({error.name: str(error)}) from error
