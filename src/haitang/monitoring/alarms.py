"""From the kernel's transitions to alarms: opened, raised, lowered, cleared, each by a verb of `services.py`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from haitang.accounts.actors import SYSTEM
from haitang.monitoring.models import Alarm, Colour, Rule
from haitang.monitoring.models.alarms import OPEN
from haitang.monitoring.rules import Outcome, RuleSet
from haitang.monitoring.services import alarms as services
from haitang.spaces.models import Space


def apply(space: Space, rules: RuleSet, outcome: Outcome, received: Callable[[int], datetime | None]) -> None:
    """Write what a batch changed, inside the evaluator's transaction. `received` tells when a row reached the door."""
    changed, peaked = outcome.transitions, outcome.peaked
    if not len(changed) and not len(peaked):
        return
    moving = [int(rules.id[rule]) for rule in changed.rule]
    peaks = {int(rules.id[rule]): int(rule) for rule in peaked}
    standing = {
        alarm.rule_id: alarm
        for alarm in Alarm.objects.select_related(
            "station__operator", "place", "series", "rule", "episode__place"
        ).filter(space=space, rule_id__among=sorted({*moving, *peaks}), state__in=OPEN)
    }
    # Also of one that stands: it may end and begin anew within the batch.
    opening = {rule for rule, old in zip(moving, changed.old.tolist(), strict=True) if not old}
    known = Rule.objects.select_related("series__station__place", "series__station__operator").in_bulk(opening)
    for i, rule_id in enumerate(moving):
        alarm, new = standing.get(rule_id), int(changed.new[i])
        when, value = at(int(changed.time_ms[i])), float(changed.value[i])
        if alarm is not None:
            alarm.peak_value, alarm.peak_at = float(changed.peak[i]), at(int(changed.peak_ms[i]))
        if alarm is None:
            if new and rule_id in known:
                row = int(changed.row[i])
                standing[rule_id] = services.open_alarm(
                    known[rule_id], space=space, colour=Colour.of(new), value=value, at=when,
                    received=received(row) if row >= 0 else None, by=SYSTEM,
                )  # fmt: skip
        elif new:
            services.change_colour(alarm, colour=Colour.of(new), value=value, at=when, by=SYSTEM)
        else:
            services.clear_alarm(standing.pop(rule_id), value=value, at=when, by=SYSTEM)
    grown = []
    for rule_id, rule in peaks.items():
        alarm = standing.get(rule_id)
        if alarm is not None:
            alarm.peak_value, alarm.peak_at = float(outcome.state.peak[rule]), at(int(outcome.state.peak_ms[rule]))
            grown.append(alarm)
    Alarm.objects.bulk_update(grown, ["peak_value", "peak_at"], batch_size=500)


def clear_without_rule(space: Space, raised: set[int]) -> None:
    """Clear the open alarms whose rule is gone, or was changed and is judged anew."""
    alarms = Alarm.objects.select_related("station__operator", "place", "series", "rule").filter(
        space=space, state__in=OPEN
    )
    for alarm in alarms:
        if alarm.rule_id not in raised:
            services.clear_alarm(alarm, value=None, at=None, by=SYSTEM)


def at(ms: int) -> datetime:
    """Milliseconds since 1970 as an aware time."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC)


def latency_s(alarm: Alarm) -> float | None:
    """Seconds from the reading's arrival at the door to the alarm in the store; None for one that time set off."""
    return None if alarm.received_wall is None else (alarm.recorded_wall - alarm.received_wall).total_seconds()
