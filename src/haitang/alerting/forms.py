"""What a composer, an approver, a reader of lists and a resident fill in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from haitang.accounts.models import User
from haitang.accounts.verbs import Refused
from haitang.alerting import subscriptions
from haitang.alerting.cap_xml import MAX_BYTES
from haitang.alerting.composing import Texts
from haitang.alerting.models import (
    Audience,
    ColourChoice,
    EventKind,
    FeedSource,
    SignatureVerdict,
    State,
    Subscription,
    WarningTemplate,
)
from haitang.geo.forms import GeometryFormField
from haitang.geo.models import Level, Place

# Before the code of a place: the field of its own colour.
OWN = "own_"
TEXTS = tuple(Texts.__dataclass_fields__)


def _one_of(form: forms.BaseForm, name: str) -> Any:
    """A field of a form with its `queryset` or `choices`, which Django's types do not promise."""
    return form.fields[name]


class _Moment(forms.DateTimeInput):
    """A time to the minute."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


def _text(label: Any, rows: int) -> forms.CharField:
    return forms.CharField(label=label, required=False, widget=forms.Textarea(attrs={"rows": rows}))


class ComposeForm(forms.Form):
    """A warning: what, how grave, where, until when, for whom, in which words."""

    kind = forms.ModelChoiceField(EventKind.objects.none(), label=_("Kind of event"), empty_label=None)
    colour = forms.ChoiceField(label=_("Colour"), choices=ColourChoice, widget=forms.RadioSelect)
    places = forms.ModelMultipleChoiceField(
        Place.objects.none(), label=_("Townships"), required=False, to_field_name="code",
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    geometry = GeometryFormField(label=_("Drawn area"), required=False, kinds=("Polygon", "MultiPolygon"))
    onset = forms.DateTimeField(label=_("Begins"), required=False, widget=_Moment(), help_text=_("Left empty: now"))
    expires = forms.DateTimeField(
        label=_("Valid until"),
        required=False,
        widget=_Moment(),
        help_text=_("Left empty: as long as the template says"),
    )
    audiences = forms.MultipleChoiceField(
        label=_("Send to"), choices=Audience, widget=forms.CheckboxSelectMultiple, required=False
    )
    headline_zh = forms.CharField(label=_("Headline (Chinese)"), max_length=200, required=False)
    description_zh = _text(_("Description (Chinese)"), 3)
    instruction_zh = _text(_("What to do (Chinese)"), 4)
    headline_en = forms.CharField(label=_("Headline (English)"), max_length=300, required=False)
    description_en = _text(_("Description (English)"), 3)
    instruction_en = _text(_("What to do (English)"), 4)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        user: User,
        is_exercise: bool,
        is_update: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(data, **kwargs)
        _one_of(self, "kind").queryset = EventKind.objects.filter(is_active=True)
        places = Place.objects.filter(level__in=(Level.TOWNSHIP, Level.DISTRICT))
        reach = user.organisation.place if user.organisation else None
        if reach is not None:
            places = places.filter(path__startswith=reach.path)
        _one_of(self, "places").queryset = places.order_by("path")
        for place in places.order_by("path"):
            self.fields[f"{OWN}{place.code}"] = forms.ChoiceField(
                label=place.name, required=False, choices=[("", _("as the warning")), *ColourChoice.choices]
            )
        self.fields["geometry"].widget.attrs["data-mapped"] = "composer"  # the page has one map for both
        if is_exercise:
            internal = [(a.value, a.label) for a in (Audience.RESPONSIBLE, Audience.DEPARTMENTS)]
            _one_of(self, "audiences").choices = internal
            self.fields["audiences"].help_text = _("An exercise does not go to the public.")
        if is_update:
            # An update is about the same event and goes to whom the warning went; only its extent changes.
            for name in ("kind", "audiences", "onset"):
                del self.fields[name]

    def clean(self) -> dict[str, Any]:
        """An area is chosen or drawn; it ends after it begins."""
        cleaned = super().clean() or {}
        if not cleaned.get("places") and cleaned.get("geometry") is None and "geometry" not in self.errors:
            raise ValidationError(_("A warning needs an area: tick townships, or draw one on the map."))
        chosen = {place.code for place in cleaned.get("places") or ()}
        given = {name.removeprefix(OWN): found for name, found in cleaned.items() if name.startswith(OWN) and found}
        cleaned["own_colours"] = {
            code: found for code, found in given.items() if code in chosen and found != cleaned.get("colour")
        }
        onset, expires = cleaned.get("onset"), cleaned.get("expires")
        if onset and expires and expires <= onset:
            self.add_error("expires", _("It would end before it begins: choose a later time."))
        return cleaned

    @property
    def asked(self) -> list[str]:
        """The fields that are given to the verbs, texts and single places' colours apart."""
        return [name for name in self.fields if name not in TEXTS and not name.startswith(OWN)]

    def texts(self) -> Texts:
        """The six texts as typed."""
        return Texts(**{name: self.cleaned_data.get(name, "") for name in TEXTS})


