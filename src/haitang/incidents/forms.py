"""What people fill in about incidents."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.geo.models import Level, Place
from haitang.geo.names import localised
from haitang.incidents import figure_kinds
from haitang.incidents.models import Category, Incident, Order
from haitang.incidents.services import Statement
from haitang.incidents.services.reports import MOST_CHARS
from haitang.plans.models import Plan, ResponseLevel

TIME = {"type": "datetime-local"}
FORMATS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")


def local_input(at: datetime) -> str:
    """A time as a datetime-local input wants it."""
    return f"{timezone.localtime(at):%Y-%m-%dT%H:%M}"


class StatementForm(forms.Form):
    """What a start or change of level must state (突发事件应对法 art. 72)."""

    matter_zh = forms.CharField(label=_("Matter"), max_length=300, widget=forms.Textarea(attrs={"rows": 2}))
    matter_en = forms.CharField(label=_("Matter (English)"), max_length=400, required=False)
    measures_zh = forms.CharField(label=_("Measures"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))
    measures_en = forms.CharField(
        label=_("Measures (English)"), max_length=3000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    term_hours = forms.FloatField(label=_("Expected term (hours)"), min_value=0.5, max_value=2400)

    def statement(self) -> Statement:
        """The statement as the services take it."""
        told = self.cleaned_data
        return Statement(**{name: told.get(name) or ("" if name != "term_hours" else None) for name in
                            ("matter_zh", "matter_en", "measures_zh", "measures_en", "term_hours")})  # fmt: skip


class DecideForm(StatementForm):
    """Accepting a proposed response; the statement comes filled in."""

    reason = forms.CharField(label=_("Remark"), max_length=300, required=False)


class DeclineForm(forms.Form):
    """Not following a proposed response."""

    reason = forms.CharField(label=_("Reason"), max_length=300, widget=forms.Textarea(attrs={"rows": 2}))


class StartForm(StatementForm):
    """Starting a response by decision, with or without a plan."""

    plan = forms.ModelChoiceField(
        label=_("Plan"), queryset=Plan.objects.none(), required=False, empty_label=_("No plan: decide by hand")
    )
    place = forms.ModelChoiceField(
        label=_("Place"), queryset=Place.objects.none(), required=False, help_text=_("Only without a plan.")
    )
    level = forms.TypedChoiceField(label=pgettext_lazy("response", "Level"), choices=ResponseLevel.choices, coerce=int)
    category = forms.ChoiceField(label=_("Kind of event"), choices=Category.choices)
    name_zh = forms.CharField(
        label=_("Name of the incident"),
        max_length=120,
        required=False,
        help_text=_("Empty: named after place and hazard."),
    )
    name_en = forms.CharField(label=_("Name (English)"), max_length=160, required=False)
    field_order = ("plan", "place", "level", "category", "name_zh", "name_en")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        path = user.organisation.place.path if user.organisation and user.organisation.place else "\0"
        plans = Plan.objects.visible_to(user).filter(is_active=True, levels__isnull=False, place__path__startswith=path)
        self.fields["plan"].queryset = plans.distinct()  # type: ignore[attr-defined]
        self.fields["place"].queryset = Place.objects.filter(  # type: ignore[attr-defined]
            path__startswith=path, level__in=(Level.DISTRICT, Level.TOWNSHIP)
        )
        for name in ("matter_zh", "measures_zh", "term_hours"):
            self.fields[name].help_text = _("Empty: as the plan says.") if name != "matter_zh" else ""
        self.fields["measures_zh"].required = self.fields["term_hours"].required = False

    def clean(self) -> dict[str, Any]:
        """A plan or a place."""
        told = super().clean() or {}
        if not told.get("plan") and not told.get("place"):
            self.add_error("place", _("Choose a plan or a place"))
        return told


class LevelForm(StatementForm):
    """Raising or lowering a response."""

    level = forms.TypedChoiceField(
        label=_("New level"), choices=ResponseLevel.choices, coerce=int, widget=forms.RadioSelect
    )
    reason_zh = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}))
    field_order = ("level", "reason_zh")

    def __init__(self, *args: Any, incident: Incident, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        levels = (
            set(incident.plan.levels.values_list("level", flat=True)) if incident.plan else set(ResponseLevel.values)
        )
        self.fields["level"].choices = [  # type: ignore[attr-defined]
            choice for choice in ResponseLevel.choices if choice[0] in levels and choice[0] != incident.level
        ]
        for name in ("measures_zh", "term_hours"):
            self.fields[name].required = False
            self.fields[name].help_text = _("Empty: as the plan says.")


class EndForm(forms.Form):
    """Ending a response."""

    reason_zh = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


class NoteForm(forms.Form):
    """A line for the log."""

    text = forms.CharField(label=_("Note"), max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))


class OrderForm(forms.Form):
    """A leader's instruction."""

    text = forms.CharField(label=_("Instruction"), max_length=1000, widget=forms.Textarea(attrs={"rows": 3}))
    leader = forms.CharField(label=_("Given by"), max_length=80)
    organisations = forms.ModelMultipleChoiceField(
        label=_("To be carried out by"), queryset=Organisation.objects.none(), widget=forms.CheckboxSelectMultiple
    )
    minutes = forms.IntegerField(
        label=_("Limit (minutes)"), min_value=1, max_value=60 * 24 * 30, required=False, initial=120
    )

    def __init__(self, *args: Any, incident: Incident, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = (OrganisationKind.DEPARTMENT, OrganisationKind.TOWNSHIP)
        rows = Organisation.objects.filter(kind__in=kinds, place__path__startswith=incident.place.path)
        self.fields["organisations"].queryset = rows.order_by("kind", "path")  # type: ignore[attr-defined]

    def due(self, at: datetime) -> datetime | None:
        """When the order is due."""
        minutes = self.cleaned_data.get("minutes")
        return at + timedelta(minutes=minutes) if minutes else None


class WithdrawForm(forms.Form):
    """Taking an order back."""

    order = forms.ModelChoiceField(queryset=Order.objects.none())
    reason = forms.CharField(label=_("Reason"), max_length=300)


class FigureForm(forms.Form):
    """A number from the field."""

    kind = forms.ChoiceField(label=_("What is counted"))
    place = forms.ModelChoiceField(label=_("Place"), queryset=Place.objects.none(), empty_label=None)
    value = forms.FloatField(
        label=_("Number"), min_value=0, widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "any"})
    )
    at = forms.DateTimeField(
        label=_("As of"), required=False, widget=forms.DateTimeInput(attrs=TIME), input_formats=FORMATS
    )
    source = forms.CharField(label=_("Source"), max_length=200, required=False)
    note = forms.CharField(label=_("Note"), max_length=300, required=False)
    explanation = forms.CharField(
        label=_("Explanation of the jump"), max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Only asked for when the number changes by a large step."),
    )  # fmt: skip

    def __init__(self, *args: Any, incident: Incident, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [  # type: ignore[attr-defined]
            (kind.code, f"{localised(kind.name_zh, kind.name_en)} ({localised(kind.unit_zh, kind.unit_en)})")
            for kind in figure_kinds.kinds().values()
        ]
        own = user.organisation.place if user.organisation else None
        top = own if own is not None and incident.place.contains(own) else incident.place
        levels = [Level.DISTRICT, Level.TOWNSHIP] if top.level == Level.DISTRICT else [Level.TOWNSHIP, Level.VILLAGE]
        reach = own.path if own is not None else "\0"
        self.fields["place"].queryset = top.subtree().filter(level__in=levels, path__startswith=reach).order_by("path")  # type: ignore[attr-defined]
        self.initial.setdefault("place", top.pk)


class ReportForm(forms.Form):
    """A report's text."""

    text = forms.CharField(
        label=_("Text"), max_length=MOST_CHARS, widget=forms.Textarea(attrs={"rows": 20}), strip=False,
        help_text=_("Drafted from the record; read it and mend it before it goes out."),
    )  # fmt: skip


class EvaluationForm(forms.Form):
    """What was learnt."""

    summary = forms.CharField(label=_("Summary"), max_length=10_000, widget=forms.Textarea(attrs={"rows": 5}))
    lessons = forms.CharField(
        label=_("What is to be done better"),
        max_length=10_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
