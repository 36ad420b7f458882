"""What people fill in about alarms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.models import Organisation, User
from haitang.monitoring.models import StationKind


class RemarkForm(forms.Form):
    """A remark on an alarm."""

    text = forms.CharField(
        label=pgettext_lazy("alarm", "Remark"), max_length=1000, widget=forms.Textarea(attrs={"rows": 2})
    )


class AssignForm(forms.Form):
    """Who shall answer for an alarm, and what shall be done by when."""

    organisation = forms.ModelChoiceField(label=_("Organisation"), queryset=Organisation.objects.none())
    person = forms.ModelChoiceField(label=_("Person"), queryset=User.objects.none(), required=False)
    task = forms.CharField(
        label=_("What must be done"), max_length=120, required=False, help_text=_("Becomes a task with a due time; empty: only who answers for it.")
    )  # fmt: skip
    minutes = forms.IntegerField(label=_("Within (minutes)"), required=False, min_value=5, max_value=7 * 24 * 60)

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, rows in (
            ("organisation", Organisation.objects.visible_to(user)),
            ("person", User.objects.visible_to(user).filter(is_active=True).select_related("organisation").order_by("organisation__path", "username")),
        ):  # fmt: skip
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = rows


class ShelveForm(forms.Form):
    """For how long an alarm leaves the desk, and why."""

    HOURS = (("1", _("1 hour")), ("2", _("2 hours")), ("4", _("4 hours")), ("8", _("8 hours")), ("24", _("24 hours")))

    hours = forms.ChoiceField(label=_("For"), choices=HOURS, initial="2")
    reason = forms.CharField(label=_("Reason"), max_length=200)


class ReportForm(forms.Form):
    """What was reported about an event."""

    source = forms.CharField(
        label=_("From whom"), max_length=40, required=False, help_text=_("Grid worker, 12345, telephone ...")
    )
    text = forms.CharField(label=_("What was seen"), max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))


class SettleForm(forms.Form):
    """What became of an expectation."""

    note = forms.CharField(max_length=200, required=False)


class SitesForm(forms.Form):
    """For which kind the blind spots are looked at, how far a station sees, and how many more there could be."""

    kind = forms.ChoiceField(label=_("Kind of station"), choices=StationKind.choices)
    km = forms.FloatField(label=_("A station watches (km)"), min_value=0.1, max_value=100, required=False)
    k = forms.IntegerField(label=_("Further stations"), min_value=0, max_value=20, required=False)


class BackfillForm(forms.Form):
    """A file of readings."""

    file = forms.FileField(
        label=_("CSV file"), help_text=_("UTF-8 with the columns series, time, value and perhaps unit; at most 4 MB.")
    )