class FilterForm(forms.Form):
    """What the list shows."""

    q = forms.CharField(label=_("Search words"), max_length=80, required=False)
    state = forms.ChoiceField(label=_("State"), required=False)
    colour = forms.ChoiceField(label=_("Colour"), required=False)
    kind = forms.ModelChoiceField(EventKind.objects.all(), label=_("Kind of event"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _one_of(self, "state").choices = [
            ("", _("All states")),
            ("open", _("To be handled or in force")),
            *State.choices,
        ]
        _one_of(self, "colour").choices = [("", _("All colours")), *ColourChoice.choices]
        _one_of(self, "kind").empty_label = _("All kinds of events")


class FileForm(forms.Form):
    """A file that is to go with a warning."""

    file = forms.FileField(
        label=_("File"), widget=forms.ClearableFileInput(attrs={"accept": "image/png,image/jpeg,application/pdf,audio/mpeg"}),
        help_text=_("PNG, JPEG, PDF or MP3, at most 2 MB"),
    )  # fmt: skip
    description_zh = forms.CharField(label=_("What it shows (Chinese)"), max_length=100)
    description_en = forms.CharField(label=_("What it shows (English)"), max_length=150, required=False)


class ForecastForm(forms.Form):
    """A gridded forecast, and above which value which colour begins."""

    file = forms.FileField(
        label=_("Gridded forecast"), widget=forms.ClearableFileInput(attrs={"accept": ".csv,.json,.geojson"}),
        help_text=_("CSV with the columns lat, lon and value, or GeoJSON with a value for each point or cell; at most 20 MB"),
    )  # fmt: skip
    kind = forms.ModelChoiceField(EventKind.objects.none(), label=_("Kind of event"), empty_label=None)
    red = forms.FloatField(label=_("Red from"), required=False)
    orange = forms.FloatField(label=_("Orange from"), required=False)
    yellow = forms.FloatField(label=_("Yellow from"), required=False)
    blue = forms.FloatField(label=_("Blue from"), required=False)
    below = forms.BooleanField(label=_("The lower the graver (visibility, cold)"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _one_of(self, "kind").queryset = EventKind.objects.filter(is_active=True)

    def clean(self) -> dict[str, Any]:
        """At least one threshold, graver with every step; not larger than can be read."""
        cleaned = super().clean() or {}
        given = [cleaned[name] for name in ("red", "orange", "yellow", "blue") if cleaned.get(name) is not None]
        if not given and not self.errors:
            raise ValidationError(_("Give the value from which at least one colour begins."))
        if given != sorted(given, reverse=not cleaned.get("below")) or len(set(given)) != len(given):
            raise ValidationError(_("The thresholds do not rise from blue to red: check them."))
        file = cleaned.get("file")
        if file is not None and file.size > 20_000_000:
            self.add_error("file", _("The file has more than 20 MB."))
        return cleaned


class ReceivedForm(forms.Form):
    """Which received messages the list shows."""

    show = forms.ChoiceField(
        label=_("Which ones"), required=False,
        choices=[("", _("Each once")), ("open", _("Only those in force")), ("all", _("Also doubles"))],
    )  # fmt: skip
    signature = forms.ChoiceField(label=_("Signature"), required=False)
    source = forms.ModelChoiceField(FeedSource.objects.all(), label=_("Feed"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _one_of(self, "signature").choices = [("", _("All signatures")), *SignatureVerdict.choices]
        _one_of(self, "source").empty_label = _("All feeds")


class ReasonForm(forms.Form):
    """Why a warning is sent back."""

    reason = forms.CharField(
        label=_("What is to be changed"), max_length=300, widget=forms.Textarea(attrs={"rows": 3, "autofocus": True})
    )


class CancelForm(forms.Form):
    """Why a warning ends before its time."""

    reason_zh = forms.CharField(
        label=_("Reason (Chinese)"), max_length=200, required=False, widget=forms.Textarea(attrs={"rows": 2, "autofocus": True}),
        help_text=_("Stands at the beginning of the cancellation, for example: the typhoon has moved away."),
    )  # fmt: skip
    reason_en = forms.CharField(
        label=_("Reason (English)"), max_length=200, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


class TemplateForm(forms.ModelForm[WarningTemplate]):
    """The words of a kind and colour."""

    class Meta:
        model = WarningTemplate
        fields = (*TEXTS, "valid_hours", "source")
        widgets = {name: forms.Textarea(attrs={"rows": 4}) for name in TEXTS if not name.startswith("headline")}


class SubscribeForm(forms.Form):
    """A resident asks to be told."""

    place = forms.ModelChoiceField(
        Place.objects.none(), label=_("Where you live"), empty_label=None, to_field_name="code"
    )
    phone = forms.CharField(
        label=_("Mobile number"), max_length=30, required=False, widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "tel"})
    )  # fmt: skip
    email = forms.EmailField(label=_("E-mail"), required=False)
    language = forms.ChoiceField(label=_("Language"), choices=Subscription._meta.get_field("language").choices)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places = Place.objects.filter(level__in=(Level.TOWNSHIP, Level.DISTRICT))
        _one_of(self, "place").queryset = places.order_by("path")

    def clean_phone(self) -> str:
        """Eleven digits, or nothing."""
        given: str = self.cleaned_data["phone"].strip()
        try:
            return subscriptions.plain_phone(given) if given else ""
        except Refused as error:
            raise ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        """One of the two ways to be told is needed."""
        cleaned = super().clean() or {}
        if not cleaned.get("phone") and not cleaned.get("email") and not {"phone", "email"} & set(self.errors):
            raise ValidationError(_("Give a mobile number or an e-mail address."))
        return cleaned


class CheckForm(forms.Form):
    """A CAP message to be checked: a file, or its text."""

    file = forms.FileField(
        label=_("File"), required=False, widget=forms.ClearableFileInput(attrs={"accept": ".xml,.cap"})
    )
    text = forms.CharField(
        label=_("or its text"), required=False, max_length=2_000_000, strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "class": "font-monospace"}),
    )  # fmt: skip
    profile = forms.ChoiceField(
        label=_("Profile"),
        required=False,
        initial="cn",
        choices=[("cn", _("China (GB/T 35965.1)")), ("", _("CAP 1.2 alone"))],
    )

    def clean(self) -> dict[str, Any]:
        """One of the two, not larger than a message may be; `data` is its bytes."""
        cleaned = super().clean() or {}
        file, text = cleaned.get("file"), cleaned.get("text") or ""
        if self.errors:
            return cleaned
        if (file is None) == (not text.strip()):
            raise ValidationError(_("Give a file, or paste the text of one message."))
        if file is not None and file.size > MAX_BYTES:
            raise ValidationError(_("The file is larger than a message may be (8 MB)."))
        cleaned["data"] = file.read() if file is not None else text.strip().encode()
        return cleaned
