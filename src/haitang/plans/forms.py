"""What people fill in about plans."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from haitang.plans import conditions, services
from haitang.plans.models import Start


class LevelForm(forms.Form):
    """When a level is met, how it starts, how long it is expected to last."""

    condition = forms.CharField(
        label=_("Condition"), max_length=conditions.LONGEST, required=False, strip=True,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("For example: typhoon >= orange or rainstorm = red in 3 townships. Empty: started by decision only."),
    )  # fmt: skip
    start = forms.ChoiceField(label=_("When the condition is met"), choices=Start.choices, widget=forms.RadioSelect)
    term_hours = forms.FloatField(label=_("Expected term (hours)"), min_value=0.5, max_value=2400, required=False)

    def clean_condition(self) -> str:
        """A condition that can be read."""
        text: str = self.cleaned_data["condition"]
        if text:
            try:
                conditions.parse(text)
            except conditions.ConditionError as error:
                raise ValidationError(services.say(error)) from error
        return text


class DatesForm(forms.Form):
    """When a plan was approved and filed, and when it is to be reviewed."""

    approved_on = forms.DateField(
        label=_("Approved on"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    filed_on = forms.DateField(
        label=_("Filed on"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Within 20 working days of approval, with the government above."),
    )  # fmt: skip
    review_on = forms.DateField(
        label=_("Review by"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def clean(self) -> dict[str, Any]:
        """Filed after it was approved."""
        told = super().clean() or {}
        if told.get("approved_on") and told.get("filed_on") and told["filed_on"] < told["approved_on"]:
            self.add_error("filed_on", _("A plan is filed after it is approved: correct one of the dates"))
        return told
