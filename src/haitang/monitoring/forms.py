"""What people fill in about alarms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.models import Organisation


class RemarkForm(forms.Form):
    """A remark on an alarm."""

    text = forms.CharField(
        label=pgettext_lazy("alarm", "Remark"), max_length=1000, widget=forms.Textarea(attrs={"rows": 2})
    )


class AssignForm(forms.Form):
    """Who shall answer for an alarm."""

    organisation = forms.ModelChoiceField(label=_("Organisation"), queryset=Organisation.objects.none())

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["organisation"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Organisation.objects.visible_to(user)


class BackfillForm(forms.Form):
    """A file of readings."""

    file = forms.FileField(
        label=_("CSV file"), help_text=_("UTF-8 with the columns series, time, value and perhaps unit; at most 4 MB.")
    )
