"""Quality and outlook of readings on pages that are about something else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template

from haitang.monitoring import forecasting, quality_queries
from haitang.monitoring.models import Alarm, Outlook, Series

register = template.Library()


@register.simple_tag(takes_context=True)
def doubtful(context: template.Context, alarms: Iterable[Alarm]) -> set[int]:
    """Numbers of the alarms whose first or highest reading is not good. One query."""
    return quality_queries.doubtful(context["request"].space, alarms)


@register.simple_tag(takes_context=True)
def doubt(context: template.Context, alarm: Alarm) -> bool:
    """Whether the first or highest reading of an alarm is not good."""
    return bool(quality_queries.doubtful(context["request"].space, [alarm]))


@register.inclusion_tag("monitoring/parts/outlook.html", takes_context=True)
def outlook(context: template.Context, series: Series) -> dict[str, Any]:
    """The forecast of a series in words: how good it has been, and which threshold it meets."""
    space = context["request"].space
    if series.quantity not in forecasting.KINDS:
        return {"has_kind": False}
    found = Outlook.objects.filter(space=space, series=series).first()
    if found is None or not found.method:
        return {"has_kind": True, "outlook": None}
    skills = [(h, found.skill.get(str(h), {})) for h in forecasting.HORIZONS_H]
    return {
        "has_kind": True, "outlook": found, "skills": skills, "reach": forecasting.usable_h(found), "series": series,
        "crossing": forecasting.crossings(space, [found]).get(series.pk), "hourly": series.kind.accumulates,
    }  # fmt: skip
