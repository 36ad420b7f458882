"""What the record says of an incident when it is over: times per step, townships, messages, what was late. Reads the store.

`measure` gathers everything the evaluation page and its exports show; `evaluate` keeps the evaluator's words with the
table as it stood.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor
from haitang.accounts.roles import OPERATIONS
from haitang.accounts.verbs import Refused, verb
from haitang.alerting.dissemination import ANSWER
from haitang.alerting.models import MsgType, Warning
from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery
from haitang.delivery.states import State as DeliveryState
from haitang.geo.models import Level, Place
from haitang.incidents import timetable, totals
from haitang.incidents.kinds import ORDER, REPORT, TASK
from haitang.incidents.models import Evaluation, History, Incident, ResponseProposal, State
from haitang.incidents.services.common import journal, locked, move, must_reach, person
from haitang.incidents.services.figures import rows_of
from haitang.incidents.services.response import places_of
from haitang.incidents.services.warnings import published_for
from haitang.incidents.timetable import Beside, Events, Step, Tally, Task
from haitang.journal.services import thread_of
from haitang.monitoring import queries as monitoring
from haitang.monitoring import store
from haitang.monitoring.alarms import at as from_ms
from haitang.monitoring.models import Alarm
from haitang.obligations.models import Obligation
from haitang.obligations.models import State as Duty
from haitang.spaces.clock import now
from haitang.spaces.models import Space

# How far before an alarm the first reading over its threshold is looked for.
LOOK_BACK = timedelta(hours=24)


@dataclass(frozen=True)
class Township:
    """How one township did."""

    place: Place
    answered_after: timedelta | None
    asked: bool
    tally: Tally
    moved: float | None
    to_move: float | None


@dataclass(frozen=True)
class Channel:
    """How the messages of one channel fared."""

    name: str
    label: Any
    sent: int
    reached: int
    answered: int
    failed: int


@dataclass(frozen=True)
class Late:
    """Something that was late, by how much; not done yet at the time of looking if `is_open`. Words in the reader's language."""

    duty: Obligation
    by: timedelta
    is_open: bool

    @property
    def what(self) -> str:
        """What had to be done."""
        return self.duty.title

    @property
    def whose(self) -> str:
        """By whom."""
        return self.duty.owner.name

    @property
    def kind(self) -> str:
        """Which kind of duty it was."""
        labels = {ANSWER: _("Answer to a warning"), ORDER: _("Order"), REPORT: _("Report")}
        return labels.get(self.duty.kind) or (_("Task") if self.duty.kind.startswith(TASK) else _("Decision"))


@dataclass(frozen=True)
class Measured:
    """Everything the evaluation shows."""

    incident: Incident
    at: datetime
    events: Events
    steps: Sequence[Step]
    tally: Tally
    townships: Sequence[Township]
    channels: Sequence[Channel]
    late: Sequence[Late]
    history: Sequence[Beside]
    history_source: str
    moved: Sequence[tuple[datetime, float]]


def measure(incident: Incident) -> Measured:
    """Gather it. Some twenty queries, whatever the number of tasks and townships."""
    at = now(incident.space)
    family = [incident, *incident.children.all()]
    chain = published_for(incident)
    answers = list(
        Obligation.objects.filter(kind=ANSWER, subject_type=Warning._meta.label_lower, subject_id__in=[str(row.pk) for row in chain])
        .select_related("place", "owner").order_by("issued_at", "pk")
    )  # fmt: skip
    threads = [thread_of(each) for each in family]
    duties = list(
        Obligation.objects.filter(space=incident.space, thread__in=threads)
        .select_related("place", "owner")
        .order_by("issued_at", "pk")
    )
    tasks = [one for one in duties if one.kind.startswith(TASK) and one.state != Duty.WITHDRAWN]
    figures = rows_of(family)
    events = _events(incident, chain, answers, tasks, figures)
    at_steps = timetable.times(events)
    told = History.objects.filter(space=incident.space).first()
    return Measured(
        incident=incident, at=at, events=events, steps=timetable.table(events), tally=timetable.tally(events.tasks, at),
        townships=_townships(incident, chain, answers, tasks, figures, at), channels=_channels(threads, chain),
        late=_late([*answers, *duties], at), history=timetable.beside(told.rows, at_steps) if told else (),
        history_source=told.source if told else "", moved=events.moved,
    )  # fmt: skip


