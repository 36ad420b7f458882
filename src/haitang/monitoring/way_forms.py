"""What people fill in about ways in: connectors, access tokens of sensors, files of history."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from haitang.accounts.models import Organisation
from haitang.monitoring.models import Connector


class ConnectorForm(forms.ModelForm[Connector]):
    """One connector. The secret is never shown again; left empty it stays."""

    class Meta:
        model = Connector
        fields = (
            "code", "name_zh", "name_en", "kind", "url", "interval_s", "rows_path", "time_path", "utc_offset", "mapping",
            "prefix", "header", "secret", "operator", "is_active",
        )  # fmt: skip
        widgets = {
            "mapping": forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "class": "font-monospace"}),
            "secret": forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        }
        help_texts = {
            "url": _("JSON: the whole address. SensorThings: the root, https://host/v1.1"),
            "rows_path": _("Where the list of rows stands, data.stations for example; empty: the document itself."),
            "time_path": _("Inside a row; /path at the beginning: one time of the document for all rows."),
            "mapping": _(
                "One line for each value: path = series code [unit]. Fields of the row in braces: level = CQ-{id}.level cm. "
                "SensorThings: number of the Datastream = series code."
            ),
            "secret": _("For example: Bearer abc. Left empty, the present one stays."),
        }

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kept = self.instance.secret if self.instance.pk else ""
        field = self.fields["operator"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Organisation.objects.visible_to(user)

    def clean_secret(self) -> str:
        """Nothing new: the present one."""
        return self.cleaned_data["secret"] or self._kept


class TokenForm(forms.Form):
    """An access token for a sensor or a gateway."""

    name = forms.CharField(label=_("Name of the sensor or gateway"), max_length=60)
    only = forms.CharField(
        label=_("Only series whose codes begin with"), max_length=60, required=False, help_text=_("Empty: all series.")
    )


class BackfillForm(forms.Form):
    """A file of readings."""

    file = forms.FileField(
        label=_("CSV or XLSX file"),
        help_text=_("With the columns series, time, value and perhaps unit; at most 500 MB. Long files are taken in by the background work."),
    )  # fmt: skip
