"""Rules on the screen: the form, its text, the back-test. A form makes the same table as the text, read the same way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.monitoring import rule_text
from haitang.monitoring.models import Colour, Rule, StationKind
from haitang.monitoring.models.network import quantity_choices
from haitang.monitoring.rule_text import RuleTextError
from haitang.monitoring.rules import Aggregate

CONDITIONS = 5
"""Conditions of a compound rule that the form holds; more are written as text."""
MOST_EVENTS = 200
_SHORT = {"placeholder": "10 min"}
_COLOURS = [("", "—"), *((colour.value, colour.label) for colour in Colour)]


def _span(label: Any, help_text: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label, max_length=12, required=False, help_text=help_text, widget=forms.TextInput(attrs=_SHORT)
    )


class RuleForm(forms.Form):
    """Everything a rule can say. What is left empty does not apply."""

    code = forms.CharField(label=_("code"), max_length=80)
    series = forms.CharField(
        label=_("series"), max_length=60, widget=forms.TextInput(attrs={"list": "series-codes"}),
        help_text=_("Code of the series; a compound rule is shown at its station."),
    )  # fmt: skip
    name = forms.CharField(label=_("name (Chinese)"), max_length=80, required=False)
    name_en = forms.CharField(label=_("name (English)"), max_length=120, required=False)

    about = forms.ChoiceField(
        label=_("What it watches"),
        choices=[
            ("readings", _("readings of the series")),
            ("silence", _("that the series reports at all")),
            ("rules", _("several rules together")),
        ],
    )
    compare = forms.ChoiceField(
        label=_("compared value"), required=False, choices=list(Rule._meta.get_field("aggregate").choices or ())
    )
    window = _span(_("over the last"), _("For all but the reading itself: 10 min to 7 d."))
    minus = forms.CharField(
        label=_("less the series"), max_length=60, required=False, widget=forms.TextInput(attrs={"list": "series-codes"}),
        help_text=_("The difference of two gauges: the head across a gate."),
    )  # fmt: skip
    outlook = _span(_("outlook"), _("How far a trend is carried on."))
    damping = _span(_("damping"), _("Lets the trend fade; empty: a straight line."))
    danger = forms.ChoiceField(
        label=_("danger lies"), required=False,
        choices=[("above", _("above the threshold")), ("below", _("below the threshold"))],
    )  # fmt: skip
    blue = forms.FloatField(label=Colour.BLUE.label, required=False)
    yellow = forms.FloatField(label=Colour.YELLOW.label, required=False)
    orange = forms.FloatField(label=Colour.ORANGE.label, required=False)
    red = forms.FloatField(label=Colour.RED.label, required=False)
    hysteresis = forms.FloatField(
        label=_("hysteresis"),
        required=False,
        min_value=0,
        help_text=_("A colour is left when the value is back by more."),
    )
    silence = _span(_("silent after"))
    silence_colour = forms.ChoiceField(label=_("colour of silence"), required=False, choices=Colour.choices)

    hold = _span(_("minimum duration"), _("The threshold must be met for so long."))
    clear = _span(_("clear delay"), _("It must be back for so long before the alarm ends."))
    lower = _span(_("de-escalation delay"), _("The same, before a higher colour is lowered."))
    latch = forms.BooleanField(label=_("held until reset by hand"), required=False)
    months = forms.CharField(
        label=_("months"), max_length=40, required=False, help_text=_("6-9; empty: the whole year")
    )
    hours = forms.CharField(label=_("hours"), max_length=40, required=False, help_text=_("22-6; empty: day and night"))
    inhibited_by = forms.CharField(
        label=_("held back by"), max_length=80, required=False, widget=forms.TextInput(attrs={"list": "rule-codes"}),
        help_text=_("While that rule stands, this one opens no alarm."),
    )  # fmt: skip
    inhibited_at = forms.ChoiceField(label=_("held back from colour"), required=False, choices=Colour.choices)

    span = _span(_("within"), _("Conditions count for so long after they ended; empty: all at once."))
    join = forms.ChoiceField(
        label=_("the alarm's colour"), required=False,
        choices=[("all", _("that which all conditions have reached")), ("any", _("that which one condition has reached")),
                 *((str(n), _("that which %(n)s conditions have reached") % {"n": n}) for n in range(2, CONDITIONS))],
    )  # fmt: skip

    group = forms.CharField(
        label=_("group"), max_length=40, required=False, help_text=_("Alarms of one group belong together.")
    )
    source = forms.CharField(label=_("source of the thresholds"), max_length=500, required=False)
    confidence = forms.CharField(label=_("confidence"), max_length=60, required=False)
    draft = forms.BooleanField(label=_("draft: opens no alarm until it is made live"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for n in range(1, CONDITIONS + 1):
            self.fields[f"c{n}_rule"] = forms.CharField(
                label=_("rule"), max_length=80, required=False, widget=forms.TextInput(attrs={"list": "rule-codes"})
            )
            self.fields[f"c{n}_quantity"] = forms.ChoiceField(
                label=_("or quantity"), required=False, choices=lambda: [("", "—"), *quantity_choices()]
            )
            self.fields[f"c{n}_kind"] = forms.ChoiceField(
                label=_("at stations"), required=False, choices=[("", _("of any kind")), *StationKind.choices]
            )
            self.fields[f"c{n}_k"] = forms.IntegerField(
                label=_("at least"), required=False, min_value=1, max_value=1000
            )
            self.fields[f"c{n}_within"] = forms.CharField(
                label=pgettext_lazy("distance", "within"), max_length=12, required=False,
                widget=forms.TextInput(attrs={"list": "reaches", "placeholder": "district"}),
            )  # fmt: skip
            self.fields[f"c{n}_at"] = forms.ChoiceField(label=_("from colour"), required=False, choices=_COLOURS)
            self.fields[f"c{n}_not"] = forms.BooleanField(label=_("must not hold"), required=False)

    @property
    def conditions(self) -> list[list[Any]]:
        """The fields of the conditions, row by row."""
        parts = ("rule", "quantity", "kind", "k", "within", "at", "not")
        return [[self[f"c{n}_{part}"] for part in parts] for n in range(1, CONDITIONS + 1)]

    def part(self, *names: str) -> list[Any]:
        """Some of the fields."""
        return [self[name] for name in names]

    def clean(self) -> dict[str, Any]:
        """Read the form's table as the text would be read; errors go to the field they are about."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            self.rule = rule_text.from_table(self._table(cleaned))
        except RuleTextError as error:
            self.blame(error)
        return cleaned

    def blame(self, error: RuleTextError) -> None:
        """Show an error at the field it is about."""
        key = error.key.split(".")[0]
        text = (
            f"{error.value!r}: {error.rule}. {error.remedy}" if error.value != "" else f"{error.rule}. {error.remedy}"
        )
        self.add_error(key if key in self.fields else None, text if key in self.fields else str(error))

    def _table(self, given: Mapping[str, Any]) -> dict[str, Any]:
        keys = ["code", "series", "name", "name_en", "hold", "clear", "lower", "latch", "months", "hours", "group", "source",
                "confidence", "draft"]  # fmt: skip
        if given["about"] == "silence":
            keys += ["silence", "silence_colour"]
            keys = [key for key in keys if key not in ("hold", "clear", "lower", "latch")]
        elif given["about"] == "readings":
            keys += ["compare", "window", "minus", "outlook", "damping", "danger", *Colour.values, "hysteresis"]
        if given["about"] != "rules" and given["inhibited_by"]:
            keys += ["inhibited_by", "inhibited_at"]
        table = {key: given[key] for key in keys if given.get(key) not in ("", None, False)}
        if given["about"] == "silence" and "silence" not in table:
            raise RuleTextError("silence", "", "is missing", 'Write for example "1 h"')
        if given["about"] == "rules":
            table["when"] = self._when(given)
        return table

    def _when(self, given: Mapping[str, Any]) -> dict[str, Any]:
        nodes: list[dict[str, Any]] = []
        for n in range(1, CONDITIONS + 1):
            cell = {part: given[f"c{n}_{part}"] for part in ("rule", "quantity", "kind", "k", "within", "at", "not")}
            if cell["rule"]:
                node = {"rule": cell["rule"]}
            elif cell["quantity"]:
                node = {key: cell[key] for key in ("quantity", "kind", "k", "within") if cell[key]}
            else:
                continue
            if cell["at"]:
                node["at"] = cell["at"]
            nodes.append({"not": node} if cell["not"] else node)
        if not nodes:
            raise RuleTextError("c1_rule", "", "is missing", "Name at least one condition")
        join = given["join"] or "all"
        when: dict[str, Any] = {join: nodes} if join in ("all", "any") else {"k": int(join), "of": nodes}
        return {**when, **({"span": given["span"]} if given["span"] else {})}