def _events(
    incident: Incident, chain: Sequence[Warning], answers: Sequence[Obligation], tasks: Sequence[Obligation],
    figures: Mapping[str, Sequence[totals.Row]],
) -> Events:  # fmt: skip
    proposal = (
        ResponseProposal.objects.filter(incident=incident, kind="start")
        .select_related("warning")
        .order_by("proposed_at")
        .first()
    )
    warning = proposal.warning if proposal else next((row for row in chain if row.msg_type != MsgType.CANCEL), None)
    alarm = _alarm(warning, chain)
    wanted = totals.total(figures.get("to_move", ()))
    return Events(
        reading=_first_reading(alarm), alarm=alarm.opened_at if alarm else None, warning=warning.published_at if warning else None,
        answers=[one.done_at for one in answers if warning is not None and one.subject_id == str(warning.pk)],
        proposed=proposal.proposed_at if proposal else None, started=incident.started_at,
        tasks=[_task(one) for one in tasks], moved=totals.course(list(figures.get("moved", ()))),
        to_move=wanted.value if wanted else None, ended=incident.ended_at, marks=_marks(incident, chain),
    )  # fmt: skip


def _marks(incident: Incident, chain: Sequence[Warning]) -> dict[str, datetime]:
    """The first warning of each colour, and the first time at each level."""
    found: dict[str, datetime] = {}
    for row in chain:
        if row.msg_type != MsgType.CANCEL and row.published_at:
            found.setdefault(f"warning_{row.colour}", row.published_at)
    for change in incident.changes.all():
        if change.level_to:
            found.setdefault(f"level_{change.level_to}", change.at)
    return found


def _task(one: Obligation) -> Task:
    return Task(one.issued_at, one.due_at, one.done_at)


def _alarm(warning: Warning | None, chain: Sequence[Warning]) -> Alarm | None:
    """The alarm that gave rise to the warning, or to the first of its chain that one gave rise to."""
    for row in [warning, *chain] if warning else chain:
        name, _colon, pk = row.cause.partition(":") if row else ("", "", "")
        if name == Alarm._meta.label_lower and pk.isdigit():
            return Alarm.objects.select_related("rule", "series").filter(pk=int(pk)).first()
    return None


def _first_reading(alarm: Alarm | None) -> datetime | None:
    """The first reading of the unbroken run at or over the threshold that opened the alarm."""
    if alarm is None or alarm.rule is None or alarm.threshold is None:
        return alarm.opened_at if alarm else None
    sign = -1 if alarm.rule.direction == "falling" else 1
    lowest = next((value for value in alarm.rule.thresholds if value is not None), alarm.threshold)
    start, end = monitoring.ms(alarm.opened_at - LOOK_BACK), monitoring.ms(alarm.opened_at)
    time_ms, values = store.read(alarm.space_id, alarm.series_id, start, end + 1)
    first = None
    for time, value in zip(time_ms.tolist(), values.tolist(), strict=True):
        first = (first or time) if sign * value >= sign * lowest else None
    return min(from_ms(first), alarm.opened_at) if first else alarm.opened_at


def _townships(
    incident: Incident, chain: Sequence[Warning], answers: Sequence[Obligation], tasks: Sequence[Obligation],
    figures: Mapping[str, Sequence[totals.Row]], at: datetime,
) -> list[Township]:  # fmt: skip
    published = {str(row.pk): row.published_at for row in chain}
    found = []
    for place in places_of(incident):
        if place.level == Level.DISTRICT:
            continue
        asked = [one for one in answers if one.place_id == place.pk]
        first = next((one for one in asked if one.done_at), None)
        start = published.get(first.subject_id) if first else None
        own = [one for one in tasks if one.place is not None and place.contains(one.place)]
        found.append(
            Township(
                place=place, asked=bool(asked), tally=timetable.tally([_task(one) for one in own], at),
                answered_after=first.done_at - start if first and first.done_at and start else None,
                moved=_inside(figures.get("moved", ()), place), to_move=_inside(figures.get("to_move", ()), place),
            )
        )  # fmt: skip
    return found


def _inside(rows: Iterable[totals.Row], place: Place) -> float | None:
    total = totals.total(row for row in rows if row.path.startswith(place.path))
    return total.value if total else None


def _channels(threads: Sequence[str], chain: Sequence[Warning]) -> list[Channel]:
    """Messages about the incident and its warnings, by channel. One query."""
    all_threads = [*threads, *{f"{Warning._meta.label_lower}:{row.root_id or row.pk}" for row in chain}]
    states: dict[str, Counter[str]] = {}
    for channel, state in Delivery.objects.filter(message__thread__in=all_threads).values_list("channel", "state"):
        states.setdefault(channel, Counter())[state] += 1
    reached = (DeliveryState.DELIVERED, DeliveryState.READ, DeliveryState.ANSWERED)
    return [
        Channel(
            name, CHANNELS[name].label if name in CHANNELS else name, sum(count.values()), sum(count[state] for state in reached),
            count[DeliveryState.ANSWERED], count[DeliveryState.FAILED],
        )
        for name, count in sorted(states.items())
    ]  # fmt: skip


