"""What stewards of the data fill in: limits of the tests, corrections."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from haitang.monitoring.models import Correction, QualityLimits
from haitang.monitoring.models.quality import NUMBERS
from haitang.monitoring.quality import Limits
from haitang.monitoring.quantities import figure

LOCAL = "%Y-%m-%dT%H:%M"


class MonthsField(forms.JSONField):
    """Twelve pairs; nothing is shown as nothing."""

    def prepare_value(self, value: Any) -> Any:
        """As text."""
        return super().prepare_value(value) if value else ""


class LimitsForm(forms.ModelForm):  # type: ignore[type-arg]
    """Limits of the tests; an empty field takes what is shown in grey."""

    climatology = MonthsField(
        label=_("lowest and highest by month"), required=False, help_text=_("Twelve pairs [lowest, highest], January first; or empty."),
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "[[1.0, 4.2], ...]"}),
    )  # fmt: skip

    class Meta:
        model = QualityLimits
        fields = (*NUMBERS, "climatology", "near_km", "off", "mutes", "source")

    def __init__(self, *args: Any, base: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in NUMBERS:
            value = getattr(base, name)
            self.fields[name].widget.attrs["placeholder"] = "—" if value is None else figure(value, 4)

    def clean_climatology(self) -> Any:
        """Nothing is an empty list."""
        return self.cleaned_data.get("climatology") or []


class CorrectionForm(forms.ModelForm):  # type: ignore[type-arg]
    """A stretch of readings and what to do with it."""

    class Meta:
        model = Correction
        fields = ("start", "end", "kind", "value", "reason")
        widgets = {
            name: forms.DateTimeInput(attrs={"type": "datetime-local"}, format=LOCAL) for name in ("start", "end")
        }