def fits_form(rule: Rule) -> bool:
    """Whether the form can show the rule whole; what it cannot is edited as text."""
    if rule.tests:
        return False
    return rule.condition is None or _flat(rule.condition) is not None


def _flat(condition: Mapping[str, Any]) -> tuple[str, list[Mapping[str, Any]]] | None:
    node = condition.get("node")
    if node is None:
        return None
    join = next((word for word in ("all", "any") if word in node), str(node.get("k", "")))
    nodes = node.get("all") or node.get("any") or node.get("of") or []
    leaves = [each.get("not", each) for each in nodes]
    if not 0 < len(nodes) <= CONDITIONS or not all(
        "rule" in each or ("quantity" in each and "place" not in each) for each in leaves
    ):
        return None
    return (join, nodes) if join in ("all", "any") or 2 <= int(join or 0) < CONDITIONS else None


def initial(rule: Rule) -> dict[str, Any]:
    """The form's values of a rule."""
    fields = as_fields(rule)
    found: dict[str, Any] = {
        key: fields[field] for key, (field, _read, default) in rule_text._FIELDS.items() if fields[field] != default
    }
    for key in ("window", "outlook", "damping", "hold", "clear", "lower", "silence"):
        if key in found:
            found[key] = rule_text.duration(found[key])
    found["danger"] = "below" if rule.direction == "falling" else "above"
    found["about"] = "rules" if rule.is_compound else "silence" if rule.silence_s else "readings"
    if rule.condition is not None and (flat := _flat(rule.condition)) is not None:
        found["join"], nodes = flat
        found["span"] = rule_text.duration(rule.condition["span_s"]) if rule.condition.get("span_s") else ""
        for n, node in enumerate(nodes, start=1):
            found |= {f"c{n}_{part}": value for part, value in node.get("not", node).items()}
            found[f"c{n}_not"] = "not" in node
    return found