def _late(duties: Sequence[Obligation], at: datetime) -> list[Late]:
    found = []
    for one in duties:
        if one.due_at is None or one.state == Duty.WITHDRAWN:
            continue
        end = one.done_at or at
        if end > one.due_at:
            found.append(Late(one, end - one.due_at, one.done_at is None))
    return sorted(found, key=lambda each: each.by, reverse=True)


# -- keeping ----------------------------------------------------------------------------------------------------


def as_data(measured: Measured) -> dict[str, Any]:
    """The table as plain data, for the record and for machines; seconds for spans, ISO 8601 for moments."""
    return {
        "at": measured.at.isoformat(),
        "steps": [
            {"step": row.name, "at": row.at.isoformat() if row.at else None, "since": row.since, "seconds": _seconds(row.took), "total_seconds": _seconds(row.total)}
            for row in measured.steps
        ],
        "tasks": {name: getattr(measured.tally, name) for name in ("all", "on_time", "late", "overdue", "open")},
        "townships": [
            {
                "place": row.place.code, "answered_after_s": _seconds(row.answered_after), "on_time": row.tally.on_time, "late": row.tally.late,
                "overdue": row.tally.overdue, "open": row.tally.open, "moved": row.moved, "to_move": row.to_move,
            }
            for row in measured.townships
        ],
        "channels": [
            {"channel": row.name, "sent": row.sent, "reached": row.reached, "answered": row.answered, "failed": row.failed}
            for row in measured.channels
        ],
        "history": [
            {"step": row.step, "label_zh": row.label_zh, "label_en": row.label_en, "at": row.at.isoformat() if row.at else None,
             "history": row.history.isoformat() if row.history else None, "value": row.value}
            for row in measured.history
        ],
    }  # fmt: skip


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


@verb("incidents.evaluate", roles=OPERATIONS)
def evaluate(incident: Incident, *, summary: str, lessons: str = "", by: Actor) -> Evaluation:
    """Keep what was learnt, with the table of times as it stands; the incident counts as evaluated."""
    must_reach(by, incident.place)
    summary, lessons = summary.strip(), lessons.strip()
    if not summary:
        raise Refused(_("Write what the evaluation finds"))
    locked(incident)
    if incident.is_active:
        raise Refused(_("End the response first: an evaluation looks back on it"))
    kept = Evaluation.objects.create(
        incident=incident, at=now(incident.space), by=person(by), summary=summary[:10_000], lessons=lessons[:10_000],
        table=as_data(measure(incident)),
    )  # fmt: skip
    move(incident, State.EVALUATED)
    incident.save(update_fields=["state"])
    journal(
        incident, "evaluate", by, f"完成评估：{incident.name_zh}", f"Evaluated: {incident.name_en or incident.name_zh}", colour="green",
        after={"summary": summary[:300]},
    )  # fmt: skip
    return kept


def set_history(space: Space, rows: Sequence[Mapping[str, Any]], *, source: str = "") -> History:
    """Say what really happened in the event that an exercise replays; not a verb: the replay sets it when it begins.

    Rows: {"step": a name of `timetable.STEPS` or `MARKS`, or "", "label_zh", "label_en", "at": ISO 8601 or a time, "value"}; a row
    without a step may say itself when that happened `here`, in the exercise.
    """
    plain = []
    for number, row in enumerate(rows, start=1):
        when, here = row.get("at"), row.get("here")
        text = when.isoformat() if isinstance(when, datetime) else when
        if text is not None and datetime.fromisoformat(str(text)).tzinfo is None:
            raise ValueError(
                f"history row {number}: the time {text} has no offset; write it like 2024-09-16T07:30:00+08:00"
            )
        step = str(row.get("step") or "")
        if step and step not in (*timetable.STEPS, *timetable.MARKS):
            raise ValueError(
                f"history row {number}: {step!r} is not one of the steps {', '.join((*timetable.STEPS, *timetable.MARKS))}"
            )
        plain.append(
            {
                "step": step,
                "label_zh": row.get("label_zh", ""),
                "label_en": row.get("label_en", ""),
                "at": text,
                "value": row.get("value"),
                "here": here.isoformat() if isinstance(here, datetime) else here,
            }
        )
    return History.objects.update_or_create(space=space, defaults={"rows": plain, "source": source[:500]})[0]
