"""The commander at the table: reads what is put forward and approves it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from haitang.alerting import services as alerting
from haitang.alerting.models import State, Warning
from haitang.replay.cast.parts import Part
from haitang.replay.cast.stage import Intent, Stage


def warnings(stage: Stage) -> Iterator[Intent]:
    """Approve what was submitted by somebody else."""
    if not stage.plays(Part.COMMAND):
        return
    rows = Warning.objects.filter(space=stage.space, state=State.SUBMITTED).select_related("kind", "place")
    for warning in rows.order_by("pk"):
        wrote = {warning.composed_by_id, warning.edited_by_id, warning.submitted_by_id}
        free = [user for user in stage.commanders if user.pk not in wrote]
        if not free or warning.submitted_at is None:
            continue
        since = round((warning.submitted_at - stage.run.begin).total_seconds())
        name = ("approve", warning.kind.code, warning.colour, warning.msg_type, since)
        yield Intent(
            stage.after(warning.submitted_at, stage.manners.approve_min, *name), stage.key(name),
            partial(alerting.approve, warning, by=free[0]),
        )  # fmt: skip
