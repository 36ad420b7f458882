"""Rows of monitoring_reading become chunks of the sealed store; the table goes."""

import numpy as np
from django.db import migrations

from haitang.monitoring.chunk_codec import encode, figures, pack_figures

# As sealing.py had them when this was written.
BLOCK, DAY_MS, PART, LONGEST, FULL, WINDOW = 16, 86_400_000, 16_384, 65_536, 4_096, 32
DAY, FULL_DAY = 1, 3


def move(apps, schema_editor):
    """Sixteen series and thirty-two days at a time."""
    connection = schema_editor.connection
    spaces = set(apps.get_model("spaces", "Space").objects.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("SELECT space_id, series_id, min(time_ms), max(time_ms) FROM monitoring_reading GROUP BY 1, 2")
        spans = {}
        for space, series, first, last in cursor.fetchall():
            if space in spaces:  # rows of a space that was removed had stayed behind
                key = space, series // BLOCK
                known = spans.get(key, (first, last))
                spans[key] = min(first, known[0]), max(last, known[1])
        newest = {}
        for (space, block), (first, last) in sorted(spans.items()):
            for month in range(first // DAY_MS // WINDOW, last // DAY_MS // WINDOW + 1):
                begin = month * WINDOW * DAY_MS
                cursor.execute(
                    "SELECT series_id, time_ms, value FROM monitoring_reading WHERE space_id = %s AND series_id >= %s"
                    " AND series_id < %s AND time_ms >= %s AND time_ms < %s ORDER BY series_id, time_ms",
                    [space, block * BLOCK, (block + 1) * BLOCK, begin, begin + WINDOW * DAY_MS],
                )
                rows = cursor.fetchall()
                if not rows:
                    continue
                series = np.array([row[0] for row in rows], np.int64)
                time = np.array([row[1] for row in rows], np.int64)
                value = np.array([row[2] for row in rows], np.float64) + 0.0  # no negative zero
                for s, t, v in rows:
                    newest[space, s] = t, v  # months and times rise
                days = time // DAY_MS
                for day in np.unique(days).tolist():
                    mine = days == day
                    level = FULL_DAY if mine.sum() >= FULL else DAY
                    for part in cut(series[mine], time[mine], value[mine]):
                        write(apps, space, block, level, day, *part)
    write_newest(apps, newest)


def cut(series, time, value):
    """At most so many readings in a chunk, cut by time."""
    parts = -(-len(series) // LONGEST)
    edges = np.quantile(time, np.linspace(0, 1, parts + 1)[1:-1], method="nearest") if parts > 1 else np.zeros(0)
    number = np.searchsorted(edges, time, side="right")
    for k in range(parts):
        mine = number == k
        if mine.any():
            yield series[mine], time[mine], value[mine]


def write(apps, space, block, level, day, series, time, value):
    apps.get_model("monitoring", "Chunk").objects.create(
        space_id=space, block=block, level=level, period=day, rows=len(series),
        first_ms=int(time.min()), last_ms=int(time.max()),
        figures=pack_figures(figures(series, time, value)), payload=encode(series, time, value),
    )


def write_newest(apps, newest):
    parts = {}
    for (space, series), (time, value) in sorted(newest.items()):
        parts.setdefault((space, series // PART), []).append((series, time, value))
    for (space, part), rows in parts.items():
        series, time, value = zip(*rows)
        payload = np.array(series, "<i4").tobytes() + np.array(time, "<i8").tobytes() + np.array(value, "<f8").tobytes()
        apps.get_model("monitoring", "SealedNewest").objects.create(space_id=space, part=part, payload=payload)
    for space in {space for space, _part in parts}:
        apps.get_model("monitoring", "Sealing").objects.create(space_id=space, generation=1)


class Migration(migrations.Migration):
    # Rows in one transaction, the dropping of their table in the next: PostgreSQL does not mix the two.
    dependencies = [("monitoring", "0004_alarm_handling")]
    operations = [migrations.RunPython(move, migrations.RunPython.noop)]
