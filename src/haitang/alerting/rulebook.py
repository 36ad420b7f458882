"""The district's own rules for warnings: which kinds there are, in which words, who issues them, how silence is escalated.

Each verb sets one rule as a whole and journals what it changed; setting what is there already changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor
from haitang.accounts.models import Organisation
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Refused, verb
from haitang.alerting import cap_model, wording
from haitang.alerting.models import ColourChoice, EventKind, Policy, WarningTemplate
from haitang.journal.services import record
from haitang.monitoring.quantities import QUANTITIES
from haitang.obligations import ladder as ladders
from haitang.spaces.models import Space

KEEPERS = frozenset({Role.ADMIN})
# Steps speak to officials; what speaks to everybody is chosen by audience.
STEP_CHANNELS = ("inapp", "sms", "voice", "email", "wecom", "dingtalk", "feishu", "webpush")
_UNIT = re.compile(r"\d{14}", re.ASCII)
_CODE = re.compile(r"[0-9A-Z]{5}", re.ASCII)


class RuleError(Refused):
    """A rule that cannot stand: which field, the value, why not, how to mend it."""

    def __init__(self, field: str, rule: str, remedy: str = "", value: object = None) -> None:
        self.field, self.rule, self.remedy, self.value = field, rule, remedy, value
        shown = f" ({value!r})" if value is not None else ""
        super().__init__(f"{field}{shown}: {rule}" + (f". {remedy}" if remedy else ""))


@verb("alerting.set_kind", roles=KEEPERS)
def set_kind(
    *,
    code: str,
    hazard: str,
    name_zh: str,
    by: Actor,
    name_en: str = "",
    categories: Sequence[str] = ("Other",),
    response_types: Sequence[str] = (),
    quantities: Sequence[str] = (),
    departments: Sequence[Organisation] = (),
    source: str = "",
) -> EventKind:
    """Add or change a kind of event that is warned of."""
    if not _CODE.fullmatch(code):
        raise RuleError("code", _("is not an event code"), _("Write five digits or capitals, as 11B03"), code)
    _listed("categories", categories, cap_model.CATEGORY, at_least=1)
    _listed("response_types", response_types, cap_model.RESPONSE_TYPE)
    _listed("quantities", quantities, tuple(QUANTITIES))
    kind = EventKind.objects.filter(code=code).first() or EventKind(code=code)
    before = sorted(kind.departments.values_list("code", flat=True)) if kind.pk else []
    after = sorted(body.code for body in departments)
    values = {
        "hazard": hazard, "name_zh": name_zh, "name_en": name_en, "categories": list(categories),
        "response_types": list(response_types), "quantities": list(quantities), "source": source, "is_active": True,
    }  # fmt: skip
    changed = _changes(kind, values)
    if before != after:
        changed["departments"] = (before, after)
    if not changed:
        return kind
    kind.save()
    kind.departments.set(departments)
    _journal(
        kind,
        "alerting.set_kind",
        by,
        changed,
        f"预警种类：{name_zh}（{code}）",
        f"Kind of event: {name_en or name_zh} ({code})",
    )
    return kind


@verb("alerting.set_template", roles=KEEPERS)
def set_template(
    kind: EventKind,
    colour: str,
    *,
    by: Actor,
    headline_zh: str,
    description_zh: str,
    instruction_zh: str,
    headline_en: str = "",
    description_en: str = "",
    instruction_en: str = "",
    valid_hours: float = 12,
    source: str = "",
) -> WarningTemplate:
    """Add or change the words of a kind and colour."""
    texts = {
        "headline_zh": headline_zh, "description_zh": description_zh, "instruction_zh": instruction_zh,
        "headline_en": headline_en, "description_en": description_en, "instruction_en": instruction_en,
    }  # fmt: skip
    for name, text in texts.items():
        unknown = wording.unknown_fields(text)
        if unknown:
            known = " ".join(f"{{{field}}}" for field in wording.FIELDS)
            raise RuleError(
                name, _("has an unknown placeholder"), _("Known are: %(known)s") % {"known": known}, ", ".join(unknown)
            )
    for name in ("headline_zh", "description_zh", "instruction_zh"):
        if not texts[name].strip():
            raise RuleError(name, _("must not be empty"))
    if bool(headline_en.strip()) != bool(description_en.strip()):
        raise RuleError(
            "description_en" if headline_en else "headline_en", _("headline and description in English belong together")
        )
    if not 0 < valid_hours <= 24 * 30:
        raise RuleError("valid_hours", _("lies between 0 and 720 hours"), value=valid_hours)
    template = WarningTemplate.objects.filter(kind=kind, colour=colour).first() or WarningTemplate(
        kind=kind, colour=colour
    )
    values = {
        **{name: text.strip() for name, text in texts.items()},
        "valid_hours": float(valid_hours),
        "source": source,
    }
    changed = _changes(template, values)
    if changed or template.pk is None:
        template.save()
        label = ColourChoice(colour).label
        _journal(template, "alerting.set_template", by, changed, f"预警模板：{kind.name_zh} {label}",
                 f"Warning template: {kind.name_en or kind.name_zh} {colour}")  # fmt: skip
    return template


def reach_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """How far a warning reaches out, checked: `{"confirmations": {"red": 2}, "wave_minutes": 3, "cell_colours": ["red"]}`.

    How many persons of a township must confirm (one where nothing is said), minutes between waves (0: all at once), and
    the colours that go to every phone by cell broadcast (none where nothing is said; only red and orange can).
    """
    _listed("reach", list(row), ("confirmations", "wave_minutes", "cell_colours"))
    needed, minutes, cell = row.get("confirmations", {}), row.get("wave_minutes", 0), row.get("cell_colours", [])
    if not isinstance(needed, Mapping) or not isinstance(cell, Sequence) or isinstance(cell, str):
        raise RuleError("reach", _("confirmations is a table by colour, cell_colours a list"), value=str(row)[:80])
    _listed("reach.confirmations", list(needed), tuple(ColourChoice.values))
    for colour, number in needed.items():
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 9:
            raise RuleError(f"reach.confirmations.{colour}", _("is a number of persons, 1 to 9"), value=number)
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 <= minutes <= 120:
        raise RuleError("reach.wave_minutes", _("lies between 0 and 120 minutes"), value=minutes)
    _listed("reach.cell_colours", list(cell), (ColourChoice.RED.value, ColourChoice.ORANGE.value))
    return {"confirmations": dict(needed), "wave_minutes": float(minutes), "cell_colours": list(cell)} if row else {}


@verb("alerting.set_policy", roles=KEEPERS)
def set_policy(
    *,
    by: Actor,
    sender: str,
    sender_name_zh: str,
    answer_minutes: Mapping[str, float],
    ladder: Sequence[Mapping[str, Any]],
    sender_name_en: str = "",
    contact: str = "",
    link_hours: float = 48,
    reach: Mapping[str, Any] | None = None,
    source: str = "",
) -> Policy:
    """Say who issues warnings here, how fast an answer is due, and how silence is escalated."""
    if not _UNIT.fullmatch(sender):
        raise RuleError(
            "sender", _("is not a unit's code"), _("Write 14 digits: region 6, agency 3, unit 3, extension 2"), sender
        )
    for colour in ColourChoice.values:
        minutes = answer_minutes.get(colour)
        if not isinstance(minutes, int | float) or isinstance(minutes, bool) or minutes <= 0:
            raise RuleError(f"answer_minutes.{colour}", _("needs a number of minutes"), value=minutes)
    _listed("answer_minutes", list(answer_minutes), tuple(ColourChoice.values))
    if not 0 < link_hours <= 24 * 30:
        raise RuleError("link_hours", _("lies between 0 and 720 hours"), value=link_hours)
    if not ladder:
        raise RuleError("ladder", _("needs at least one step: nobody would be told"))
    values = {
        "sender": sender, "sender_name_zh": sender_name_zh, "sender_name_en": sender_name_en, "contact": contact,
        "answer_minutes": {colour: answer_minutes[colour] for colour in ColourChoice.values},
        "ladder": _steps(ladder),
        "link_hours": float(link_hours), "reach": reach_of(reach or {}), "source": source,
    }  # fmt: skip
    policy = Policy.objects.order_by("pk").first() or Policy()
    changed = _changes(policy, values)
    if changed:
        policy.save()
        _journal(policy, "alerting.set_policy", by, changed, f"预警发布规则：{sender_name_zh}",
                 f"Warning policy: {sender_name_en or sender_name_zh}")  # fmt: skip
    return policy


def _steps(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The ladder as obligations climbs it."""
    try:
        steps = ladders.parse(rows)
    except ladders.LadderError as error:
        raise RuleError("ladder", str(error)) from error
    for number, step in enumerate(steps, 1):
        _listed(f"ladder {number}, channels", step.channels, STEP_CHANNELS, at_least=1)
    return [step.plain() for step in steps]


def _listed(field: str, given: Sequence[str], known: Sequence[str], *, at_least: int = 0) -> None:
    if isinstance(given, str) or len(given) < at_least:
        raise RuleError(field, _("is a list with at least %(n)s entries") % {"n": at_least}, value=given)
    unknown = [str(value) for value in given if value not in known]
    if unknown:
        raise RuleError(
            field,
            _("has an unknown value"),
            _("Known are: %(known)s") % {"known": ", ".join(known)},
            ", ".join(unknown),
        )


def _changes(row: Model, values: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Set the values; what changed, as (before, after)."""
    changed = {}
    for name, value in values.items():
        before = getattr(row, name)
        if before != value:
            changed[name] = (before if row.pk else None, value)
            setattr(row, name, value)
    return changed


def _journal(row: Model, what: str, by: Actor, changed: Mapping[str, tuple[Any, Any]], zh: str, en: str) -> None:
    before = {name: pair[0] for name, pair in changed.items()}
    after = {name: pair[1] for name, pair in changed.items()}
    record(space=Space.live(), verb=what, by=by, subject=row, before=before, after=after, text_zh=zh, text_en=en)
