"""What is drawn over the course of a series: readings that are not good, the corrected course, the forecast with its band."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from haitang.monitoring import corrections, forecasting, store
from haitang.monitoring.charts import thin
from haitang.monitoring.models import Outlook, QualityFlag, Series
from haitang.monitoring.quality_queries import flags
from haitang.monitoring.queries import ms
from haitang.spaces.models import Space

POINTS = 500
"""As many points of a colour as are drawn, the newest."""


def add(chart: dict[str, Any], space: Space, series: Series, start: datetime, end: datetime) -> dict[str, Any]:
    """The chart of one series' readings with what is known about them."""
    if series.kind.accumulates:
        return chart
    drawn: list[dict[str, Any]] = chart["series"]
    found = corrections.of(space, series.pk, ms(start), ms(end))
    if found:
        time, value = thin(*corrections.applied(found, *store.read(space.pk, series.pk, ms(start), ms(end))))
        points = [[t, round(v, 4)] for t, v in zip(time.tolist(), value.tolist(), strict=True)]
        drawn.append({"name": _("Corrected"), "data": points, "dashed": True, "colour": "green"})
    _ahead(drawn, space, series, start, end)
    for flag in (QualityFlag.SUSPECT, QualityFlag.FAIL):
        rows = flags(space, [series.pk], ms(start), ms(end)).filter(flag=flag).order_by("-time_ms")
        points = [[t, round(v, 4)] for t, v in rows.values_list("time_ms", "value")[:POINTS]]
        if points:
            name = str(flag.label)
            drawn.append({"name": name[:1].upper() + name[1:], "data": points, "points": True, "colour": flag.colour})
    return chart


def _ahead(drawn: list[dict[str, Any]], space: Space, series: Series, start: datetime, end: datetime) -> None:
    """The forecast with its band, as far as it reaches and is not drawn out of proportion to the past."""
    found = Outlook.objects.filter(space=space, series=series, made_at__gt=end - timedelta(hours=1)).first()
    if found is None or not found.method:
        return
    reach = forecasting.usable_h(found)
    most = min(len(found.middle), max(forecasting.PER_HOUR, round((end - start).total_seconds() / found.step_s / 2)))
    at = [found.start_ms + found.step_s * 1000 * (step + 1) for step in range(most)]
    name, colour = (_("Forecast"), "blue") if reach else (_("Forecast without skill"), "grey")
    middle = [list(point) for point in zip(at, found.middle, strict=False)]
    drawn.append({"name": name, "data": middle, "dashed": True, "colour": colour})
    if reach:
        band = [list(point) for point in zip(at, found.low, found.high, strict=False)]
        drawn.append({"name": _("80 % band"), "data": band, "band": True, "colour": colour})