def as_fields(rule: Rule) -> dict[str, Any]:
    """A rule as `rule_text` writes it."""
    found = {field: getattr(rule, field) for field, _read, _default in rule_text._FIELDS.values()}
    found["series"] = rule.series.code
    found["minus"] = rule.minus.code if rule.minus else ""
    found["inhibited_by"] = rule.inhibited_by.code if rule.inhibited_by else ""
    return {**found, "condition": rule.condition, "tests": rule.tests}


def as_text(rule: Rule) -> str:
    """A rule as TOML."""
    return rule_text.dump([as_fields(rule)])


class TextForm(forms.Form):
    """A rule as text."""

    text = forms.CharField(
        label=_("Rule as text (TOML)"), max_length=50_000, strip=False,
        widget=forms.Textarea(attrs={"rows": 24, "class": "font-monospace", "spellcheck": "false"}),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Exactly one rule."""
        cleaned: dict[str, Any] = super().clean() or {}
        if "text" in cleaned:
            try:
                rules = rule_text.parse(cleaned["text"])
                if len(rules) != 1:
                    self.add_error("text", _now("Write one rule; this text has %(n)s.") % {"n": len(rules)})
                else:
                    self.rule = rules[0]
            except RuleTextError as error:
                self.blame(error)
        return cleaned

    def blame(self, error: RuleTextError) -> None:
        """Show an error."""
        self.add_error("text", str(error))


class BacktestForm(forms.Form):
    """On what the rule is tried, and against what its alarms are held."""

    MOST = timedelta(days=400)

    start = forms.DateField(label=_("from"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    end = forms.DateField(label=_("to"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    at = forms.ChoiceField(label=_("alarms from colour"), choices=Colour.choices, required=False)
    against = forms.CharField(
        label=_("events: alarms of the rule"), max_length=80, required=False,
        widget=forms.TextInput(attrs={"list": "rule-codes"}),
    )  # fmt: skip
    events = forms.CharField(
        label=_("or events, one a line"), max_length=20_000, required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "2024-09-16 07:30, 2024-09-16 12:00"}),
        help_text=_("From and to, local time, with a comma between."),
    )  # fmt: skip
    reach = forms.FloatField(
        label=_("warned at most (h) ahead"), required=False, min_value=0, max_value=240,
        help_text=_("An alarm that ended longer before its event does not count; empty: 6 hours."),
    )  # fmt: skip

    def clean_events(self) -> list[tuple[datetime, datetime]]:
        """The events as pairs of times."""
        found = []
        lines = [line.strip() for line in self.cleaned_data["events"].splitlines() if line.strip()]
        if len(lines) > MOST_EVENTS:
            raise forms.ValidationError(_("At most %(n)s events.") % {"n": MOST_EVENTS})
        for number, line in enumerate(lines, start=1):
            begin, comma, end = line.replace("，", ",").partition(",")
            pair = [_moment(begin), _moment(end) if comma else _moment(begin)]
            if None in pair or pair[0] > pair[1]:  # type: ignore[operator]
                raise forms.ValidationError(
                    _("Line %(n)s (%(line)s) is no event; write 2024-09-16 07:30, 2024-09-16 12:00")
                    % {"n": number, "line": line[:60]}
                )
            found.append((pair[0], pair[1]))
        return found  # type: ignore[return-value]

    def clean(self) -> dict[str, Any]:
        """The span must be one, and bounded."""
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("start"), cleaned.get("end")
        if start and end and not timedelta(0) <= end - start <= self.MOST:
            self.add_error("end", _now("The end lies at most %(n)s days after the beginning.") % {"n": self.MOST.days})
        return cleaned


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text.strip())
    except ValueError:
        return None
    return timezone.make_aware(found) if found is not None and timezone.is_naive(found) else found


def windowed(rule: Rule) -> bool:
    """Whether what it compares has a window."""
    return rule.aggregate != Aggregate.LAST


def errors_of(error: Any) -> Iterable[str]:
    """The texts of a validation error."""
    return error.messages if hasattr(error, "messages") else [str(error)]
