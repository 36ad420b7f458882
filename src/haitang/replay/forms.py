"""What somebody chooses before a replay starts: which part to take, and how fast time runs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.replay.cast.parts import EVERYBODY, Part
from haitang.replay.services import MOST_SPEED
from haitang.replay.what_if import LIMITS, Change


class How(models.TextChoices):
    """Who plays whom."""

    WATCH = "watch", _("Watch: the script plays everybody")
    COMMAND = "command", _("I decide: the commander's decisions are mine")
    DUTY = "duty", _("I keep the duty room: alarms, warnings and reports are mine")
    DISTRICT = "district", _("I do both: only townships and departments are played")
    TOWNSHIP = "township", _("I am one township: everybody else is played")
    NOBODY = "nobody", _("Nobody is played: readings and alarms only")


PLAYED: dict[str, frozenset[Part]] = {
    How.WATCH: EVERYBODY,
    How.COMMAND: EVERYBODY - {Part.COMMAND},
    How.DUTY: EVERYBODY - {Part.DUTY},
    How.DISTRICT: frozenset({Part.TOWNSHIPS, Part.DEPARTMENTS}),
    How.TOWNSHIP: EVERYBODY,
    How.NOBODY: frozenset(),
}


class WhatIfForm(forms.Form):
    """How the storm comes otherwise. Sent by GET: an answer has an address that can be passed on."""

    scenario = forms.ChoiceField(label=_("Storm"))
    east_km = forms.FloatField(label=_("Moved east (km; west below 0)"), required=False)
    north_km = forms.FloatField(label=_("Moved north (km; south below 0)"), required=False)
    later_h = forms.FloatField(label=_("Later (h; earlier below 0)"), required=False)
    deeper_hpa = forms.FloatField(label=_("Centre deeper (hPa)"), required=False)
    sea_m = forms.FloatField(label=_("Sea level higher (m)"), required=False)
    gauge = forms.ChoiceField(label=_("Tide gauge"), required=False)
    high_water = forms.BooleanField(
        label=_("Delay it onto the highest water at this gauge"), required=False,
        help_text=_("Half a day either way; replaces the delay above."),
    )  # fmt: skip

    def __init__(self, data: Any, *, storms: list[tuple[str, str]], gauges: list[tuple[str, str]]) -> None:
        super().__init__(data)
        self.fields["scenario"].choices = storms  # type: ignore[attr-defined]
        self.fields["gauge"].choices = gauges  # type: ignore[attr-defined]
        for name, (low, high) in LIMITS.items():
            field = self.fields[name]
            assert isinstance(field, forms.FloatField)
            field.min_value, field.max_value = low, high
            field.validators += [MinValueValidator(low), MaxValueValidator(high)]
            field.widget.attrs.update({"min": low, "max": high, "step": "any", "placeholder": "0"})

    def change(self) -> Change:
        """What is asked for."""
        return Change(**{name: self.cleaned_data.get(name) or 0.0 for name in LIMITS})


class StartForm(forms.Form):
    """Start one scenario."""

    scenario = forms.CharField(widget=forms.HiddenInput)
    how = forms.ChoiceField(label=_("Who plays whom"), choices=How, initial=How.COMMAND)
    township = forms.ModelChoiceField(
        label=_("Township that I play"), queryset=Organisation.objects.none(), required=False,
        help_text=_("Its warnings and tasks wait for you; sign in as its officer, or answer for it."),
    )  # fmt: skip
    speed = forms.FloatField(
        label=_("Times faster than life"), min_value=0.1, max_value=MOST_SPEED, initial=60,
        help_text=_("60: an hour passes in a minute. It can be changed while it runs, and paused."),
    )  # fmt: skip

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bodies = Organisation.objects.visible_to(user).filter(kind=OrganisationKind.TOWNSHIP)
        self.fields["township"].queryset = bodies.order_by("path")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """One township is played by somebody, so it must be named."""
        found: dict[str, Any] = super().clean() or {}
        if found.get("how") == How.TOWNSHIP and not found.get("township"):
            self.add_error("township", _("Choose the township that you play."))
        return found

    def options(self) -> dict[str, Any]:
        """What `services.start` takes."""
        how, township = self.cleaned_data["how"], self.cleaned_data.get("township")
        return {
            "speed": self.cleaned_data["speed"],
            "parts": PLAYED[how],
            "spared": [township] if how == How.TOWNSHIP and township else [],
        }
