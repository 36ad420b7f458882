"""How much came, from whom, and what became of it: one number per space, hour, source and outcome."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import connection
from django.utils import timezone

from haitang.monitoring.models import IngestCount
from haitang.spaces.models import Space


def add(space: Space, tally: Mapping[tuple[str, str], int]) -> None:
    """Add numbers by (source, outcome) to this hour's. One statement."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    rows = sorted((source[:80], outcome, number) for (source, outcome), number in tally.items() if number)
    if not rows:
        return
    table = connection.ops.quote_name(IngestCount._meta.db_table)
    when = IngestCount._meta.get_field("hour").get_db_prep_value(hour, connection)
    values = ", ".join(["(%s, %s, %s, %s, %s)"] * len(rows))
    params = [item for source, outcome, number in rows for item in (space.pk, when, source, outcome, number)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (space_id, hour, source, outcome, count) VALUES {values}"  # noqa: S608 - names and placeholders only
            f" ON CONFLICT (space_id, hour, source, outcome) DO UPDATE SET count = {table}.count + excluded.count",
            params,
        )
