"""What really happened beside what happened in the exercise: the moments of a run that history's rows are compared with.

A row's `key` in the scenario file says with what (docs/replay.md): "warning.typhoon.orange" (first warning of that hazard,
of that colour or a graver one), "level.2" (the response first at that level or a graver one), "task.close-bridge" (the
task of that code done by all), "moved" (everybody moved), or a step of the evaluation's own table ("started").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from haitang.alerting.models import ColourChoice, MsgType, Warning
from haitang.incidents import services as incidents
from haitang.incidents import timetable, totals
from haitang.incidents.models import Incident, LevelChange
from haitang.incidents.services.figures import rows_of
from haitang.obligations.models import Obligation
from haitang.obligations.models import State as Duty
from haitang.replay import library
from haitang.replay.models import Run
from haitang.replay.scenario import History, Scenario

# Keys that are steps of the evaluation's table by another name.
STEPS: Mapping[str, str] = {"moved": "moved_90"}
GRAVER = [choice.value for choice in ColourChoice]
"""Colours, the gravest first."""


def tell(run: Run) -> None:
    """Give the evaluation of a run's incidents what really happened, with the times of the exercise known so far."""
    scenario = library.find(run.scenario, run.pack)
    if not scenario.history:
        return
    rows = [_row(run, row) for row in scenario.history]
    incidents.set_history(run.space, rows, source=_sources(scenario))


def _row(run: Run, row: History) -> dict[str, Any]:
    step = STEPS.get(row.key, row.key)
    figure = None if row.figure is None else f"{row.figure:,.10g}"
    told = {"label_zh": row.text.zh, "label_en": row.text.en, "at": row.at, "value": figure}
    if step in timetable.STEPS:
        return {**told, "step": step}
    return {**told, "step": "", "here": here(run, row.key)}


def here(run: Run, key: str) -> datetime | None:
    """When what a key names happened in the exercise; None where it has not, or where nothing of it could happen here."""
    what, _dot, rest = key.partition(".")
    if what == "warning":
        hazard, _dot, colour = rest.rpartition(".")
        return _first_warning(run, hazard, colour)
    if what == "level" and rest.isdigit():
        rows = LevelChange.objects.filter(incident__space=run.space, incident__parent=None, level_to__lte=int(rest))
        return rows.order_by("at", "pk").values_list("at", flat=True).first()
    if what == "task":
        return _all_done(run, rest)
    return _moved(run) if what == "moved" else None


def _first_warning(run: Run, hazard: str, colour: str) -> datetime | None:
    if colour not in GRAVER:
        return None
    rows = Warning.objects.filter(
        space=run.space, published_at__isnull=False, colour__in=GRAVER[: GRAVER.index(colour) + 1]
    ).exclude(msg_type=MsgType.CANCEL)
    if hazard:
        rows = rows.filter(kind__hazard=hazard)
    return rows.order_by("published_at", "pk").values_list("published_at", flat=True).first()


def _moved(run: Run) -> datetime | None:
    """When nearly everybody was moved, as the evaluation counts it."""
    incident = Incident.objects.filter(space=run.space, parent=None).order_by("pk").first()
    if incident is None:
        return None
    figures = rows_of([incident, *incident.children.all()])
    wanted = totals.total(figures.get("to_move", ()))
    return timetable.moved(totals.course(list(figures.get("moved", ()))), wanted.value if wanted else None)


def _all_done(run: Run, code: str) -> datetime | None:
    incidents_here = [str(pk) for pk in Incident.objects.filter(space=run.space).values_list("pk", flat=True)]
    rows = Obligation.objects.filter(
        space=run.space, subject_type=Incident._meta.label_lower, subject_id__in=incidents_here
    )
    rows = rows.exclude(state=Duty.WITHDRAWN)
    done = [at for data, at in rows.values_list("data", "done_at") if (data or {}).get("code") == code]
    return max(at for at in done if at) if done and all(done) else None


def _sources(scenario: Scenario) -> str:
    return "; ".join(dict.fromkeys(row.source for row in scenario.history))
