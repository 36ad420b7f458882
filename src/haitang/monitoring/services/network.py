"""The network: stations, series and rules put on record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from django.db.models import Model

from haitang.accounts.actors import Actor
from haitang.accounts.roles import Role
from haitang.accounts.verbs import verb
from haitang.journal.services import record
from haitang.monitoring.models import Rule, Series, Station
from haitang.spaces.models import Space

KEEPERS = frozenset({Role.ADMIN, Role.DUTY_OFFICER, Role.DEPARTMENT})
M = TypeVar("M", Station, Series, Rule)


@verb("monitoring.register_station", roles=KEEPERS)
def register_station(*, code: str, by: Actor, **fields: Any) -> Station:
    """Put a station on the network, or change the one with this code."""
    return _register(Station, code, fields, by)


@verb("monitoring.register_series", roles=KEEPERS)
def register_series(*, code: str, by: Actor, **fields: Any) -> Series:
    """Put a series on a station, or change the one with this code."""
    return _register(Series, code, fields, by)


@verb("monitoring.register_rule", roles=KEEPERS)
def register_rule(*, code: str, by: Actor, **fields: Any) -> Rule:
    """Set an alarm rule, or change the one with this code. Alarms that stand under a changed rule are judged anew."""
    return _register(Rule, code, fields, by)


def _register(model: type[M], code: str, fields: Mapping[str, Any], by: Actor) -> M:
    found = model._default_manager.filter(code=code).first()
    row = found or model(code=code)
    before = _said(row, fields) if found else None
    for name, value in fields.items():
        setattr(row, name, value)
    row.full_clean()
    if isinstance(row, Rule) and before is not None and before != _said(row, fields):
        row.version += 1
    row.save()
    after = _said(row, fields)
    if before == after:
        return row
    station = row if isinstance(row, Station) else row.station if isinstance(row, Series) else row.series.station
    record(
        space=Space.live(), verb=f"monitoring.register_{row._meta.model_name}", by=by, subject=row, place=station.place,
        organisation=station.operator, before=before, after=after,
        text_zh=f"登记{_ZH[model]}：{code}", text_en=f"Registered {model.__name__.lower()} {code}",
    )  # fmt: skip
    return row


def _said(row: Model, names: Iterable[str]) -> dict[str, str]:
    """Fields as text. Of what is stored as JSON the order of keys means nothing, and PostgreSQL does not keep it."""
    found = {name: getattr(row, name) for name in names}
    return {
        name: json.dumps(value, sort_keys=True, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
        for name, value in found.items()
    }


_ZH: dict[type[Model], str] = {Station: "测站", Series: "监测要素", Rule: "告警规则"}
