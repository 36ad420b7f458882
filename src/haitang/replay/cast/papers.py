"""The duty room's papers: the reports to the government above, by telephone and in writing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from haitang.accounts.models import User
from haitang.incidents import services as incidents
from haitang.incidents.models import Report
from haitang.incidents.models.papers import Stage as Paper
from haitang.replay.cast.parts import Part
from haitang.replay.cast.stage import Intent, Stage

BEFORE = timedelta(minutes=40)
"""A follow-up is written when its time is nearly over, so that it says something new."""


def reports(stage: Stage) -> Iterator[Intent]:
    """Telephone where that is asked for, then write and send."""
    if not stage.plays(Part.DUTY):
        return
    rows = Report.objects.filter(incident__space=stage.space, sent_at=None, withdrawn_at=None)
    for report in rows.select_related(
        "incident__place", "incident__owner", "incident__space", "incident__plan"
    ).order_by("pk"):
        name = (report.stage, report.number, stage.offset(report.asked_at))
        officer = stage.pick(stage.duty_officers, "reports", *name)
        if officer is None:
            continue
        if report.phone_due_at is not None and report.phoned_at is None:
            yield Intent(
                stage.after(report.asked_at, stage.manners.receive_min, "phone", *name), stage.key(("phone", *name)),
                partial(incidents.phone_report, report, by=officer),
            )  # fmt: skip
        at = stage.after(report.asked_at, stage.manners.report_min, "report", *name)
        if report.stage == Paper.FOLLOW and report.due_at is not None:
            at = max(at, report.due_at - BEFORE)
        yield Intent(at, stage.key(("report", *name)), partial(_write, report, officer))


def _write(report: Report, by: User) -> object:
    return incidents.send(report, text=incidents.draft(report), by=by)
