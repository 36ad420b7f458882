"""What a composer fills in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from haitang.accounts.models import User
from haitang.alerting.composing import Texts
from haitang.alerting.models import Audience, ColourChoice, EventKind, State, Subscription
from haitang.geo.forms import GeometryFormField
from haitang.geo.models import Level, Place

_DATETIME = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class ComposeForm(forms.Form):
    """A warning: what, how grave, where, until when, for whom, in which words."""

    kind = forms.ModelChoiceField(EventKind.objects.none(), label=_("Kind of event"))
    colour = forms.ChoiceField(label=_("Colour"), choices=ColourChoice, widget=forms.RadioSelect)
    places = forms.ModelMultipleChoiceField(
        Place.objects.none(), label=_("Townships"), required=False, to_field_name="code",
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    geometry = GeometryFormField(label=_("Drawn area"), required=False, kinds=("Polygon", "MultiPolygon"))
    onset = forms.DateTimeField(label=_("Begins"), required=False, widget=_DATETIME)
    expires = forms.DateTimeField(
        label=_("Valid until"),
        required=False,
        widget=_DATETIME,
        help_text=_("Left empty: as long as the template says"),
    )
    audiences = forms.MultipleChoiceField(
        label=_("Send to"), choices=Audience, widget=forms.CheckboxSelectMultiple, required=False
    )
    headline_zh = forms.CharField(label=_("Headline (Chinese)"), max_length=200, required=False)
    description_zh = forms.CharField(
        label=_("Description (Chinese)"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    instruction_zh = forms.CharField(
        label=_("What to do (Chinese)"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    headline_en = forms.CharField(label=_("Headline (English)"), max_length=300, required=False)
    description_en = forms.CharField(
        label=_("Description (English)"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    instruction_en = forms.CharField(
        label=_("What to do (English)"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    TEXTS = tuple(Texts.__dataclass_fields__)

    def __init__(self, data: Mapping[str, Any] | None = None, *, user: User, is_exercise: bool, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["kind"].queryset = EventKind.objects.filter(is_active=True)  # type: ignore[attr-defined]
        places = Place.objects.filter(level__in=(Level.TOWNSHIP, Level.DISTRICT))
        reach = user.organisation.place if user.organisation else None
        if reach is not None:
            places = places.filter(path__startswith=reach.path)
        self.fields["places"].queryset = places.order_by("path")  # type: ignore[attr-defined]
        if is_exercise:
            internal = [(a.value, a.label) for a in (Audience.RESPONSIBLE, Audience.DEPARTMENTS)]
            self.fields["audiences"].choices = internal  # type: ignore[attr-defined]
            self.fields["audiences"].help_text = _("An exercise does not go to the public.")

    @property
    def area_fields(self) -> list[forms.BoundField]:
        """Where."""
        return [self["places"], self["geometry"]]

    @property
    def text_fields(self) -> list[forms.BoundField]:
        """The words."""
        return [self[name] for name in self.TEXTS]

    def clean(self) -> dict[str, Any]:
        """An area is chosen or drawn; it ends after it begins."""
        cleaned = super().clean() or {}
        if not cleaned.get("places") and cleaned.get("geometry") is None and "geometry" not in self.errors:
            raise ValidationError(_("A warning needs an area: tick townships, or draw one on the map."))
        onset, expires = cleaned.get("onset"), cleaned.get("expires")
        if onset and expires and expires <= onset:
            self.add_error("expires", _("It would end before it begins: choose a later time."))
        return cleaned

    def texts(self) -> Texts:
        """The six texts as typed."""
        return Texts(**{name: self.cleaned_data.get(name, "") for name in self.TEXTS})


class FilterForm(forms.Form):
    """What the list shows."""

    q = forms.CharField(label=_("Search"), required=False, widget=forms.TextInput(attrs={"data-search": ""}))
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("All states")), *State.choices])
    colour = forms.ChoiceField(
        label=_("Colour"), required=False, choices=[("", _("All colours")), *ColourChoice.choices]
    )


class SubscribeForm(forms.ModelForm[Subscription]):
    """A resident asks to be told."""

    class Meta:
        model = Subscription
        fields = ("place", "phone", "language")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["place"].queryset = Place.objects.filter(level=Level.TOWNSHIP).order_by("path")  # type: ignore[attr-defined]
        self.fields["phone"].required = True
